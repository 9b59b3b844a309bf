/** The Redis driver against a real server; the world below is the server's, the host is without disks. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DriverHost } from '../ssm-documents/apps/driver-host.ts';
import { Redis, type Writer } from './engines.ts';

describe('Redis with an append-only file', () => {
  const host = new DriverHost();
  const server = new Redis(`${host.world}/first`);
  let writer: Writer;
  let run = 0;

  before(async () => {
    await server.start();
    writer = server.writer();
  });
  after(() => {
    writer?.stop();
    server.kill();
    host.dispose();
  });

  const OK = { code: 'ok', message: '' };

  it('is not ready, and the reason names what to do, when the client is missing', async () => {
    host.extra = `redis_client() { REPLY='the client (redis-cli or valkey-cli) is not installed'; return 1; }`;
    const app = await host.only();
    host.extra = '';
    assert.deepEqual([app.ready, app.dataDir], [false, server.directory]);
    assert.match(app.problem, /is not installed/);
  });

  it('is ready, and its lock stops every write', async () => {
    const app = await host.only();
    assert.match(app.name, /^Redis 7\./);
    assert.deepEqual([app.ready, app.provable, app.stopsWrites], [true, true, true], app.problem);
  });

  it('holds writes and no reads until the thaw; the files have the last acknowledged write', async () => {
    await writer.reaches(50);
    assert.deepEqual(await host.freeze(`r${++run}`, 'redis'), OK);
    const { acknowledged } = writer;
    await sleep(400);
    assert.equal(writer.acknowledged, acknowledged, 'a write waits');
    assert.equal(server.cli('GET', 'written'), String(acknowledged), 'a read does not');
    {
      await using restored = await server.copy(`${host.world}-restored`);
      assert.equal(restored.cli('GET', 'written'), String(acknowledged));
    }
    const receipt = await host.thaw(`r${run}`);
    assert.deepEqual(
      receipt.apps.map(({ held }) => held),
      [true],
    );
    assert.match(receipt.apps[0]?.position ?? '', /^[0-9a-f]{40} \d+$/);
    assert.ok(receipt.stalledAt !== null && receipt.stalledAt <= (receipt.apps[0]?.lockedAt ?? 0));
    await writer.reaches(acknowledged + 10);
    assert.ok(await host.becomesClear());
  });

  it('is not called held when somebody has ended the pause, even when it is on again', async () => {
    await host.freeze(`r${++run}`, 'redis');
    server.cli('CLIENT', 'UNPAUSE');
    server.cli('CLIENT', 'PAUSE', '20000', 'WRITE');
    const receipt = await host.thaw(`r${run}`);
    assert.deepEqual(
      receipt.apps.map(({ held }) => held),
      [false],
    );
    await writer.reaches(writer.acknowledged + 10);
  });

  it('lets writes go on when the holder dies', async () => {
    await host.freeze(`r${++run}`, 'redis');
    const { acknowledged } = writer;
    host.killHolder();
    await writer.reaches(acknowledged + 10);
    assert.notEqual((await host.receipt(`r${run}`)).thawedBy, 'asked');
    assert.ok(await host.becomesClear());
  });

  it('lets writes go on when the keeper is killed, and is not called held', async () => {
    await host.freeze(`r${++run}`, 'redis');
    const holder = host.holder();
    for (const pid of host.processes(`${host.world}/run/active/script holder`))
      if (pid !== holder) process.kill(pid, 'SIGKILL');
    const receipt = await host.thaw(`r${run}`);
    assert.deepEqual(
      receipt.apps.map(({ held }) => held),
      [false],
    );
    await writer.reaches(writer.acknowledged + 10);
  });

  it('refuses the freeze, and pauses nothing, when the pause is not granted', async () => {
    assert.equal((await host.only()).ready, true);
    server.cli('ACL', 'SETUSER', 'default', '-client|pause');
    assert.match((await host.only()).problem, /may not CLIENT PAUSE/);
    // Taken away after the host was inspected.
    host.extra = `redis_judge() { REPLY=''; APP_READY[$1]=1 APP_NAME[$1]=Redis; }`;
    const { code, message } = await host.freeze(`r${++run}`, 'redis');
    host.extra = '';
    assert.equal(code, 'ApplicationRefused');
    assert.match(message, /Redis refused the pause: NOPERM/);
    server.cli('ACL', 'SETUSER', 'default', '+@all');
    await writer.reaches(writer.acknowledged + 10);
    assert.ok(await host.becomesClear());
  });

  it('is not called held when the server died and came again', async () => {
    await host.freeze(`r${++run}`, 'redis');
    writer.stop();
    server.kill();
    await sleep(200);
    await server.start();
    const receipt = await host.thaw(`r${run}`);
    assert.deepEqual(
      receipt.apps.map(({ held }) => held),
      [false],
    );
    assert.equal(server.cli('INCR', 'written'), String(Number(server.cli('GET', 'written'))), 'a write goes through');
  });

  it('is missed, not forgotten, when it was down before the freeze', async () => {
    server.kill();
    await sleep(300);
    assert.equal((await host.freeze(`r${++run}`, 'redis')).code, 'TopologyChanged');
  });
});

describe('Redis with a password', () => {
  const host = new DriverHost();
  const server = new Redis(`${host.world}/first`, ['--appendonly', 'yes', '--save', ''], 'open "sesame\\');
  before(() => server.start());
  after(() => {
    server.kill();
    host.dispose();
  });

  it('is ready with the password of our file, which belongs to root alone and is in no list of processes', async () => {
    const problem = async () => (await host.inspect())[0]?.problem ?? 'no server';
    assert.match(await problem(), /NOAUTH.*\/etc\/freezeframe\/redis.conf/);
    host.file('etc/freezeframe/redis.conf', `default wrong\n`);
    assert.match(await problem(), /WRONGPASS/);
    host.file('etc/freezeframe/redis.conf', `default wrong\n${server.port} default open "sesame\\\n`, 0o640);
    assert.match(await problem(), /must belong to root/);
    host.file('etc/freezeframe/redis.conf', `default wrong\n${server.port} default open "sesame\\\n`);
    assert.equal(await problem(), '');
    assert.deepEqual(await host.freeze('r1', 'redis'), { code: 'ok', message: '' });
    assert.deepEqual(host.secrets('sesame', server.pid), [], 'nobody but the server knows it');
    assert.equal((await host.thaw('r1')).apps[0]?.held, true);
  });
});

describe('Redis with dumps only', () => {
  const host = new DriverHost();
  const server = new Redis(`${host.world}/first`, ['--appendonly', 'no', '--save', '3600 1']);
  let writer: Writer;
  before(async () => {
    await server.start();
    writer = server.writer();
  });
  after(() => {
    writer?.stop();
    server.kill();
    host.dispose();
  });

  it('renews its dump while writes wait, so that the files have the last acknowledged write', async () => {
    await writer.reaches(50);
    assert.deepEqual(await host.freeze('r1', 'redis'), { code: 'ok', message: '' });
    const { acknowledged } = writer;
    {
      await using restored = await server.copy(`${host.world}-restored`);
      assert.equal(restored.cli('GET', 'written'), String(acknowledged));
    }
    assert.equal((await host.thaw('r1')).apps[0]?.held, true);
  });

  it('is no application when it keeps nothing on disk', async () => {
    server.cli('CONFIG', 'SET', 'save', '');
    rmSync(`${server.directory}/dump.rdb`, { force: true });
    assert.deepEqual(await host.inspect(), []);
  });
});
