/**
 * Measures, and writes what it measured into docs/benchmarks/ and from there into docs/benchmarks.md.
 *
 *   npm run bench [-- PART...]      parts: sizes
 *     --rounds N                    how often each thing is measured
 *     --page                        measures nothing: writes the page anew from what was measured
 */
import { parseArgs } from 'node:util';
import { type Part, readResults, writePage, writeResults } from './bench/page.ts';
import { PARTS } from './bench/parts.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string' }, page: { type: 'boolean' } },
});
const unknown = positionals.filter((name) => !(name in PARTS));
if (unknown.length > 0) {
  console.error(`no such part: ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`);
  process.exit(2);
}
const chosen = positionals.length > 0 ? positionals : Object.keys(PARTS);

for (const name of values.page ? [] : chosen) {
  const part = PARTS[name] as Part;
  writeResults(name, await part.measure({ ...(values.rounds && { rounds: Number(values.rounds) }) }));
}
for (const name of Object.keys(PARTS)) writePage(name, (PARTS[name] as Part).render(readResults(name)));
