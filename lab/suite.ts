/**
 * The tests on a real kernel, real disks and a real database: nothing is played but AWS itself.
 *
 *   npm run test:lab                                        all of it
 *   node lab/suite.ts [matrix] [engines] [restore] …        parts of it
 *     --topology NAME  --mode NAME  --rounds N              of matrix, engines, restore and drill
 *     --only TEXT                                           of the others: cases whose name holds it, several times
 *     --json                                                results as JSON on stdout, progress on stderr
 */
import { parseArgs } from 'node:util';
import { Account } from './account.ts';
import { badLuck } from './suite/bad-luck.ts';
import { drill } from './suite/drill.ts';
import { HOOK_DOCUMENTS, hooks } from './suite/hooks.ts';
import { engines, matrix } from './suite/matrix.ts';
import { Report } from './suite/report.ts';
import { restore } from './suite/restore.ts';
import { ring3 } from './suite/ring3.ts';
import { servers } from './suite/servers.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    topology: { type: 'string' },
    mode: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', multiple: true, default: [] },
    json: { type: 'boolean' },
  },
});

const PARTS = { servers, matrix, engines, hooks, restore, drill, 'bad-luck': badLuck, ring3 };
type Part = keyof typeof PARTS;
const isPart = (name: string): name is Part => name in PARTS;
const unknown = positionals.filter((name) => !isPart(name));
if (unknown.length > 0) {
  console.error(`no such part: ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`);
  process.exit(2);
}
const parts = positionals.length > 0 ? positionals.filter(isPart) : (Object.keys(PARTS) as Part[]);

/** An emulated processor takes seconds for what a real one does in fractions. */
const LEASE_SECONDS = 120;

const report = new Report(values.json ? process.stderr : process.stdout);
const account = await Account.open({
  policy: { grade: 'application', onDowngrade: 'keep', leaseSeconds: LEASE_SECONDS },
  hookDocuments: HOOK_DOCUMENTS,
  progress: (text) => report.say(text),
  timeScale: 0.1,
});
process.once('SIGINT', () => void account.close().then(() => process.exit(130)));
try {
  const { topology, mode, only } = values;
  for (const part of parts) await PARTS[part](account, report, { topology, mode, only, rounds: Number(values.rounds) });
} finally {
  await account.close();
}
report.summary();
if (values.json) console.log(JSON.stringify(report.results, null, 2));
process.exitCode = report.failed > 0 || report.passed === 0 ? 1 : 0;
