import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { makeScratch } from '../../lab/scratch.ts';

const SCRATCH = join(import.meta.dirname, '..', '..', 'lab', 'scratch.ts');

test('a disposed scratch folder is gone, with its process', async () => {
  const scratch = makeScratch('test', () => ['sleep', '60']);
  assert.ok(existsSync(scratch.folder));
  await scratch.dispose();
  assert.equal(scratch.alive, false);
  assert.ok(!existsSync(scratch.folder));
});

test('a scratch folder goes when its process ends by itself', async () => {
  const scratch = makeScratch('test', () => ['true']);
  await scratch.gone;
  assert.ok(!existsSync(scratch.folder));
});

for (const signal of ['SIGINT', 'SIGTERM', 'SIGKILL'] as const) {
  test(`neither folder nor process outlives a Node process that ends by ${signal}`, async () => {
    const code = `
      const { makeScratch } = await import(${JSON.stringify(SCRATCH)});
      const scratch = makeScratch('test', (folder) => ['sh', '-c', 'echo $$ >' + folder + '/pid; exec sleep 60']);
      console.log(scratch.folder);
      setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const folder = await new Promise<string>((resolve) => {
      child.stdout.once('data', (bytes: Buffer) => resolve(bytes.toString().trim()));
    });
    child.kill(signal);
    for (let tries = 0; existsSync(folder) && tries < 100; tries += 1) await sleep(50);
    assert.ok(!existsSync(folder));
  });
}
