/**
 * Measures, and writes what it measured into docs/benchmarks/ and from there into docs/benchmarks.md.
 *
 *   npm run bench [-- PART...]      parts: window, native, consistency, sizes
 *     --rounds N                    how often each thing is measured
 *     --minutes N                   begins nothing new after so long
 *     --add                         to what was measured before
 *     --page                        measures nothing: writes the page anew from what was measured
 */
import { parseArgs } from 'node:util';
import { type Part, readResults, writePage, writeResults } from './bench/page.ts';
import { PARTS } from './bench/parts.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    rounds: { type: 'string' },
    minutes: { type: 'string' },
    add: { type: 'boolean' },
    page: { type: 'boolean' },
  },
});
const unknown = positionals.filter((name) => !(name in PARTS));
if (unknown.length > 0) {
  console.error(`no such part: ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`);
  process.exit(2);
}
const chosen = positionals.length > 0 ? positionals : Object.keys(PARTS);

for (const name of values.page ? [] : chosen) {
  const part = PARTS[name] as Part;
  const save = (results: object) => writeResults(name, results);
  const measured = await part.measure({
    ...(values.rounds && { rounds: Number(values.rounds) }),
    ...(values.minutes && { minutes: Number(values.minutes) }),
    ...(values.add && { before: readResults(name) }),
    save,
  });
  save(measured);
}
for (const [name, part] of Object.entries(PARTS)) writePage(name, part);
