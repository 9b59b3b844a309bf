import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { it } from 'node:test';
import { readTemplate } from '../lab/aws/template.ts';
import { withPermissions } from '../lab/draw/permissions.ts';
import { EVERY_OPTION } from './support/every-option.ts';
import { resourcesOf } from './support/synth.ts';

it('the page of security has every permission of the template, and no other (npm run draw)', async () => {
  const page = readFileSync(join(import.meta.dirname, '../docs/security.md'), 'utf8');
  const stack = readTemplate({ Resources: await resourcesOf(EVERY_OPTION) });
  assert.equal(page, withPermissions(page, stack));
});
