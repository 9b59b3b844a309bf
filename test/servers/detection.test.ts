/** Which servers a host has, where their files lie, and which of them are out of reach. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DriverHost } from '../ssm-documents/apps/driver-host.ts';
import { PostgreSql, Redis } from './engines.ts';

describe('detection', () => {
  const host = new DriverHost();
  const endings: (() => void)[] = [];
  after(() => {
    for (const end of endings) end();
    host.dispose();
  });

  /** A program of that name, at work in a directory. */
  const program = (name: string, directory: string, script: string, wrap: string[] = []) => {
    const file = join(host.world, name);
    copyFileSync('/bin/bash', file);
    mkdirSync(directory, { recursive: true });
    const child = spawn(wrap[0] ?? file, wrap.length ? [...wrap.slice(1), file, '-c', script] : ['-c', script], {
      cwd: directory,
      stdio: 'ignore',
      detached: true,
    });
    endings.push(() => child.pid && process.kill(-child.pid, 'SIGKILL'));
  };
  /** Of servers that see other directories than this host: those that have the host's own in their words. */
  const byWords = `pids_of() { shipped_pids_of "$@"; local pid found=()
    for pid in \${PIDS[@]+"\${PIDS[@]}"}; do if grep -qsaF "$WORLD" "/proc/$pid/cmdline"; then found+=("$pid"); fi; done
    PIDS=(\${found[@]+"\${found[@]}"}); }`;
  const found = async (driver: string) => (await host.inspect()).filter((app) => app.driver === driver);
  const appears = async (driver: string, count = 1) => {
    for (let tries = 0; tries < 60; tries++, await sleep(100)) {
      const apps = await found(driver);
      if (apps.length === count) return apps;
    }
    throw new Error(`${driver}: ${JSON.stringify(await host.inspect())}`);
  };

  it('tells two clusters and their tablespaces apart, and quiets both', async () => {
    const first = new PostgreSql(`${host.world}/first`).make();
    const second = new PostgreSql(`${host.world}/second`).make(first);
    endings.push(
      () => first.stop(),
      () => second.stop(),
    );
    await Promise.all([first.start(), second.start()]);
    const apps = await appears('postgresql', 2);
    assert.deepEqual(apps.map(({ dataDir }) => dataDir).sort(), [
      `${first.directory}/data`,
      `${second.directory}/data`,
    ]);
    assert.ok(apps.every(({ ready }) => ready));
    // Another disk than the data directory's: a tmpfs that is no part of it.
    const tablespace = mkdtempSync('/dev/shm/freezeframe-');
    endings.push(() => rmSync(tablespace, { recursive: true }));
    symlinkSync(tablespace, `${first.directory}/data/pg_tblspc/4711`);
    const [changed] = (await found('postgresql')).filter(({ dataDir }) => dataDir === `${first.directory}/data`);
    assert.ok(changed?.mounts.includes('/dev/shm'), JSON.stringify(changed));
    rmSync(`${first.directory}/data/pg_tblspc/4711`);

    assert.deepEqual(await host.freeze('r1', 'postgresql'), { code: 'ok', message: '' });
    const receipt = await host.thaw('r1');
    assert.deepEqual(
      receipt.apps.map(({ held }) => held),
      [true, true],
    );
  });

  it('names a server in a container, with the mounts of this host under its files, and does not call it quiet', async () => {
    // What the container calls /data is a directory of ours.
    const data = join(host.world, 'volume');
    mkdirSync(data);
    const inside = mkdtempSync(join(tmpdir(), 'freezeframe-inside-'));
    endings.push(() => rmSync(inside, { recursive: true, force: true }));
    const script = `mount --bind ${data} ${inside} && cd ${inside} && exec ${host.world}/mysqld -c 'while :; do sleep 1; done'`;
    host.extra = byWords;
    program('mysqld', data, script, ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc']);
    await sleep(300);
    const apps = (await appears('mysql')).map(({ dataDir, ready, problem }) => ({ dataDir, ready, problem }));
    host.extra = '';
    assert.equal(apps[0]?.dataDir, data, 'as this host calls it');
    assert.equal(apps[0]?.ready, false);
    assert.match(apps[0]?.problem ?? '', /runs in a container.*hooks.d.*freezeframe:apps/);
  });

  it('knows a container that shares the processes of the host by its root directory', async () => {
    const data = join(host.world, 'shared-volume');
    const inside = mkdtempSync(join(tmpdir(), 'freezeframe-inside-'));
    endings.push(() => rmSync(inside, { recursive: true, force: true }));
    // As `docker run --pid=host` has it: a root of its own, and what it calls /data is a directory of ours.
    const script = `mount -t tmpfs none ${inside} && cd ${inside} && mkdir usr data old && mount --rbind /usr usr &&
      cp -P /bin /lib /lib64 . && mount --bind ${data} data && cp ${host.world}/redis-server . &&
      pivot_root . old && exec /bin/sh -c "umount -l /old; cd /data && exec /redis-server -c 'while :; do sleep 1; done' ${host.world}"`;
    host.extra = byWords;
    program('redis-server', data, script, ['unshare', '--mount']);
    const apps = await appears('redis');
    host.extra = '';
    assert.deepEqual([apps[0]?.dataDir, apps[0]?.ready], [data, false]);
    assert.match(apps[0]?.problem ?? '', /runs in a container/);
  });

  it('names etcd, which can not be quieted, and says what backs it up', async () => {
    const directory = join(host.world, 'etcd-data');
    program('etcd', join(directory, 'member/snap'), 'exec 9>db; while :; do sleep 1; done');
    const [app] = await appears('etcd');
    for (let tries = 0; tries < 20 && (await found('etcd'))[0]?.dataDir === ''; tries++) await sleep(100);
    assert.equal((await found('etcd'))[0]?.dataDir, directory);
    assert.deepEqual([app?.ready, app?.provable], [false, false]);
    assert.match(app?.problem ?? '', /etcdctl snapshot save/);
  });

  it('tells two servers of Redis apart, one of them on a socket alone', async () => {
    const first = await new Redis(`${host.world}/redis-1`).start();
    endings.push(() => first.kill());
    mkdirSync(`${host.world}/redis-2`);
    const second = spawn(
      'redis-server',
      [
        '--port',
        '0',
        '--unixsocket',
        `${host.world}/redis-2/s`,
        '--dir',
        `${host.world}/redis-2`,
        '--appendonly',
        'yes',
      ],
      { stdio: 'ignore', cwd: `${host.world}/redis-2` },
    );
    endings.push(() => second.kill('SIGKILL'));
    const apps = await appears('redis', 2);
    assert.deepEqual(
      apps.map(({ ready, problem }) => [ready, problem]),
      [
        [true, ''],
        [true, ''],
      ],
    );
    assert.deepEqual(await host.freeze('r2', 'redis,postgresql'), { code: 'ok', message: '' });
    assert.deepEqual(
      (await host.thaw('r2')).apps.map(({ held }) => held),
      [true, true, true, true],
    );
  });
});
