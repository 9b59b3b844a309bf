/** The PostgreSQL driver against a real server; the world below is the server's, the host is without disks. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DriverHost } from '../ssm-documents/apps/driver-host.ts';
import { PostgreSql, type Writer } from './engines.ts';

describe('PostgreSQL', () => {
  const host = new DriverHost();
  let server: PostgreSql;
  let writer: Writer;
  let run = 0;

  before(async () => {
    server = await new PostgreSql(`${host.world}/first`).create();
    writer = server.writer();
  });
  after(() => {
    writer?.stop();
    server?.stop();
    host.dispose();
  });

  it('is not ready, and the reason names what to do, when the client is missing', async () => {
    host.extra = `postgresql_client() { REPLY='the client (psql) is not installed'; return 1; }`;
    const app = await host.only();
    host.extra = '';
    assert.equal(app.ready, false);
    assert.match(app.problem, /psql\) is not installed/);
    assert.equal(app.dataDir, `${server.directory}/data`, 'it is known all the same');
  });

  it('is not ready when its owner is refused, until the file of ours holds a user', async () => {
    const { directory } = server;
    server.sql("CREATE ROLE helper SUPERUSER LOGIN PASSWORD 'opensesame'");
    const rules = readFileSync(`${directory}/data/pg_hba.conf`, 'utf8');
    writeFileSync(`${directory}/data/pg_hba.conf`, 'local all helper scram-sha-256\nlocal all all reject\n');
    process.kill(server.pid, 'SIGHUP');
    await sleep(300);
    const refused = await host.only();
    assert.equal(refused.ready, false);
    assert.match(refused.problem, /can't log in: .*reject.*\/etc\/freezeframe\/pgpass/);

    host.file('etc/freezeframe/pgpass', `*:${server.port}:*:helper:opensesame\n`, 0o644);
    assert.match((await host.only()).problem, /must belong to root with mode 0600/);
    host.file('etc/freezeframe/pgpass', `*:${server.port}:*:helper:wrong\n`);
    assert.match((await host.only()).problem, /password authentication failed/);
    host.file('etc/freezeframe/pgpass', `*:${server.port}:*:helper:opensesame\n`);
    assert.equal((await host.only()).ready, true);
    assert.deepEqual(await host.freeze(`r${++run}`, 'postgresql'), { code: 'ok', message: '' });
    assert.equal((await host.thaw(`r${run}`)).apps[0]?.held, true);

    writeFileSync(`${directory}/data/pg_hba.conf`, rules);
    process.kill(server.pid, 'SIGHUP');
    await sleep(300);
  });

  it('is not ready when a setting makes recovery unsafe', async () => {
    server.sql('ALTER SYSTEM SET full_page_writes = off');
    server.sql('SELECT pg_reload_conf()');
    await sleep(300);
    assert.match((await host.only()).problem, /fsync is on and full_page_writes is off/);
    server.sql('ALTER SYSTEM RESET full_page_writes');
    server.sql('SELECT pg_reload_conf()');
    await sleep(300);
    const app = await host.only();
    assert.deepEqual([app.ready, app.problem], [true, '']);
    assert.match(app.name, /^PostgreSQL \d+\.\d+$/);
    assert.equal(app.stopsWrites, false, 'no lock of it spans several instants');
  });

  it('lets commits go on, and an image of one instant recovers to the last acknowledged commit', async () => {
    await writer.reaches(50);
    assert.deepEqual(await host.freeze(`r${++run}`, 'postgresql'), { code: 'ok', message: '' });
    await writer.reaches(writer.acknowledged + 20);
    const { acknowledged } = writer;
    server.copyAtOneInstant();
    const { apps } = await host.thaw(`r${run}`);
    assert.deepEqual(
      apps.map(({ held }) => held),
      [true],
    );
    assert.match(apps[0]?.position ?? '', /^[0-9A-F]+\/[0-9A-F]+ timeline 1$/);

    await using restored = await new PostgreSql(`${host.world}-restored`).restore(server);
    const [count, last] = restored.sql("SELECT count(*) || ' ' || max(n) FROM written").split(' ').map(Number);
    assert.ok((last ?? 0) >= acknowledged, `${last} of ${acknowledged}`);
    assert.equal(count, last, 'without a gap');
  });

  it('goes on with a note when the checkpoint does not end: it only shortens recovery', async () => {
    // The checkpointer stands still.
    const pid = Number(server.sql("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'"));
    process.kill(pid, 'SIGSTOP');
    const answer = await host.freeze(`r${++run}`, 'postgresql', { within: 6 });
    process.kill(pid, 'SIGCONT');
    assert.deepEqual(answer, { code: 'ok', message: '' });
    const receipt = await host.thaw(`r${run}`);
    assert.equal(receipt.apps[0]?.held, true);
    assert.match(receipt.notes.join(), /did not end its checkpoint within \d+ s/);
  });

  it('is not called held when its session was ended', async () => {
    await host.freeze(`r${++run}`, 'postgresql');
    server.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'freezeframe'");
    const receipt = await host.thaw(`r${run}`);
    assert.deepEqual(
      receipt.apps.map(({ held }) => held),
      [false],
    );
    assert.ok(await host.becomesClear());
  });

  it('is not called held when the server died and came again', async () => {
    await host.freeze(`r${++run}`, 'postgresql');
    writer.stop();
    server.signal('SIGKILL');
    await sleep(200);
    await server.start();
    const receipt = await host.thaw(`r${run}`);
    assert.deepEqual(
      receipt.apps.map(({ held }) => held),
      [false],
    );
    assert.ok(await host.becomesClear());
  });

  it('leaves no session behind when the holder dies', async () => {
    await host.freeze(`r${++run}`, 'postgresql');
    host.killHolder();
    assert.ok(await host.becomesClear());
    assert.equal(server.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'freezeframe'"), '0');
  });

  it('is missed, not forgotten, when it was down before the freeze', async () => {
    server.stop();
    for (let tries = 0; tries < 50 && (await host.inspect()).length > 0; tries++) await sleep(100);
    const { code, message } = await host.freeze(`r${++run}`, 'postgresql');
    assert.deepEqual([code, message], ['TopologyChanged', 'postgresql no longer runs; start the run again']);
  });
});
