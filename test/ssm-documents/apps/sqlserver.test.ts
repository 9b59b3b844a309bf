import assert from 'node:assert/strict';
import { it } from 'node:test';
import { keepsItsWord } from './behaviour.ts';
import { StandIn } from './stand-in.ts';

const engine = {
  driver: 'sqlserver',
  client: 'sqlcmd',
  process: { comm: 'sqlservr', port: 1433 },
  files: { 'etc/freezeframe/sqlserver.conf': 'user = backup\npassword = s3cret"quote\n' },
};
keepsItsWord(engine, {
  name: /^SQL Server 16\.0\.4145\.4$/,
  stopsWrites: true,
  locks: true,
  position: 'shop 42000000012300001',
});

it('2019 and older have no snapshot backup: it is said, and nothing is proven', async () => {
  using server = new StandIn(engine);
  server.set('version', '15.0.4430.1');
  const { apps, frozen, held } = await server.run('freeze; release asked');
  assert.match(apps[0]?.name ?? '', /older than 2022/);
  assert.deepEqual([apps[0]?.ready, apps[0]?.provable, frozen, held], [true, false, 'frozen', ['true']]);
});

it('a server without a login on the host is told how to give it one', async () => {
  using server = new StandIn({ ...engine, files: {} });
  const { apps } = await server.run('');
  assert.match(apps[0]?.problem ?? '', /put a login with CONTROL SERVER into .*sqlserver\.conf/);
});
