import assert from 'node:assert/strict';
import { it } from 'node:test';
import { keepsItsWord } from './behaviour.ts';
import { StandIn } from './stand-in.ts';

const engine = {
  driver: 'hana',
  client: 'hdbsql',
  process: { comm: 'hdbnameserver', environ: { SAPSYSTEMNAME: 'HDB' } },
};
keepsItsWord(engine, {
  name: /^SAP HANA 2.*\(HDB\)$/,
  stopsWrites: false,
  locks: true,
  position: 'backup id 1732270000001',
});

for (const [who, verdict] of [
  ['asked', "1732270000001 SUCCESSFUL 'freezeframe run-1'"],
  ['lease', "1732270000001 UNSUCCESSFUL 'freezeframe run-1: no snapshot set'"],
  // Also the word of a run that has no set.
  ['rescue', "1732270000001 UNSUCCESSFUL 'freezeframe run-1: no snapshot set'"],
  // lvm-snapshot lets go before there is a set.
  ['', "1732270000001 UNSUCCESSFUL 'freezeframe run-1: no snapshot set'"],
]) {
  it(`a snapshot released by ${who || 'nobody yet'} is closed as ${verdict}`, async () => {
    using server = new StandIn(engine);
    await server.run(`freeze; release '${who}'`);
    assert.equal(server.server('closed'), verdict);
  });
}
