import assert from 'node:assert/strict';
import { it } from 'node:test';
import { keepsItsWord } from './behaviour.ts';
import { StandIn } from './stand-in.ts';

const engine = { driver: 'mongodb', client: 'mongosh', process: { comm: 'mongod', port: 27017 } };
keepsItsWord(engine, { name: /^MongoDB 7\.0\.14$/, stopsWrites: true, locks: true, position: '{"ts":7}' });

it('user and password reach the shell by its input', async () => {
  using server = new StandIn(engine);
  server.set('refuse');
  server.file('etc/freezeframe/mongodb.conf', 'user = backup\npassword = s3cret"quote\n');
  const { apps, frozen, held } = await server.run('freeze; release asked');
  assert.deepEqual([apps[0]?.ready, frozen, held], [true, 'frozen', ['true']]);
  assert.deepEqual([server.server('leaked'), server.locks], ['', 0]);
});

it('a file that others may read is refused', async () => {
  using server = new StandIn(engine);
  server.file('etc/freezeframe/mongodb.conf', 'user = backup\npassword = s3cret\n', 0o644);
  const { apps } = await server.run('');
  assert.match(apps[0]?.problem ?? '', /must belong to root with mode 0600/);
});

it('a primary is named one, and a shard proves nothing', async () => {
  using server = new StandIn(engine);
  server.set('role', 'primary');
  server.set('cluster', 'shardsvr');
  const { apps } = await server.run('');
  assert.match(apps[0]?.name ?? '', /primary; back up a secondary rather.*one shard alone is no backup/);
  assert.deepEqual([apps[0]?.ready, apps[0]?.provable], [true, false]);
});

it('of two locks exactly ours is released', async () => {
  using server = new StandIn(engine);
  await server.run('freeze; echo 1 >$S/foreign; release asked');
  assert.deepEqual([server.server('foreign'), server.locks], ['1', 0]);
});
