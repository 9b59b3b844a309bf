/**
 * The host protocol as it ships (holder, watchdog, thaw), under random histories: freezes, thaws, expiry, kills, other
 * people's freezes, a command cancelled at any moment. What it must never do is the same after each step; what it should
 * answer is said by a model of a few lines.
 */
import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { StubHost } from './stub-host.ts';

const LEASE_SECONDS = 4;
/** The watchdog gives an orderly holder a second; the rest is for a busy machine. */
const GRACE_MS = 2_000 + 3_000;

/** What the host should be doing, as far as it is known. */
interface Model {
  thawed: Set<string>;
  /** The run that holds the host; its lease may end it at any time from `leaseOver` on. */
  holds: { run: string; leaseOver: number; watched: boolean; held: boolean } | undefined;
  foreign: Set<string>;
}

type Command = fc.AsyncCommand<Model, StubHost>;

const expired = ({ holds }: Model): boolean => holds !== undefined && Date.now() >= holds.leaseOver - 500;

class Freeze implements Command {
  readonly run_: string;
  constructor(run: string) {
    this.run_ = run;
  }
  check = () => true;
  async run(model: Model, host: StubHost): Promise<void> {
    // Whether it is just being released by its lease is nobody's to know.
    if (expired(model)) await released(model, host);
    const answer = await host.freeze(this.run_, { lease: LEASE_SECONDS });
    if (model.thawed.has(this.run_)) assert.equal(answer, 'AlreadyThawed');
    else if (model.holds && !model.holds.held && !model.holds.watched)
      assert.equal(answer, 'ok', 'the dead hold nobody up');
    else if (model.holds) assert.ok(['Busy', ...(expired(model) ? ['ok'] : [])].includes(answer), answer);
    else if (model.foreign.size > 0) assert.equal(answer, 'AlreadyFrozen');
    else assert.equal(answer, 'ok');
    if (answer === 'ok') {
      if (model.holds) model.thawed.add(model.holds.run);
      model.holds = { run: this.run_, leaseOver: Date.now() + LEASE_SECONDS * 1000, watched: true, held: true };
      assert.deepEqual(host.frozen, { inner: this.run_, outer: this.run_ });
      assert.ok(host.locked);
    }
    if (answer === 'AlreadyFrozen') {
      model.thawed.add(this.run_);
      assert.ok(await host.becomesClear(GRACE_MS), 'a freeze that failed half-way is released at once');
    }
    stillForeign(model, host);
  }
  toString = () => `freeze ${this.run_}`;
}

class Thaw implements Command {
  readonly run_: string;
  constructor(run: string) {
    this.run_ = run;
  }
  check = () => true;
  async run(model: Model, host: StubHost): Promise<void> {
    assert.equal(await host.thaw(this.run_), 'ok');
    model.thawed.add(this.run_);
    if (model.holds?.run === this.run_) {
      assert.ok(await host.becomesClear(GRACE_MS));
      const receipt = host.receipt(this.run_);
      assert.ok(receipt?.thawedBy, 'every freeze leaves a receipt');
      if (!model.holds.held) assert.notEqual(receipt.thawedBy, 'asked', 'a dead holder can prove nothing');
      if (receipt.thawedBy === 'asked') assert.ok(receipt.filesystems.every(({ foundFrozen }) => foundFrozen));
      model.holds = undefined;
    }
    stillForeign(model, host);
  }
  toString = () => `thaw ${this.run_}`;
}

class KillHolder implements Command {
  check = ({ holds }: Model) => holds?.held === true;
  async run(model: Model, host: StubHost): Promise<void> {
    if (!host.kill('holder') || !model.holds) return;
    model.holds.held = false;
    if (model.holds.watched) await released(model, host);
  }
  toString = () => 'kill -9 of the holder';
}

/** As systemd stops the unit: every process of it is told to end, at once. The holder itself lets go, and says so. */
class StopHolder implements Command {
  check = ({ holds }: Model) => holds?.held === true;
  async run(model: Model, host: StubHost): Promise<void> {
    if (!model.holds || expired(model)) return;
    const { run } = model.holds;
    host.kill('keeper', 'SIGTERM');
    if (!host.kill('holder', 'SIGTERM')) return;
    await released(model, host);
    assert.ok(
      ['error', 'lease'].includes(host.receipt(run)?.thawedBy ?? ''),
      `thawed by ${host.receipt(run)?.thawedBy}`,
    );
  }
  toString = () => 'stop of the holder';
}

/** The lock goes with the keeper's session; the file systems stay frozen until the thaw, which must not hide the loss. */
class KillKeeper implements Command {
  check = ({ holds }: Model) => holds?.held === true;
  async run(model: Model, host: StubHost): Promise<void> {
    if (!model.holds || expired(model) || !host.kill('keeper')) return;
    const { run } = model.holds;
    assert.equal(await host.thaw(run), 'ok');
    assert.ok(await host.becomesClear(GRACE_MS));
    const receipt = host.receipt(run);
    assert.deepEqual(
      receipt?.apps.map(({ held }) => held),
      [false],
      'a lost lock is not called held',
    );
    model.thawed.add(run);
    model.holds = undefined;
  }
  toString = () => 'kill -9 of the keeper, then thaw';
}

class KillWatchdog implements Command {
  check = ({ holds }: Model) => holds?.watched === true && holds.held;
  async run(model: Model, host: StubHost): Promise<void> {
    // Without systemd nobody starts it again; the holder has the lease too.
    if (host.kill('watchdog') && model.holds) model.holds.watched = false;
  }
  toString = () => 'kill -9 of the watchdog';
}

class Expire implements Command {
  check = ({ holds }: Model) => holds !== undefined && (holds.held || holds.watched);
  run = (model: Model, host: StubHost) => released(model, host, LEASE_SECONDS * 1000 + GRACE_MS);
  toString = () => 'the lease runs out';
}

class Foreign implements Command {
  check = ({ holds, foreign }: Model) => holds === undefined && foreign.size === 0;
  async run(model: Model, host: StubHost): Promise<void> {
    if (host.freezeByHand('outer')) model.foreign.add('outer');
  }
  toString = () => 'somebody else freezes the outer mount';
}

class ForeignEnds implements Command {
  check = ({ foreign }: Model) => foreign.size > 0;
  async run(model: Model, host: StubHost): Promise<void> {
    host.thawByHand('outer');
    model.foreign.clear();
  }
  toString = () => 'somebody else thaws the outer mount';
}

/** SSM cancels Freeze: whatever it had come to, the lease ends it; a thaw ends it sooner. */
class CancelledFreeze implements Command {
  readonly run_: string;
  readonly ms: number;
  readonly thaw: boolean;
  constructor(run: string, ms: number, thaw: boolean) {
    this.run_ = run;
    this.ms = ms;
    this.thaw = thaw;
  }
  check = ({ holds, foreign }: Model) => holds === undefined && foreign.size === 0;
  async run(model: Model, host: StubHost): Promise<void> {
    await host.freeze(this.run_, { lease: LEASE_SECONDS, killAfterMs: this.ms });
    if (this.thaw) {
      assert.equal(await host.thaw(this.run_), 'ok');
      assert.ok(await host.becomesClear(GRACE_MS), 'thawed after a cancelled freeze');
    } else {
      // Killed before it had armed anything, it leaves a directory that the next freeze or thaw clears.
      await sleep(LEASE_SECONDS * 1000);
      const deadline = Date.now() + GRACE_MS;
      while (Date.now() < deadline && (host.locked || Object.keys(host.frozen).length > 0)) await sleep(50);
      assert.deepEqual([host.locked, host.frozen], [false, {}]);
      assert.equal(await host.thaw(this.run_), 'ok');
    }
    model.thawed.add(this.run_);
  }
  toString = () => `freeze ${this.run_} cancelled after ${this.ms} ms${this.thaw ? ', then thawed' : ''}`;
}

/** Both at once: whoever comes first, in the end nothing is frozen and the run stays thawed. */
class FreezeAndThaw implements Command {
  readonly run_: string;
  readonly ms: number;
  constructor(run: string, ms: number) {
    this.run_ = run;
    this.ms = ms;
  }
  check = ({ holds, foreign }: Model) => holds === undefined && foreign.size === 0;
  async run(model: Model, host: StubHost): Promise<void> {
    const freezing = host.freeze(this.run_, { lease: LEASE_SECONDS });
    await sleep(this.ms);
    const thaws = await Promise.all([host.thaw(this.run_), host.thaw(this.run_)]);
    assert.deepEqual(thaws, ['ok', 'ok']);
    assert.ok(['ok', 'AlreadyThawed', 'ThawedDuringFreeze', 'Internal'].includes(await freezing), await freezing);
    assert.ok(await host.becomesClear(GRACE_MS));
    model.thawed.add(this.run_);
  }
  toString = () => `freeze ${this.run_}, two thaws ${this.ms} ms later`;
}

async function released(model: Model, host: StubHost, withinMs = GRACE_MS): Promise<void> {
  if (!model.holds) return;
  if (!model.holds.held && !model.holds.watched) return;
  assert.ok(await host.becomesClear(withinMs), 'the host thaws itself');
  const receipt = host.receipt(model.holds.run);
  assert.ok(receipt && receipt.thawedBy !== 'asked', 'a thaw of the host’s own says so');
  model.thawed.add(model.holds.run);
  model.holds = undefined;
}

function stillForeign({ foreign }: Model, host: StubHost): void {
  for (const mount of foreign) assert.equal(host.frozen[mount], 'somebody else', 'a foreign freeze is left alone');
}

const RUNS = ['a', 'b', 'c', 'd', 'e'];
const aRun = fc.constantFrom(...RUNS);
const moment = fc.integer({ min: 0, max: 700 });
const commands = fc.commands(
  [
    aRun.map((run) => new Freeze(run)),
    aRun.map((run) => new Freeze(run)),
    aRun.map((run) => new Thaw(run)),
    aRun.map((run) => new Thaw(run)),
    fc.constant(new KillHolder()),
    fc.constant(new StopHolder()),
    fc.constant(new KillWatchdog()),
    fc.constant(new KillKeeper()),
    fc.constant(new Expire()),
    fc.constant(new Foreign()),
    fc.constant(new ForeignEnds()),
    fc.tuple(aRun, moment, fc.boolean()).map((of) => new CancelledFreeze(...of)),
    fc.tuple(aRun, moment).map((of) => new FreezeAndThaw(...of)),
  ],
  { maxCommands: 12, size: 'max' },
);

/** More of them: HISTORIES=200 node --test test/ssm-documents/protocol.test.ts */
const HISTORIES = Number(process.env.HISTORIES ?? 6);
const SEED = Number(process.env.SEED ?? 20_261_122);

describe('the host protocol', { concurrency: 6 }, () => {
  const hosts: StubHost[] = [];
  after(() => {
    for (const host of hosts) host.dispose();
  });

  for (let history = 0; history < HISTORIES; history++) {
    it(`leaves nothing frozen, whatever happens (history ${history} of seed ${SEED})`, async () => {
      const property = fc.asyncProperty(commands, async (steps) => {
        const host = new StubHost();
        hosts.push(host);
        const model: Model = { thawed: new Set(), holds: undefined, foreign: new Set() };
        await fc
          .asyncModelRun(() => ({ model, real: host }), steps)
          .catch((error) => {
            throw new Error(`${error instanceof Error ? error.message : error}\nafter\n${host.said.join('\n')}`, {
              cause: error,
            });
          });
        if (model.holds) {
          const { run, held, watched } = model.holds;
          if (!held && !watched) assert.equal(await host.thaw(run), 'ok');
          assert.ok(await host.becomesClear(LEASE_SECONDS * 1000 + GRACE_MS), 'nothing outlives the lease');
        }
        stillForeign(model, host);
        host.dispose();
      });
      await fc.assert(property, { numRuns: 1, seed: SEED + history, endOnFailure: true, includeErrorInReport: true });
    });
  }
});
