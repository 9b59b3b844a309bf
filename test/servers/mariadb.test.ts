/** The MySQL driver against a real MariaDB; the world below is the server's, the host is without disks. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DriverHost } from '../ssm-documents/apps/driver-host.ts';
import { MariaDb, type Writer } from './engines.ts';

describe('MariaDB', () => {
  const host = new DriverHost();
  const server = new MariaDb(`${host.world}/first`);
  const OK = { code: 'ok', message: '' };
  let writer: Writer;
  let run = 0;

  before(async () => {
    await server.create();
    writer = server.writer();
  });
  after(() => {
    writer?.stop();
    server.kill();
    host.dispose();
  });

  it('is not ready, and the reason names what to do, when the client is missing', async () => {
    host.extra = `command() { case $2 in mariadb | mysql) return 1 ;; *) builtin command "$@" ;; esac; }`;
    const { ready, problem } = await host.only();
    host.extra = '';
    assert.equal(ready, false);
    assert.match(problem, /mysql or mariadb\) is not installed/);
  });

  it('is ready, with its data directory, and its lock stops every write', async () => {
    const app = await host.only();
    assert.match(app.name, /^MariaDB 1\d\.\d+\.\d+$/);
    assert.deepEqual([app.ready, app.provable, app.stopsWrites], [true, true, true], app.problem);
    assert.equal(app.dataDir, server.directory);
  });

  it('holds writes and no reads until the thaw, and tells where the log was', async () => {
    await writer.reaches(20);
    assert.deepEqual(await host.freeze(`r${++run}`, 'mysql'), OK);
    const { acknowledged } = writer;
    await sleep(300);
    assert.equal(writer.acknowledged, acknowledged, 'a write waits');
    assert.equal(server.sql('SELECT MAX(n) FROM shop.written'), String(acknowledged), 'a read does not');
    const receipt = await host.thaw(`r${run}`);
    assert.equal(receipt.apps[0]?.held, true);
    assert.match(receipt.apps[0]?.position ?? '', /^binlog\.\d+ \d+ gtid 0-1-\d+$/);
    assert.ok(receipt.stalledAt !== null && receipt.stalledAt <= (receipt.apps[0]?.lockedAt ?? 0));
    await writer.reaches(acknowledged + 5);
    assert.ok(await host.becomesClear());
  });

  it('whose lock is never granted ends in LockTimeout, names what is in its way, and goes on writing', async () => {
    // A table without transactions that is being written to keeps the lock away.
    server.sql('CREATE TABLE shop.slow (n int) ENGINE=MyISAM; INSERT INTO shop.slow VALUES (1)');
    const busy = server.busy('UPDATE slow SET n = n + SLEEP(30)');
    await sleep(300);
    const { code, message } = await host.freeze(`r${++run}`, 'mysql', { within: 4 });
    assert.deepEqual([code, busy.exitCode], ['LockTimeout', null], message);
    assert.match(message, /in its way: connection \d+ of root, running UPDATE for \d+ s/);
    assert.ok(await host.becomesClear());
    await writer.reaches(writer.acknowledged + 5);
    server.sql(`KILL ${server.sql("SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'UPDATE%'")}`);
  });

  it('is not called held when its session was ended', async () => {
    assert.deepEqual(await host.freeze(`r${++run}`, 'mysql'), OK);
    const { acknowledged } = writer;
    // The longest idle one is the keeper's.
    const id = server.sql(
      "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND = 'Sleep' ORDER BY ID DESC LIMIT 1",
    );
    server.sql(`KILL ${id}`);
    await writer.reaches(acknowledged + 5);
    assert.equal((await host.thaw(`r${run}`)).apps[0]?.held, false);
    assert.ok(await host.becomesClear());
  });

  it('lets writes go on when the holder dies', async () => {
    assert.deepEqual(await host.freeze(`r${++run}`, 'mysql'), OK);
    const { acknowledged } = writer;
    host.killHolder();
    await writer.reaches(acknowledged + 5);
    assert.notEqual((await host.receipt(`r${run}`)).thawedBy, 'asked');
    assert.ok(await host.becomesClear());
  });

  it('is not ready when root is refused on the socket, until the file of ours holds a user with the right', async () => {
    server.sql("CREATE USER lesser IDENTIFIED BY 'sesame'; CREATE USER helper IDENTIFIED BY 'open sesame'");
    server.sql(
      "GRANT RELOAD, PROCESS, REPLICATION CLIENT ON *.* TO helper; ALTER USER root@localhost IDENTIFIED BY 'other'",
    );
    assert.match((await host.only()).problem, /can't log in: ERROR 1045.*\/etc\/freezeframe\/mysql\.cnf/);
    const root = ['--no-defaults', `--socket=${server.directory}/s`, '--user=root', '--password=other'];
    execFileSync('mariadb', [...root, '-e', 'ALTER USER root@localhost IDENTIFIED VIA unix_socket ACCOUNT LOCK']);
    assert.match((await host.only()).problem, /can't log in: ERROR 4151.*\/etc\/freezeframe\/mysql\.cnf/);
    const login = (user: string, password: string) => `[client]\nuser = ${user}\npassword = "${password}"\n`;
    host.file('etc/freezeframe/mysql.cnf', login('helper', 'open sesame'), 0o644);
    assert.match((await host.only()).problem, /must belong to root with mode 0600/);
    host.file('etc/freezeframe/mysql.cnf', login('lesser', 'sesame'));
    assert.match((await host.only()).problem, /lacks the right RELOAD/);
    host.file('etc/freezeframe/mysql.cnf', login('helper', 'open sesame'));
    assert.equal((await host.only()).problem, '');
    assert.deepEqual(await host.freeze(`r${++run}`, 'mysql'), OK);
    assert.deepEqual(host.secrets('open sesame', 0), [], 'nobody but the server knows it');
    assert.equal((await host.thaw(`r${run}`)).apps[0]?.held, true);
  });

  it('is refused by name when it does not answer, and not taken for a host that has changed', async () => {
    host.extra = 'topology_hash() { shipped_topology_hash; }';
    const { topologyHash } = await host.topology();
    using _ = server.hang();
    const { code, message } = await host.freeze(`r${++run}`, 'mysql', { topology: topologyHash });
    host.extra = '';
    assert.equal(code, 'ApplicationRefused', message);
    assert.match(message, /^mariadbd: .*(no answer within|Lost connection)/);
  });

  it('is the same server when it answers again: the host has not changed', async () => {
    host.extra = 'topology_hash() { shipped_topology_hash; }';
    const hash = async () => (await host.topology()).topologyHash;
    const answering = await hash();
    using _ = server.hang();
    assert.equal(await hash(), answering);
    host.extra = '';
  });

  it('is not called held when the server died', async () => {
    assert.deepEqual(await host.freeze(`r${++run}`, 'mysql'), OK);
    writer.stop();
    server.kill();
    assert.equal((await host.thaw(`r${run}`)).apps[0]?.held, false);
    assert.ok(await host.becomesClear());
  });

  it('is missed, not forgotten, when it was down before the freeze', async () => {
    assert.equal((await host.freeze(`r${++run}`, 'mysql')).code, 'TopologyChanged');
  });
});
