/** One freeze after another, and one host beside another: what is meant for one run never reaches the next. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
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

  it('hosts under test that share this machine do not end each other’s runs of the same name', async () => {
    const [one, other] = [aHost(), aHost()];
    assert.deepEqual(await Promise.all([one, other].map((host) => host.freeze('r1', 'mysql'))), [OK, OK]);
    one.killHolder();
    assert.equal((await one.receipt('r1')).thawedBy, 'watchdog');
    assert.equal((await other.thaw('r1')).thawedBy, 'asked');
  });
});
