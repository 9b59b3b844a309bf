/** The MySQL driver against a stand-in of MySQL's client; a real MariaDB is asked in test/servers. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { keepsItsWord } from './behaviour.ts';
import { StandIn } from './stand-in.ts';

const engine = {
  driver: 'mysql',
  client: 'mariadb',
  also: ['mysql'],
  process: { comm: 'mysqld', socket: true },
} as const;
keepsItsWord(engine, {
  name: /^MySQL 8\.4\.3$/,
  stopsWrites: true,
  locks: true,
  sharesLock: true,
  position: 'binlog.000001 4711 gtid 3e11fa47:1-5',
});

it('a statement that runs for long keeps MySQL from being asked for the lock: what waits behind it would wait on', async () => {
  using server = new StandIn(engine);
  server.set('busy', '1');
  const { frozen } = await server.run('freeze; release error', { within: 2 });
  assert.match(
    frozen,
    /^LockTimeout: MySQL 8.4.3 did not grant its lock in time; in its way: connection 7 of shop, running SELECT/,
  );
  assert.equal(server.server('asked'), '');
});

it('a root whose account is locked is refused like any other: the file of ours is asked for', async () => {
  using server = new StandIn(engine);
  server.set('refuse', 'locked');
  const { apps } = await server.run('');
  assert.match(apps[0]?.problem ?? '', /can't log in: ERROR 3118.*\/etc\/freezeframe\/mysql\.cnf/);
});
