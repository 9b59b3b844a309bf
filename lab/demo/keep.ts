import { createInterface } from 'node:readline/promises';
import type { Account } from '../account.ts';

/** Leaves the instance running until the end of input; each line is run on it as root. */
export async function keepOpen(account: Account): Promise<void> {
  const [source] = account.instances;
  if (!source) return;
  console.log(`${source.id} still runs. Each line is run on it as root; Ctrl-D ends the lab.`);
  const input = createInterface({ input: process.stdin, output: process.stdout, prompt: '# ' });
  input.prompt();
  for await (const line of input) {
    const { stdout, stderr } = await source.host.exec(line, { mayFail: true, timeoutMs: 60_000 });
    process.stdout.write(`${stdout}${stderr}`);
    input.prompt();
  }
}
