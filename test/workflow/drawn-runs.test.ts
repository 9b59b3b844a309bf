/** The pictures of runs in the docs: drawn from the definition as it is, and runs do go that way. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { GREEN, RED } from '../../lab/draw/runs.ts';
import { type Definition, workflowSvg } from '../../lab/draw/workflow.ts';
import { ModelAccount, type Server } from '../support/model-account.ts';
import { synth } from '../support/synth.ts';

const { definition } = await synth();
const image = (file: string) => readFileSync(join(import.meta.dirname, '../../docs/images', file), 'utf8');
const account = await ModelAccount.open();

const played = async (server: Server) => {
  const run = await account.backup(server);
  const failed = run.history.filter(({ type }) => type === 'StateFailed').map(({ state }) => state);
  return { status: run.status, path: run.path, failed };
};

describe('the drawn run', () => {
  it('that is green goes this way', async () => {
    const { status, path, failed } = await played(account.launch({ mode: 'fs-freeze' }));
    assert.deepEqual([status, path, failed], ['SUCCEEDED', GREEN.path, GREEN.failed]);
  });

  it('that is red goes this way', async () => {
    const server = account.launch({ mode: 'fs-freeze' });
    server.host.trouble.fail = (document) => (document === 'freeze' ? 'LockTimeout' : undefined);
    const { status, path, failed } = await played(server);
    assert.deepEqual([status, path, failed], ['FAILED', RED.path, RED.failed]);
  });

  for (const [file, title, run] of [
    ['run-green.svg', 'A run that went well', GREEN],
    ['run-red.svg', 'A run whose database did not give its lock', RED],
  ] as const) {
    it(`in ${file} is drawn from the definition as it is (npm run draw)`, () =>
      assert.equal(image(file), workflowSvg(title, definition as Definition, run)));
  }
});
