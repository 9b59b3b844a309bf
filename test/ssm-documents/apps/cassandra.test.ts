import assert from 'node:assert/strict';
import { it } from 'node:test';
import { keepsItsWord } from './behaviour.ts';
import { StandIn } from './stand-in.ts';

const engine = {
  driver: 'cassandra',
  client: 'nodetool',
  process: {
    comm: 'java',
    cmdline: 'java -Dcassandra.storagedir=WORLD/data org.apache.cassandra.service.CassandraDaemon',
  },
};
keepsItsWord(engine, { name: /^Cassandra 4\.1\.7 \(no lock: flushed only\)$/, stopsWrites: false, locks: false });

it('is flushed', async () => {
  using server = new StandIn(engine);
  await server.run('freeze; release asked');
  assert.equal(server.server('flushed'), 'yes');
});

it('a password for JMX goes by a file', async () => {
  using server = new StandIn(engine);
  server.set('refuse');
  server.file('etc/freezeframe/cassandra.conf', 'user = backup\n');
  server.file('etc/freezeframe/cassandra.password', 'backup s3cret\n');
  const { apps } = await server.run('');
  assert.equal(apps[0]?.ready, true);
  assert.equal(server.server('leaked'), '');
});
