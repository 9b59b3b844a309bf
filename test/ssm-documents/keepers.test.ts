/** How applications are quieted and released together: side by side, within one budget. */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { DriverHost } from './apps/driver-host.ts';

describe('several applications', () => {
  const host = new DriverHost();
  after(() => host.dispose());
  const OK = { code: 'ok', message: '' };

  /** Engines that take so many seconds to be quieted and to be released, by their drivers' names. */
  const slow = (engines: Record<string, { freeze?: number; held?: number; thaw?: number }>): void => {
    host.extra = Object.entries(engines)
      .map(
        ([driver, { freeze = 0, held = 0, thaw = 0 }]) => `
        ${driver}_detect() { app_found ${driver} 'Engine ${driver}' ''; APP_DIR[$REPLY]=/${driver} APP_READY[$REPLY]=1; }
        ${driver}_freeze() { mark_stalled; sleep ${freeze}; }
        ${driver}_held() { sleep ${held}; }
        ${driver}_thaw() { sleep ${thaw}; echo ${driver} >>"$WORLD/thawed"; }
        ${driver}_take_back() { echo ${driver} >>"$WORLD/thawed"; }`,
      )
      .join('\n');
  };

  it('are quieted and released in the time of the slowest, not of all together', async () => {
    slow({
      mysql: { freeze: 1.5, held: 0.5, thaw: 0.5 },
      redis: { freeze: 1.5, thaw: 1 },
      db2: { freeze: 1.5, thaw: 1 },
    });
    assert.deepEqual(await host.freeze('r1', 'mysql,redis,db2'), OK);
    const { apps, stalledAt, frozenAt, thawAskedAt, releasedAt } = await host.thaw('r1');
    assert.deepEqual(
      apps.map(({ held }) => held),
      [true, true, true],
    );
    // Boot clock of the host: no time of the test itself is in it.
    const quieting = (frozenAt ?? 0) - (stalledAt ?? 0);
    const releasing = (releasedAt ?? 0) - (thawAskedAt ?? 0);
    assert.ok(quieting >= 1.4 && quieting < 3, `${quieting} s for three of 1.5 s`);
    assert.ok(releasing >= 0.9 && releasing < 2, `${releasing} s for three of 1 s`);
  });

  it('have one budget: who is not quiet when it is over ends the freeze of all, and all are released', async () => {
    slow({ mysql: { freeze: 0 }, redis: { freeze: 60 } });
    const { code, message } = await host.freeze('r2', 'mysql,redis', { within: 2 });
    assert.deepEqual([code, message], ['LockTimeout', 'Engine redis did not grant its lock in time']);
    const { apps, stalledAt, releasedAt } = await host.receipt('r2');
    assert.ok(apps.every((app) => app.releasedAt !== null));
    // The one that hangs is waited for no longer than its keeper's patience.
    assert.ok((releasedAt ?? 0) - (stalledAt ?? 0) < 8);
    assert.ok(await host.becomesClear());
  });

  it('are released though one of them hangs in its release, which is taken back for it', async () => {
    slow({ mysql: { thaw: 60 }, redis: {} });
    assert.deepEqual(await host.freeze('r3', 'mysql,redis'), OK);
    const { apps } = await host.thaw('r3');
    const [hung, other] = apps.map(({ releasedAt }) => releasedAt ?? 0) as [number, number];
    assert.ok(other < hung - 2, 'nobody waits for the one that hangs');
    assert.ok(await host.becomesClear());
  });
});
