/** The verifiers against real servers: a copy of one instant is verified, a torn or damaged one is found. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  existsSync,
  fstatSync,
  globSync,
  openSync,
  readdirSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type App, type Check, VerifyHost, type VerifyOptions } from '../ssm-documents/verify/verify-host.ts';
import { MariaDb, PostgreSql, Redis } from './engines.ts';

/** Overwrites pages in the middle of a file, as a disk that lost its writes would leave it. */
function spoil(file: string, from: number, bytes = 4096): void {
  const fd = openSync(file, 'r+');
  try {
    assert.ok(fstatSync(fd).size > from, `${file} is too small to be spoilt`);
    writeSync(fd, Buffer.alloc(bytes, 0x5a), 0, bytes, from);
  } finally {
    closeSync(fd);
  }
}

/** What Verify says of an application whose files lie under `folder`, restored as `/data`. */
function verify(folder: string, app: App, more: VerifyOptions & { set?: (host: VerifyHost) => void } = {}): Check {
  using host = new VerifyHost();
  host.filesystem('/data', folder);
  more.set?.(host);
  const checks = host.verify([app], more);
  assert.deepEqual(host.leftovers, []);
  const found = checks.find(({ kind }) => kind === 'application');
  assert.ok(found, JSON.stringify(checks));
  return found;
}

const said = (check: Check): string => `${check.verdict}: ${check.said}`;

/** A copy of a copy, to be broken. */
function another(folder: string): string {
  const copy = `${folder}-${readdirSync(join(folder, '..')).length}`;
  execFileSync('cp', ['-a', folder, copy]);
  return copy;
}

describe('MariaDB', () => {
  const world = new VerifyHost();
  const copy = join(world.world, 'copy');
  const app = { driver: 'mysql', name: 'MariaDB 10.11.6', dataDir: '/data/mysql', mounts: ['/data'] };

  before(async () => {
    const server = await new MariaDb(`${world.world}/server`).create();
    server.sql('CREATE DATABASE shop; CREATE TABLE shop.goods (id int primary key, name varchar(200)) ENGINE=InnoDB');
    server.sql("INSERT INTO shop.goods SELECT seq, REPEAT('x', 200) FROM shop.seq_1_to_5000");
    assert.equal(server.sql('SELECT COUNT(*) FROM shop.goods'), '5000');
    // Stopped in good order, its pages are on disk and the redo log has none of them.
    server.sql('SHUTDOWN');
    while (existsSync(join(server.directory, 's'))) await sleep(100);
    await server.start();
    const writer = server.writer();
    await writer.reaches(50);
    server.kill();
    writer.stop();
    // Killed in the middle of its work: recovery has something to do.
    cpSync(server.directory, join(copy, 'mysql'), { recursive: true, filter: (source) => !source.endsWith('/s') });
    execFileSync('chown', ['-R', '4711:4711', join(copy, 'mysql')]);
  });
  after(() => world[Symbol.dispose]());

  it('is verified when it recovers and CHECK TABLE finds nothing; its files belong to a user that this host does not know', () =>
    assert.match(
      said(verify(copy, app)),
      /^ok: MariaDB 10\.11\.\d+ started on it; CHECK TABLE found nothing in \d\d+ tables/,
    ));

  it('is damaged when pages of a table are', () => {
    const broken = another(copy);
    spoil(join(broken, 'mysql/shop/goods.ibd'), 6 * 16_384, 16_384);
    assert.match(said(verify(broken, app)), /^damaged: .*(CHECK TABLE|died)/);
  });

  it('is damaged when its redo log is torn', () => {
    const broken = another(copy);
    truncateSync(join(broken, 'mysql/ib_logfile0'), 8192);
    assert.match(said(verify(broken, app)), /^damaged: MariaDB [\d.]+ does not start on it/);
  });

  it('finds redo log and binary log on another file system', () => {
    const apart = another(copy);
    const log = `${apart}-log`;
    execFileSync('bash', [
      '-c',
      `mkdir -p ${log}/mysql && mv ${apart}/mysql/{ib_logfile0,binlog.*} ${log}/mysql/ && sed -i 's,^\\./,/log/mysql/,' ${log}/mysql/binlog.index && chown -R 4711:4711 ${log}/mysql`,
    ]);
    const set = (host: VerifyHost) => void host.filesystem('/log', log);
    assert.match(said(verify(apart, { ...app, mounts: ['/data', '/log'] }, { set })), /^ok: /);
  });

  it('is asked by the user’s check while it runs', () => {
    const set = (host: VerifyHost) =>
      void host.check(
        '10-mysql',
        'mariadb --no-defaults -S "$FREEZEFRAME_SOCKET" -N -e "SELECT COUNT(*) FROM shop.goods"',
      );
    assert.match(said(verify(copy, app, { set })), /^ok: .*; 10-mysql: 5000$/);
  });

  it('is not verified when the server is not installed, or its data can’t be written to', () => {
    const missing = (host: VerifyHost) => {
      host.extra = `eval "any_$(declare -f tool_find)"; tool_find() { if [[ $1 == mariadbd ]]; then set -- no-mariadbd; fi; any_tool_find "$@"; }`;
    };
    assert.match(
      said(verify(copy, app, { set: missing })),
      /^unchecked: not verified: no-mariadbd is not installed on this host/,
    );
    const readOnly = (host: VerifyHost) => {
      host.breakage = `mount -o remount,ro '${host.under}/drill-1/data'`;
    };
    assert.match(said(verify(copy, app, { set: readOnly })), /^unchecked: .*read-only/);
  });
});

describe('PostgreSQL', () => {
  const world = new VerifyHost();
  const copy = join(world.world, 'copy');
  const app = { driver: 'postgresql', name: 'PostgreSQL 15.10', dataDir: '/data/pg', mounts: ['/data'] };
  let table = '';

  before(async () => {
    const server = await new PostgreSql(`${world.world}/server`).create();
    try {
      server.sql("CREATE TABLE goods AS SELECT n, repeat('x', 200) AS name FROM generate_series(1, 5000) n");
      server.sql('CREATE INDEX ON goods (n)');
      server.sql('CHECKPOINT');
      table = server.sql("SELECT pg_relation_filepath('goods')");
      server.sql('CREATE TABLE written AS SELECT 1 AS n');
      server.copyAtOneInstant();
    } finally {
      server.stop();
    }
    execFileSync('bash', [
      '-c',
      `mkdir ${copy} && cp -a ${server.directory}/copy ${copy}/pg && chown -R postgres: ${copy}/pg && chmod 700 ${copy}/pg`,
    ]);
  });
  after(() => world[Symbol.dispose]());

  it('is verified when it recovers and pg_amcheck finds nothing', () =>
    assert.match(
      said(verify(copy, app)),
      /^ok: PostgreSQL 15 started on it; pg_amcheck found nothing; its pages have no checksums/,
    ));

  it('is damaged when a page of a table is', () => {
    const broken = another(copy);
    spoil(join(broken, 'pg', table), 8192 + 2048, 4096);
    assert.match(said(verify(broken, app)), /^damaged: pg_amcheck/);
  });

  it('is damaged when its log is torn', () => {
    const broken = another(copy);
    for (const segment of globSync(join(broken, 'pg/pg_wal/0*')))
      if (statSync(segment).isFile()) truncateSync(segment, 0);
    assert.match(said(verify(broken, app)), /^damaged: PostgreSQL 15 does not start on it/);
  });

  it('is asked for its checksums when it has some, and damage that no row shows is found', () => {
    const summed = another(copy);
    // As the owner of a server that has stopped: checksums can't be switched on in one that crashed.
    const pg = (script: string) =>
      execFileSync('runuser', ['-u', 'postgres', '--', 'bash', '-c', script], { cwd: '/', stdio: 'ignore' });
    execFileSync('chmod', ['755', world.world]);
    const bin = globSync('/usr/lib/postgresql/*/bin').sort().at(-1);
    pg(
      `cd ${summed}/pg && rm -f postmaster.pid && ${bin}/pg_ctl -D . -w -o "-k ${summed}/pg -c listen_addresses=''" start && ${bin}/pg_ctl -D . -w stop && ${bin}/pg_checksums --enable -D .`,
    );
    assert.match(said(verify(summed, app)), /^ok: .*, nor did pg_checksums$/);
    // Room between the rows and their pointers, which no query reads.
    spoil(join(summed, 'pg', table), 8192 + 24 + 4 * 40, 4);
    assert.match(said(verify(summed, app)), /^damaged: /);
  });

  it('is not verified when its major version is not installed', () => {
    const older = another(copy);
    execFileSync('bash', ['-c', `echo 9.6 >${older}/pg/PG_VERSION`]);
    assert.match(said(verify(older, app)), /^unchecked: not verified: PostgreSQL 9\.6 is not installed/);
  });
});

describe('Redis', () => {
  const world = new VerifyHost();
  const copy = join(world.world, 'copy');
  const dumped = join(world.world, 'dumped');
  const app = { driver: 'redis', name: 'Redis 7.0.15', dataDir: '/data/redis', mounts: ['/data'] };

  before(async () => {
    const server = await new Redis(`${world.world}/server`).start();
    const dumping = await new Redis(`${world.world}/dumping`, ['--appendonly', 'no', '--save', '']).start();
    try {
      for (let n = 0; n < 20; n++) server.cli('SET', `key${n}`, 'x'.repeat(500));
      dumping.cli('SET', 'a', 'x'.repeat(5000));
      dumping.cli('SAVE');
    } finally {
      server.kill();
      dumping.kill();
    }
    cpSync(server.directory, join(copy, 'redis'), { recursive: true });
    cpSync(dumping.directory, join(dumped, 'redis'), { recursive: true });
  });
  after(() => world[Symbol.dispose]());

  const incr = (folder: string) => globSync(join(folder, 'redis/appendonlydir/*.incr.aof'))[0] as string;

  it('is verified when its append-only file, or its dump, is whole and loads', () => {
    assert.match(said(verify(copy, app)), /^ok: redis-server loaded its append-only file: 20 keys/);
    assert.match(said(verify(dumped, app)), /^ok: redis-server loaded its dump: 1 keys/);
  });

  it('is damaged when the middle of its append-only file is', () => {
    const broken = another(copy);
    // Wide enough to hit where a command begins: a value may be anything.
    spoil(incr(broken), 3000, 600);
    for (const grade of ['application', 'crash']) assert.match(said(verify(broken, app, { grade })), /^damaged: /);
  });

  it('is damaged when its last command is cut off and the set says application; after a power failure that is what is left', () => {
    const broken = another(copy);
    truncateSync(incr(broken), statSync(incr(broken)).size - 100);
    assert.match(said(verify(broken, app)), /^damaged: redis-check-aof/);
    assert.match(said(verify(broken, app, { grade: 'crash' })), /^ok: .*: 19 keys/);
  });

  it('is damaged when its dump is, or when neither is there', () => {
    const broken = another(dumped);
    spoil(join(broken, 'redis/dump.rdb'), 60, 20);
    assert.match(said(verify(broken, app)), /^damaged: redis-check-rdb dump\.rdb/);
    execFileSync('rm', [join(broken, 'redis/dump.rdb')]);
    assert.match(said(verify(broken, app)), /^damaged: there is neither/);
  });
});
