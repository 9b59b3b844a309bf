import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { grade } from '../../../lambdas/grade/grade.ts';
import * as builders from '../../lambdas/builders.ts';
import { type Engine, type Outcome, StandIn } from './stand-in.ts';

export interface Expected {
  /** What detection finds when all is well. */
  readonly name: RegExp;
  readonly stopsWrites: boolean;
  /** An engine without a lock is not asked for one. */
  readonly locks: boolean;
  readonly position?: string;
  /** Several may hold it at a time, so nobody's is in the way. @default false */
  readonly sharesLock?: boolean;
  /** Bash that plays the server's death, where it takes more than its lock with it. */
  readonly dies?: string;
  /** What a server that is not up is found as; by default one that is not ready. */
  readonly problemWhenDown?: RegExp;
}

/**
 * What every driver owes, against the stand-in of its engine: {client missing, login refused, server down, lock never
 * granted, server dies while frozen, lock lost} end in a clear error or an honest `held`, and nothing stays locked.
 */
export function keepsItsWord(engine: Engine, expected: Expected): void {
  const scenario = async (
    steps: string,
    { before = () => {}, within }: { before?: (server: StandIn) => void; within?: number } = {},
  ): Promise<[Outcome, StandIn]> => {
    const server = new StandIn(engine);
    before(server);
    const outcome = await server.run(steps, within ? { within } : {});
    assert.equal(server.server('leaked'), '', 'no secret is among the words of a command');
    return [outcome, server];
  };
  /** What the set of such a run is worth, when all that is not the driver's went well. */
  const worth = ({ apps: [app], held: [held] }: Outcome) => {
    const whole = builders.receipt();
    const { driver } = engine;
    const found = { ...builders.mariadb, ...app, driver };
    const lock = {
      ...(whole.apps[0] as (typeof whole.apps)[number]),
      driver,
      dataDir: found.dataDir,
      held: held === 'true',
    };
    const run = { topology: builders.topology({ apps: [found] }), apps: [driver] };
    const receipt = { ...whole, apps: held === undefined ? [] : [lock] };
    return grade(builders.gradeInput(run, receipt), builders.takenSet()).grade;
  };
  const dies = expected.dies ?? 'touch $S/down; rm -f $S/locks';

  describe(`${engine.driver} against the stand-in of its client`, { concurrency: 2 }, () => {
    it('a server whose client is missing is named, not quieted', async () => {
      const [outcome, server] = await scenario('', { before: (each) => each.removeClient() });
      using _ = server;
      const { apps } = outcome;
      assert.deepEqual([apps[0]?.ready, worth(outcome)], [false, 'filesystem']);
      assert.match(apps[0]?.problem ?? '', /not installed|missing|not found|lists no instance/);
    });

    it('a refused login is told before any freeze, with what to do', async () => {
      const [outcome, server] = await scenario('', { before: (each) => refuse(each) });
      using _ = server;
      const { apps } = outcome;
      assert.deepEqual([apps[0]?.ready, worth(outcome)], [false, 'filesystem']);
      assert.ok((apps[0]?.problem ?? '').length > 20, apps[0]?.problem);
    });

    it('a server that is down is not ready', async () => {
      const [outcome, server] = await scenario('', { before: (each) => each.set('down') });
      using _ = server;
      const { apps } = outcome;
      assert.deepEqual([apps[0]?.ready, worth(outcome)], [false, 'filesystem']);
      if (expected.problemWhenDown) assert.match(apps[0]?.problem ?? '', expected.problemWhenDown);
    });

    it('a server that goes down before the freeze refuses it at once', async () => {
      const [{ frozen }, server] = await scenario('touch $S/down; freeze; release error');
      using _ = server;
      assert.match(frozen, /^ApplicationRefused: ./);
      assert.equal(server.locks, 0);
    });

    it('is ready, says what its lock is worth, and holds until the thaw', async () => {
      const [outcome, server] = await scenario('freeze; cp $S/locks $S/seen 2>/dev/null || true; release asked');
      using _ = server;
      const { apps, frozen, held, positions, stderr } = outcome;
      const [app] = apps;
      assert.deepEqual([app?.ready, app?.problem], [true, '']);
      assert.match(app?.name ?? '', expected.name);
      assert.deepEqual([app?.provable, app?.stopsWrites], [expected.locks, expected.stopsWrites]);
      assert.equal(app?.dataDir, `${server.world}/data`);
      assert.equal(frozen, 'frozen', stderr);
      assert.deepEqual(held, ['true'], stderr);
      if (expected.locks) assert.equal(server.server('seen'), '1');
      if (expected.position) assert.deepEqual(positions, [expected.position]);
      assert.equal(server.locks, 0);
      assert.equal(worth(outcome), expected.locks ? 'application' : 'filesystem');
    });

    it('a lock that is never granted ends in LockTimeout, and none comes later', async () => {
      const [{ frozen }, server] = await scenario('touch $S/stuck; freeze; release error; rm $S/stuck; sleep 0.2', {
        within: 2,
      });
      using _ = server;
      assert.match(frozen, /^LockTimeout: ./);
      assert.deepEqual([server.locks, server.server('waiting')], [0, '']);
    });

    if (!expected.locks) return;

    it('a server that dies while frozen is not called held', async () => {
      const [outcome, server] = await scenario(`freeze; ${dies}; release asked`);
      using _ = server;
      assert.equal(outcome.frozen, 'frozen');
      assert.deepEqual([outcome.held, worth(outcome)], [['false'], 'filesystem']);
    });

    it('a lock that somebody else released is not called held', async () => {
      const [outcome, server] = await scenario('freeze; rm $S/locks; release asked');
      using _ = server;
      assert.deepEqual([outcome.held, worth(outcome)], [['false'], 'filesystem']);
      assert.ok(outcome.notes.some((note) => note.includes('lost its lock')));
      assert.equal(server.locks, 0);
    });

    it('the lock of a keeper that died is taken back', async () => {
      // A server takes a moment to notice that a client has died.
      const gone = 'for n in {1..60}; do [ -e $S/locks ] || break; sleep 0.05; done';
      const [{ held }, server] = await scenario(`freeze; kill_keeper; release rescue; ${gone}`, {
        before: (each) => each.set('outlives'),
      });
      using _ = server;
      assert.deepEqual(held, ['false']);
      assert.equal(server.locks, 0);
    });

    if (expected.sharesLock) return;

    it("somebody else's lock is refused, before and at the freeze, and left alone", async () => {
      const [{ apps }, early] = await scenario('', { before: (each) => each.set('foreign', '1') });
      using _early = early;
      assert.equal(apps[0]?.ready, false);
      assert.match(apps[0]?.problem ?? '', /somebody else/);
      const [{ frozen }, server] = await scenario('echo 1 >$S/foreign; freeze; release error');
      using _ = server;
      assert.match(frozen, /^ApplicationRefused: ./);
      assert.deepEqual([server.server('foreign'), server.locks], ['1', 0]);
    });
  });
}

/** The server wants a login that nobody has put on the host. */
export function refuse(server: StandIn): void {
  server.set('refuse');
}
