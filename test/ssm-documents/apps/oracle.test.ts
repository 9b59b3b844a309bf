import assert from 'node:assert/strict';
import { it } from 'node:test';
import { keepsItsWord } from './behaviour.ts';
import { StandIn } from './stand-in.ts';

const engine = {
  driver: 'oracle',
  client: 'sqlplus',
  clientAt: 'home/bin/sqlplus',
  process: { comm: 'ora_pmon_SHOP', environ: { ORACLE_HOME: 'WORLD/home', ORACLE_SID: 'SHOP' } },
};
// A database that was killed is still in backup mode when it comes up (ORA-10873).
keepsItsWord(engine, {
  name: /^Oracle 19\.0\.0\.0\.0 \(SHOP\)$/,
  stopsWrites: false,
  locks: true,
  position: 'scn 4711 log 12',
  dies: 'touch $S/down',
});

it('the moment after the set is noted, for RECOVER … SNAPSHOT TIME', async () => {
  using server = new StandIn(engine);
  const { notes } = await server.run('freeze; release asked');
  assert.ok(notes.some((note) => note.includes("SNAPSHOT TIME '2026-11-22 10:00:00'")));
  const without = await server.run('freeze; release rescue');
  assert.ok(!without.notes.some((note) => note.includes('SNAPSHOT TIME')), 'there is no set');
});

it('without ARCHIVELOG there is no backup mode: it is said, and nothing is proven', async () => {
  using server = new StandIn(engine);
  server.set('mode', 'NOARCHIVELOG');
  const { apps, frozen, notes } = await server.run('freeze; release asked');
  assert.deepEqual([apps[0]?.ready, apps[0]?.provable, frozen], [true, false, 'frozen']);
  assert.match(apps[0]?.name ?? '', /NOARCHIVELOG/);
  assert.ok(notes.some((note) => note.includes('instance recovery')));
});

it('ASM has no file system to freeze: it is said, and nothing is proven', async () => {
  using server = new StandIn(engine);
  server.set('file', '+DATA/SHOP/system01.dbf');
  const { apps } = await server.run('');
  assert.match(apps[0]?.name ?? '', /ASM/);
  assert.equal(apps[0]?.provable, false);
});
