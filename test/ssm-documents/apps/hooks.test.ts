/** The user's own executables, run by the scripts as they ship. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { hookIn } from '../../../lambdas/inspect-host/hook-document.ts';
import { hookParameter, PARAMETER_PATTERNS } from '../../../lambdas/shared/contracts.ts';
import { DriverHost } from './driver-host.ts';

describe('hooks', () => {
  const host = new DriverHost();
  const folder = join(host.world, 'etc/freezeframe/hooks.d');
  const diary = join(host.world, 'diary');
  let run = 0;

  /** An executable that writes down how it was called, then does `rest`. */
  const hook = (name: string, rest = '') =>
    host.file(`etc/freezeframe/hooks.d/${name}`, `#!/bin/bash\necho "${name} $1" >>${diary}\n${rest}\n`, 0o755);
  const calls = () => (existsSync(diary) ? readFileSync(diary, 'utf8').trim().split('\n') : []);
  const OK = { code: 'ok', message: '' };
  /** What the hooks call an engine: a driver whose acts are in the diary too. */
  const ENGINE = `
    mysql_detect() { app_found mysql 'Engine 1' ''; APP_DIR[$REPLY]=/engine APP_READY[$REPLY]=1; }
    mysql_freeze() { echo 'engine freeze' >>${diary}; }
    mysql_held() { return 0; }
    mysql_thaw() { echo 'engine thaw' >>${diary}; }`;

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
    rmSync(diary, { force: true });
    host.extra = '';
  });
  after(() => host.dispose());

  const problem = async () => (await host.inspect())[0]?.problem;

  it('are no application when there is none, or none that can be executed', async () => {
    assert.deepEqual(await host.inspect(), []);
    host.file('etc/freezeframe/hooks.d/README', 'what belongs here');
    host.file('etc/freezeframe/hooks.d/10-app.rpmnew', '#!/bin/bash', 0o755);
    assert.deepEqual(await host.inspect(), []);
  });

  it('are refused when anybody but root could change one, and the file is named', async () => {
    const file = hook('10-app');
    assert.equal(await problem(), '');
    chmodSync(file, 0o775);
    assert.match((await problem()) ?? '', /hooks.d\/10-app must belong to root and be writable by nobody else/);
    chmodSync(file, 0o755);
    chownSync(file, 65534, 0);
    assert.match((await problem()) ?? '', /10-app must belong to root/);
    chownSync(file, 0, 0);
    chmodSync(folder, 0o777);
    assert.match((await problem()) ?? '', /hooks.d must belong to root/);
    chmodSync(folder, 0o755);
    symlinkSync('/bin/true', join(folder, '20-link'));
    assert.match((await problem()) ?? '', /20-link is a link/);
    const { code, message } = await host.freeze(`r${++run}`, 'hooks');
    assert.equal(code, 'ApplicationRefused');
    assert.match(message, /20-link is a link/);
    assert.deepEqual(calls(), [], 'nothing of it was run');
  });

  it('come in order before the engines, and are released in reverse after them', async () => {
    hook('20-web');
    hook('10-app');
    host.extra = ENGINE;
    assert.deepEqual(await host.freeze(`r${++run}`, 'hooks,mysql'), OK);
    assert.deepEqual(calls(), ['10-app freeze', '20-web freeze', 'engine freeze']);
    const receipt = await host.thaw(`r${run}`);
    const [, , , ...rest] = calls();
    assert.deepEqual(
      rest.filter((call) => !call.endsWith('held')),
      ['engine thaw', '20-web thaw', '10-app thaw'],
    );
    assert.deepEqual(
      receipt.apps.map(({ driver, held }) => [driver, held]),
      [
        ['hooks', true],
        ['mysql', true],
      ],
    );
    assert.match(receipt.apps[0]?.name ?? '', /^hooks 10-app 20-web$/);
    assert.ok(receipt.stalledAt !== null && receipt.stalledAt <= (receipt.apps[0]?.lockedAt ?? 0));
    assert.ok(await host.becomesClear());
  });

  it('see nothing of the environment but path, run and a directory for their state that lasts until the thaw', async () => {
    hook(
      '10-app',
      `[ $1 != freeze ] || { env | cut -d = -f 1 | sort >${diary}; touch "$FREEZEFRAME_RUNDIR/mine"; }
      [ $1 != thaw ] || [[ -e "$FREEZEFRAME_RUNDIR/mine" && "$FREEZEFRAME_THAWED_BY" == asked ]]`,
    );
    assert.deepEqual(await host.freeze(`r${++run}`, 'hooks'), OK);
    const names = calls().filter((name) => !['PWD', 'SHLVL', '_'].includes(name));
    assert.deepEqual(names, ['FREEZEFRAME_RUN', 'FREEZEFRAME_RUNDIR', 'FREEZEFRAME_THAWED_BY', 'PATH']);
    assert.deepEqual((await host.thaw(`r${run}`)).notes, [], 'thaw found its state, and that there is a set');
  });

  it('that refuse end the freeze; every one that was begun is thawed, no other', async () => {
    hook('10-app');
    hook('20-web', `[ $1 != freeze ] || { echo 'the queue is stuck'; exit 3; }`);
    hook('30-late');
    host.extra = ENGINE;
    const { code, message } = await host.freeze(`r${++run}`, 'hooks,mysql');
    assert.equal(code, 'ApplicationRefused');
    assert.match(message, /20-web refused to freeze \(exit status 3\): the queue is stuck/);
    assert.ok(await host.becomesClear());
    assert.deepEqual(calls(), ['10-app freeze', '20-web freeze', '20-web thaw', '10-app thaw']);
  });

  it('that hang are killed with all that they have started, and thawed', async () => {
    hook('10-app', `[ $1 != freeze ] || { sleep 987654 & sleep 987654; }`);
    const { code, message } = await host.freeze(`r${++run}`, 'hooks', { within: 2 });
    assert.equal(code, 'LockTimeout');
    assert.match(message, /10-app did not end its freeze in time .* and was killed/);
    assert.ok(await host.becomesClear());
    assert.deepEqual(host.processes('sleep 987654'), []);
    assert.deepEqual(calls(), ['10-app freeze', '10-app thaw']);
  });

  it('that say that they no longer hold are believed, and a failed thaw hinders no other', async () => {
    hook('10-app');
    hook('20-web', `[ $1 != held ] || exit 1; [ $1 != thaw ] || { echo 'no such queue'; exit 1; }`);
    assert.deepEqual(await host.freeze(`r${++run}`, 'hooks'), OK);
    const receipt = await host.thaw(`r${run}`);
    assert.equal(receipt.apps[0]?.held, false);
    assert.match(receipt.notes.join(), /20-web failed to thaw \(exit status 1\): no such queue/);
    assert.ok(calls().includes('10-app thaw'));
  });

  it('like the one of the guide pause an application, tell when it goes on, and leave a foreign pause alone', async () => {
    const guide = readFileSync(new URL('../../../ssm-documents/README.md', import.meta.url), 'utf8');
    const [, shown = ''] = /hooks\.d\/50-shop`:\n```\n(#!\/bin\/bash\n[\s\S]*?)```/.exec(guide) ?? [];
    const state = host.file('shop-state', 'running\n');
    const control = `#!/bin/bash\ncase $1 in state) cat ${state} ;; pause) echo paused ;; resume) echo running ;; esac`;
    const shop = host.file('shop-ctl', `${control} | { [ $1 = state ] && cat || cat >${state}; }\n`, 0o755);
    host.file('etc/freezeframe/hooks.d/50-shop', shown.replaceAll('shop-ctl', shop), 0o755);
    const now = () => readFileSync(state, 'utf8').trim();

    assert.deepEqual(await host.freeze(`r${++run}`, 'hooks'), OK);
    assert.equal(now(), 'paused');
    assert.equal((await host.thaw(`r${run}`)).apps[0]?.held, true);
    assert.equal(now(), 'running');

    assert.deepEqual(await host.freeze(`r${++run}`, 'hooks'), OK);
    host.file('shop-state', 'running\n');
    assert.equal((await host.thaw(`r${run}`)).apps[0]?.held, false);

    host.file('shop-state', 'paused\n');
    const { code, message } = await host.freeze(`r${++run}`, 'hooks');
    assert.deepEqual(
      [code, /50-shop refused .*: shop is paused$/.test(message)],
      ['ApplicationRefused', true],
      message,
    );
    assert.ok(await host.becomesClear());
    assert.equal(now(), 'paused');
  });

  it('are thawed when the holder dies', async () => {
    hook('10-app');
    assert.deepEqual(await host.freeze(`r${++run}`, 'hooks'), OK);
    host.killHolder();
    assert.ok(await host.becomesClear());
    assert.ok(calls().includes('10-app thaw'));
  });

  describe('carried from a document', () => {
    /** The parameter as *Inspect host* makes it of a script that writes down how it was called, then does `rest`. */
    const carried = (rest = '', shebang = '#!/bin/bash') =>
      `Shop-Quiet:${Buffer.from(`${shebang}\necho "document {{ command }}" >>${diary}\n${rest}`).toString('base64')}`;
    const files = () => readdirSync(join(host.world, 'run/active')).filter((name) => name.startsWith('document:'));

    it('pass the pattern of the parameter', () => assert.match(carried(), new RegExp(PARAMETER_PATTERNS.Hook)));

    it('are one hook more, of which Inspect tells and leaves nothing on the host', async () => {
      hook('10-app');
      const [app] = await host.inspect('auto', carried());
      assert.deepEqual([app?.name, app?.ready], ['hooks 10-app document:Shop-Quiet', true]);
      assert.deepEqual(calls(), []);
      assert.ok(!existsSync(join(host.world, 'run/active')));
    });

    it('need no directory of hooks on the host', async () => {
      assert.deepEqual(await host.freeze(`r${++run}`, 'hooks', { hook: carried() }), OK);
      const receipt = await host.thaw(`r${run}`);
      assert.deepEqual(calls(), ['document freeze', 'document held', 'document thaw']);
      assert.equal(receipt.apps[0]?.held, true);
      assert.deepEqual(receipt.notes, []);
      assert.ok(await host.becomesClear());
    });

    it('come after those of the host and before the engines, and are released in reverse', async () => {
      hook('20-web');
      host.extra = ENGINE;
      assert.deepEqual(await host.freeze(`r${++run}`, 'hooks,mysql', { hook: carried() }), OK);
      await host.thaw(`r${run}`);
      assert.deepEqual(
        calls().filter((call) => !call.endsWith('held')),
        ['20-web freeze', 'document freeze', 'engine freeze', 'engine thaw', 'document thaw', '20-web thaw'],
      );
    });

    it('lie in /run while the host is frozen, readable by root alone, and are gone with the freeze', async () => {
      assert.deepEqual(await host.freeze(`r${++run}`, 'hooks', { hook: carried() }), OK);
      assert.equal(files().length, 3);
      for (const name of files()) assert.equal(statSync(join(host.world, 'run/active', name)).mode & 0o777, 0o600);
      await host.thaw(`r${run}`);
      assert.ok(await host.becomesClear());
    });

    it('get the word where the agent would put it, quoted or not, and nowhere else', async () => {
      const rest = `case '{{ command }}' in freeze) ;; held) [ {{ command }} = held ] ;; thaw) echo '{{.State}}' >>${diary} ;; *) exit 9 ;; esac`;
      assert.deepEqual(await host.freeze(`r${++run}`, 'hooks', { hook: carried(rest) }), OK);
      assert.equal((await host.thaw(`r${run}`)).apps[0]?.held, true);
      assert.equal(calls().at(-1), '{{.State}}');
    });

    it('are run by their interpreter, by sh without one', async () => {
      const shell = `readlink /proc/$$/exe >>${diary}`;
      for (const shebang of ['#!/bin/bash', '#!/usr/bin/env bash']) {
        assert.deepEqual(await host.freeze(`r${++run}`, 'hooks', { hook: carried(shell, shebang) }), OK);
        await host.thaw(`r${run}`);
        assert.match(calls()[1] ?? '', /bash$/);
        rmSync(diary);
      }
      assert.deepEqual(await host.freeze(`r${++run}`, 'hooks', { hook: carried(shell, ': no shebang') }), OK);
      await host.thaw(`r${run}`);
      assert.equal(calls()[1], realpathSync('/bin/sh'));
    });

    it('that refuse end the freeze and are thawed', async () => {
      const rest = `[ {{ command }} != freeze ] || { echo 'the queue is stuck'; exit 3; }`;
      const { code, message } = await host.freeze(`r${++run}`, 'hooks', { hook: carried(rest) });
      assert.equal(code, 'ApplicationRefused');
      assert.match(message, /document:Shop-Quiet refused to freeze \(exit status 3\): the queue is stuck/);
      assert.ok(await host.becomesClear());
      assert.deepEqual(calls(), ['document freeze', 'document thaw']);
    });

    it('that no longer hold are not called held', async () => {
      const hookThatLost = carried('[ {{ command }} != held ]');
      assert.deepEqual(await host.freeze(`r${++run}`, 'hooks', { hook: hookThatLost }), OK);
      assert.equal((await host.thaw(`r${run}`)).apps[0]?.held, false);
    });

    it('are thawed by the watchdog when the holder dies', async () => {
      assert.deepEqual(await host.freeze(`r${++run}`, 'hooks', { hook: carried() }), OK);
      host.killHolder();
      assert.equal((await host.receipt(`r${run}`)).thawedBy, 'watchdog');
      assert.ok(calls().includes('document thaw'));
      assert.ok(await host.becomesClear());
    });

    it('are thawed by the watchdog when holder and keepers die at once', async () => {
      assert.deepEqual(await host.freeze(`r${++run}`, 'hooks', { hook: carried() }), OK);
      for (const pid of host.processes(`${host.world}/run/active/script holder`)) process.kill(pid, 'SIGKILL');
      assert.ok(await host.becomesClear());
      assert.ok(calls().includes('document thaw'));
    });

    it('are those that Inspect saw, or nothing is frozen', async () => {
      host.extra = 'topology_hash() { shipped_topology_hash; }';
      const { topologyHash } = await host.topology('auto', carried());
      for (const changed of [carried('true'), 'none']) {
        const { code } = await host.freeze(`r${++run}`, 'hooks', { hook: changed, topology: topologyHash });
        assert.equal(code, 'TopologyChanged');
      }
      assert.deepEqual(calls(), []);
      assert.deepEqual(await host.freeze(`r${++run}`, 'hooks', { hook: carried(), topology: topologyHash }), OK);
      await host.thaw(`r${run}`);
    });

    it('like the one of the guide are accepted, pause an application, and let it go on', async () => {
      const guide = readFileSync(new URL('../../../ssm-documents/README.md', import.meta.url), 'utf8');
      const [, shown = ''] = /## A hook in an SSM document[\s\S]*?```\n({[\s\S]*?\n})\n```/.exec(guide) ?? [];
      const state = host.file('shop-state', 'running\n');
      const shop = host.file(
        'shop-ctl',
        `#!/bin/bash\ncase $1 in state) cat ${state} ;; pause) echo paused >${state} ;; resume) echo running >${state} ;; esac\n`,
        0o755,
      );
      const content = shown.replaceAll('shop-ctl', shop);
      const found = hookIn('Shop-Quiet', { version: '1', type: 'Command', status: 'Active', content });
      const guided = hookParameter(found).Hook ?? '';
      assert.deepEqual(await host.freeze(`r${++run}`, 'hooks', { hook: guided }), OK);
      assert.equal(readFileSync(state, 'utf8'), 'paused\n');
      assert.equal((await host.thaw(`r${run}`)).apps[0]?.held, true);
      assert.equal(readFileSync(state, 'utf8'), 'running\n');
    });

    it('are not run where a hook of the host could be changed by others', async () => {
      hook('10-app');
      chmodSync(folder, 0o777);
      const { code, message } = await host.freeze(`r${++run}`, 'hooks', { hook: carried() });
      assert.deepEqual([code, /must belong to root/.test(message)], ['ApplicationRefused', true]);
      assert.deepEqual(calls(), []);
    });
  });
});
