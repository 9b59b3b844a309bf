/** One freeze after another, and one host beside another: what is meant for one run never reaches the next. */
import assert from 'node:assert/strict';
import { appendFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { DriverHost } from './apps/driver-host.ts';

const OK = { code: 'ok', message: '' };
const ENGINE = `mysql_detect() { app_found mysql Engine ''; APP_DIR[$REPLY]=/mysql APP_READY[$REPLY]=1; }
  mysql_freeze() { mark_stalled; }
  mysql_held() { :; }
  mysql_thaw() { :; }`;

describe('one freeze and the next', () => {
  const hosts: DriverHost[] = [];
  const aHost = (extra = '') => {
    const host = new DriverHost();
    host.extra = `${ENGINE}\n${extra}`;
    hosts.push(host);
    return host;
  };
  after(() => {
    for (const host of hosts) host.dispose();
  });

  it('a thaw meant for another run, which comes late, is not heard', async () => {
    const host = aHost();
    assert.deepEqual(await host.freeze('r1', 'mysql'), OK);
    appendFileSync(join(host.world, 'run/active/control'), 'asked r0\nasked\n');
    await sleep(1_000);
    const { thawedBy, thawAskedAt, frozenAt } = await host.thaw('r1');
    assert.equal(thawedBy, 'asked');
    assert.ok((thawAskedAt ?? 0) > (frozenAt ?? 0) + 0.9, `asked at ${thawAskedAt}, frozen at ${frozenAt}`);
  });

  it('a freeze that is killed while it clears another one away holds up nobody', async () => {
    // SSM cancels by SIGKILL to the process group: half of the directory is gone by then.
    const host = aHost(`rm() {
      if [[ $1 == -rf && -d $2/keeper-0.in || -p $2/keeper-0.in ]]; then command rm -f "$2/run" "$2/script"; kill -9 "$BASHPID"; fi
      command rm "$@"
    }`);
    assert.deepEqual(await host.freeze('r1', 'mysql'), OK);
    for (const pid of host.processes(`${host.world}/run/active/script`)) process.kill(pid, 'SIGKILL');
    assert.equal((await host.thaw('r1')).thawedBy, 'watchdog');
    host.extra = ENGINE;
    assert.deepEqual(await host.freeze('r2', 'mysql'), OK);
    assert.equal((await host.thaw('r2')).thawedBy, 'asked');
    assert.ok(await host.becomesClear());
    assert.deepEqual(readdirSync(join(host.world, 'run')).sort(), [
      'answers',
      'lock',
      'receipts',
      'thaw',
      'tombstones',
    ]);
  });

  it('a holder that a busy host starts late is waited for as long as it may still freeze', async () => {
    // The boot clock runs ten times as fast, and the holder comes after 11 s of it.
    const host = aHost(`eval "true_$(declare -f now_cs)"
      now_cs() { true_now_cs; REPLY=$((REPLY * 10)); }
      eval "true_$(declare -f start_role)"
      start_role() { if [ "$1" = holder ]; then sleep 1.1; fi; true_start_role "$1"; }`);
    assert.deepEqual(await host.freeze('r1', 'mysql', { lease: 99, within: 80 }), OK);
    assert.equal((await host.thaw('r1')).thawedBy, 'asked');
  });

  it('hosts under test that share this machine do not end each other’s runs of the same name', async () => {
    const [one, other] = [aHost(), aHost()];
    assert.deepEqual(await Promise.all([one, other].map((host) => host.freeze('r1', 'mysql'))), [OK, OK]);
    one.killHolder();
    assert.equal((await one.receipt('r1')).thawedBy, 'watchdog');
    assert.equal((await other.thaw('r1')).thawedBy, 'asked');
  });

  it('the last words of a client that has ended are heard', async () => {
    const host = aHost(`mysql_freeze() {
      local n
      mark_stalled
      kill() {
        if [ "$1 $2" = "-0 \${CLIENT_PID[0]:-}" ]; then wait "$2" || true; fi
        builtin kill "$@"
      }
      client_open 0 bash -c 'read -r _; sleep 0.3; echo "its last words"'
      client_turn
      client_ask 0 5 question || app_refuses "$1" ": $REPLY"
    }`);
    const { code, message } = await host.freeze('r1', 'mysql');
    assert.deepEqual([code, message], ['ApplicationRefused', 'Engine: the client has ended; it said: its last words']);
  });
});
