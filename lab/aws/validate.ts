import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { StateMachine } from 'aws-local-stepfunctions';
import { BUNDLES } from '../../lib/functions.ts';
import { AwsError } from './errors.ts';
import type { Definition } from './template.ts';

/** Beside the bundles, which a build removes together with all that was made of them. */
const VALID = join(BUNDLES, 'valid-definitions');

/**
 * Validates a definition as it was synthesised, as AWS does when a state machine is made. That takes a good part of a second,
 * so what was found valid is noted for all processes.
 * @throws InvalidDefinition
 */
export function validate(definition: Definition): void {
  const note = join(VALID, createHash('sha256').update(JSON.stringify(definition)).digest('hex'));
  if (existsSync(note)) return;
  try {
    new StateMachine(definition as never, { validationOptions: { checkPaths: true, checkArn: true } });
  } catch (error) {
    throw new AwsError('InvalidDefinition', (error as Error).message);
  }
  mkdirSync(VALID, { recursive: true });
  writeFileSync(note, '');
}
