import assert from 'node:assert/strict';
import { it } from 'node:test';
import { keepsItsWord } from './behaviour.ts';
import { StandIn } from './stand-in.ts';

const engine = {
  driver: 'elasticsearch',
  client: 'curl',
  process: { comm: 'java', cmdline: 'java org.elasticsearch.bootstrap.Elasticsearch', port: 9200 },
};
keepsItsWord(engine, {
  name: /^Elasticsearch 8\.15\.0 \(no lock: only _snapshot is a backup\)$/,
  stopsWrites: false,
  locks: false,
});

it('user and password reach curl by its input', async () => {
  using server = new StandIn(engine);
  server.set('refuse');
  server.file('etc/freezeframe/elasticsearch.conf', 'user = backup\npassword = s3cret"quote\n');
  const { apps, frozen } = await server.run('freeze; release asked');
  assert.deepEqual([apps[0]?.ready, frozen], [true, 'frozen']);
  assert.deepEqual([server.server('leaked'), server.server('flushed')], ['', 'yes']);
});
