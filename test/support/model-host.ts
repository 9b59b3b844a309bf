import { createHash, randomUUID } from 'node:crypto';
import { type Clock, realClock } from '../../lab/aws/clock.ts';
import type { Agent, AgentStep, StepOutcome } from '../../lab/ports.ts';
import {
  CONTRACT,
  DOCUMENT_PARAMETERS,
  HOST_ERRORS,
  type HostErrorCode,
  PARAMETER_DEFAULTS,
  PARAMETER_PATTERNS,
  type ParameterName,
  type QuietMode,
  type Receipt,
} from '../../lambdas/shared/contracts.ts';
import { DOCUMENTS } from '../../lambdas/shared/names.ts';
import type { MemoryStore } from './memory-store.ts';
import { modelTopology, type Topology, type TopologySpec } from './model-topology.ts';

/**
 * An instance that keeps the host contract without a shell: it freezes and thaws, has a lease, a watchdog and
 * tombstones, and remembers how quiet it was whenever a set was taken. Its writers write whenever nothing stops them.
 */
export class ModelHost implements Agent {
  version = '3.3.2746.0';
  online = true;
  readonly topology: Topology;
  bootId: string = randomUUID();
  /** What goes wrong on this host; tests set it before or during a run. */
  readonly trouble: Trouble = {};
  /** Sets that were taken of this host's volumes, with what was quiet at that very moment. */
  readonly witnessed: Witnessed[] = [];
  /** What the applications have written down of each freeze, as SAP HANA does: a backup, or none. */
  readonly catalogue: { readonly run: string; readonly successful: boolean }[] = [];
  /** Documents that came, in the order of their start. */
  readonly steps: AgentStep[] = [];
  /** Restored file systems that are mounted, by restore. */
  readonly restored = new Map<string, string[]>();
  /** Volumes whose file systems are mounted. */
  readonly used: Set<string>;
  /** The volumes under the application's directory; empty while nothing is mounted there. */
  place: readonly string[];
  /** Whether the application runs, as its service does on what is mounted in its place. */
  serving = true;
  #noted: readonly string[] = [];
  /** Whether the kernel shows a volume: told by whoever attaches it. */
  sees: (volumeId: string) => boolean = () => true;
  readonly #clock: Clock;
  #bootedAt: number;
  #active: Freeze | undefined;
  #extraWrites = 0;
  /** Writes go on in time, except while the file systems are frozen. */
  #frozenMs = 0;
  #frozenSince: number | undefined;
  readonly #tombstones = new Set<string>();
  readonly #receipts = new Map<string, Receipt>();
  readonly #running = new Map<string, () => void>();

  constructor(spec: ModelHostSpec) {
    this.topology = modelTopology(spec);
    this.place = [...spec.dataVolumes];
    this.used = new Set([spec.rootVolume, ...spec.dataVolumes]);
    this.#clock = spec.clock ?? realClock;
    this.#bootedAt = this.#clock.now() - 1_000_000;
  }

  /** Watches the disks of this host: each set that is taken of `instanceId` is witnessed. */
  watch(store: MemoryStore, instanceId: string): void {
    const before = store.onSnapshot;
    store.onSnapshot = async (id, volumeIds) => {
      await before(id, volumeIds);
      if (id !== instanceId) return;
      for (const volumeId of volumeIds) store.volumes.set(volumeId, this.writes);
      this.witnessed.push({ at: this.#clock.now(), volumeIds: [...volumeIds], ...this.held });
    };
  }

  /** What is quiet now. Nothing of it may be left when a run has ended, however it ended. */
  get held(): Held {
    const freeze = this.#active;
    return {
      run: freeze?.receipt.run,
      mode: freeze?.receipt.mode,
      filesystems: freeze ? freeze.frozen.slice() : [],
      apps: freeze ? freeze.locked.slice() : [],
      lvmSnapshots: freeze ? freeze.receipt.lvmSnapshots.filter(({ removed }) => !removed).map((s) => s.origin) : [],
    };
  }

  /** True while a writer would stall, or anything of ours is still on the host. */
  get frozen(): boolean {
    return this.#active !== undefined;
  }

  /** Completed writes so far. */
  get writes(): number {
    const frozen = this.#frozenMs + (this.#frozenSince === undefined ? 0 : this.#clock.now() - this.#frozenSince);
    return Math.floor(this.#clock.now() - this.#bootedAt - frozen) + this.#extraWrites;
  }

  /** Seconds of the boot clock. */
  get uptime(): number {
    return (this.#clock.now() - this.#bootedAt) / 1000;
  }

  get topologyHash(): string {
    const { disks, filesystems, arrays, groups, apps } = this.topology;
    return createHash('sha256')
      .update(JSON.stringify([disks, filesystems, arrays, groups, apps]))
      .digest('hex');
  }

  /** What the host proves about a run. */
  receipt(run: string): Receipt | undefined {
    return this.#receipts.get(run);
  }

  /** The freeze's holder dies: its locks are gone with it, and the watchdog thaws the rest. */
  killHolder(): void {
    if (!this.#active) return;
    this.#active.lost = true;
    this.#thaw('watchdog');
  }

  /** A write that reaches the disks although the host is frozen, as a wrong fence would let through. */
  writeWhileFrozen(): void {
    this.#extraWrites += 1;
  }

  /** All of /run is gone: freeze, receipts and tombstones. */
  reboot(): void {
    this.#active?.lease.abort();
    this.#active = undefined;
    this.#melt();
    this.#receipts.clear();
    this.#tombstones.clear();
    this.bootId = randomUUID();
    this.#bootedAt = this.#clock.now();
    for (const kill of this.#running.values()) kill();
  }

  async run(step: AgentStep): Promise<StepOutcome> {
    this.steps.push(step);
    const killed = new Promise<StepOutcome>((resolve) => {
      this.#running.set(step.commandId, () => resolve({ status: 'Cancelled', code: 137, stdout: '', stderr: '' }));
    });
    const over = new AbortController();
    const timeout = this.#clock
      .sleep(step.timeoutSeconds * 1000, over.signal)
      .then((): StepOutcome => ({ status: 'TimedOut', code: 137, stdout: '', stderr: '' }));
    const outcome = await Promise.race([this.#perform(step), killed, timeout]);
    over.abort();
    this.#running.delete(step.commandId);
    return outcome;
  }

  /** Kills the document's script; holder and watchdog live in cgroups of their own and go on. */
  async cancel(commandId: string): Promise<void> {
    this.#running.get(commandId)?.();
  }

  async #perform(step: AgentStep): Promise<StepOutcome> {
    try {
      const answer = await this.#document(step);
      const stdout = this.trouble.garble?.(step.document) ?? JSON.stringify(answer);
      return { status: 'Success', code: 0, stdout, stderr: '' };
    } catch (error) {
      if (!(error instanceof HostFault)) throw error;
      const { code, message } = error;
      const stdout = JSON.stringify({ contract: CONTRACT, error: { code, message } });
      return { status: 'Failed', code: HOST_ERRORS[code], stdout, stderr: `${code}: ${message}\n` };
    }
  }

  async #document({ document, parameters: sent }: AgentStep): Promise<object> {
    const parameters: Record<string, string> = { ...PARAMETER_DEFAULTS, ...sent };
    const name = (Object.keys(DOCUMENTS) as (keyof typeof DOCUMENTS)[]).find((key) => DOCUMENTS[key] === document);
    if (!name) throw new HostFault('Internal', `the model host does not know the document ${document}`);
    for (const parameter of DOCUMENT_PARAMETERS[name] as readonly ParameterName[]) {
      if (!new RegExp(PARAMETER_PATTERNS[parameter]).test(parameters[parameter] ?? '')) {
        throw new HostFault('Internal', `${parameter}='${parameters[parameter]}'`);
      }
    }
    const hang = this.trouble.hang?.(name, parameters);
    // A script that never gets to its first act, until the agent kills it.
    if (hang === 'before') await new Promise(() => {});
    const planned = this.trouble.fail?.(name, parameters);
    if (planned) throw new HostFault(planned, 'planned by the test');
    const answer = await this.#act(name, parameters);
    // It did its work and hangs before it has answered.
    if (hang === 'after') await new Promise(() => {});
    return answer;
  }

  #act(name: keyof typeof DOCUMENTS, parameters: Record<string, string>): Promise<object> {
    if (name === 'inspect') return this.#inspect(parameters.Apps as string, parameters.Hook as string);
    if (name === 'restore') return this.#restore(parameters);
    if (name === 'verify') return this.#verify(parameters);
    return name === 'freeze'
      ? this.#freeze(parameters)
      : this.#thawDocument(parameters.Run as string, parameters.Why as keyof typeof WHO);
  }

  async #inspect(wanted: string, hook: string): Promise<object> {
    await this.#pause(this.trouble.inspectMs);
    const { bootId, uptime } = this;
    const apps = this.#apps(hook).filter(({ driver }) => wanted === 'auto' || wanted.split(',').includes(driver));
    return { ...this.topology, apps, bootId, uptime, topologyHash: this.#hashWith(hook) };
  }

  /** What is carried here is an application beside those that run here. */
  #apps(hook: string): Topology['apps'] {
    if (hook === 'none') return this.topology.apps;
    const mounts = this.topology.filesystems.filter(({ freezable }) => freezable).map(({ mount }) => mount);
    const [name] = hook.split(':');
    const carried = { driver: 'hooks', name: `hooks document:${name}`, dataDir: '/etc/freezeframe/hooks.d', mounts };
    return [{ ...carried, ready: true, problem: '', provable: true, stopsWrites: false }, ...this.topology.apps];
  }

  #hashWith(hook: string): string {
    if (hook === 'none') return this.topologyHash;
    return createHash('sha256').update(`${this.topologyHash} ${hook}`).digest('hex');
  }

  /**
   * Mounts what the plan names when all of its volumes are there; keeps nothing of a restore that was released. In a swap
   * the place of the application changes hands, and the application stops and starts with it.
   */
  async #restore({ Restore = '', Act: act, Access, Under, Plan = '' }: Record<string, string>): Promise<object> {
    const lines = Buffer.from(Plan, 'base64')
      .toString()
      .split('\n')
      .map((line) => line.split(' '));
    const volumes = lines.filter(([what]) => what === 'volume').map(([, id = '']) => id);
    const missing = volumes.filter((id) => !this.sees(id));
    const mounts = lines
      .filter(([what]) => what === 'mount')
      .map(([, type = '', uuid = '', , , path = '']) => ({
        mount: path,
        at: act === 'occupy' ? path : `${Under}/${Restore}${path}`,
        device: '/dev/dm-9',
        type,
        uuid,
        readOnly: Access === 'ro',
      }));
    if (act === 'mount' || act === 'occupy') {
      if (missing.length > 0) throw new HostFault('DeviceMissing', `the host does not see ${missing.join(' ')}`);
      for (const id of volumes) this.used.add(id);
    }
    if (act === 'mount') {
      this.restored.set(
        Restore,
        mounts.map(({ at }) => at),
      );
    }
    if (act === 'release') this.restored.delete(Restore);
    if (act === 'release' || act === 'vacate') for (const id of volumes) this.used.delete(id);
    if (act === 'vacate' && volumes.some((id) => this.place.includes(id))) {
      if (this.#noted.length === 0) this.#noted = this.place;
      this.place = [];
      this.serving = false;
    }
    // Without file systems in the plan it is the originals that come back.
    if (act === 'occupy' && (mounts.length > 0 || this.#noted.length > 0)) {
      this.place = volumes;
      this.serving = true;
    }
    const head = { contract: CONTRACT, restore: Restore, act, arrays: [], groups: [] };
    return { ...head, mounts: act === 'mount' || act === 'occupy' ? mounts : [], done: [] };
  }

  /** Finds what is mounted well, and the applications of the plan, unless the test has something against them. */
  async #verify({ Restore = '', Under = '', Plan = '' }: Record<string, string>): Promise<object> {
    const mounts = this.restored.get(Restore);
    if (!mounts) throw new HostFault('FilesystemMissing', `nothing is mounted below ${Under}/${Restore}`);
    const lines = Buffer.from(Plan, 'base64')
      .toString()
      .split('\n')
      .map((line) => line.split(' ').map((word) => word.replaceAll('\\040', ' ')));
    const fine = { verdict: 'ok', said: 'nothing was found', seconds: 1 };
    const filesystems = mounts.map((at) => ({
      ...fine,
      kind: 'filesystem',
      name: at.slice(`${Under}/${Restore}`.length),
    }));
    const apps = lines
      .filter(([what]) => what === 'app')
      .map(([, driver = '', name, dataDir]) => {
        const [verdict, said] = this.trouble.verdicts?.[driver] ?? [fine.verdict, fine.said];
        return { ...fine, kind: 'application', name: `${name} (${dataDir})`, verdict, said };
      });
    return { contract: CONTRACT, restore: Restore, checks: [...filesystems, ...apps] };
  }

  async #freeze(parameters: Record<string, string>): Promise<object> {
    const { Run = '', Apps = '', BootId, NotAfter, Topology: hash, Hook = 'none' } = parameters;
    const mode = parameters.Mode as QuietMode;
    if (this.#tombstones.has(Run)) throw new HostFault('AlreadyThawed', `run ${Run} was thawed already`);
    if (BootId !== this.bootId) throw new HostFault('Rebooted', 'the host has rebooted since it was inspected');
    if (this.uptime > Number(NotAfter)) throw new HostFault('TooLate', 'this freeze came too late');
    if (this.#active) throw new HostFault('Busy', `run ${this.#active.receipt.run} holds this host`);
    if (hash !== this.#hashWith(Hook)) throw new HostFault('TopologyChanged', 'the topology has changed');
    const { possible, why } = this.topology.modes[mode];
    if (!possible) throw new HostFault('ModeNotPossible', why);
    const wanted = Apps === 'none' ? [] : Apps.split(',');
    const apps = this.#apps(Hook).filter(({ driver }) => wanted.includes(driver));
    const unready = apps.find(({ ready }) => !ready);
    if (unready) throw new HostFault('ApplicationRefused', `${unready.name}: ${unready.problem}`);

    const freeze = this.#arm(Run, mode, Number(parameters.Lease), apps);
    freeze.receipt.stalledAt = this.uptime;
    for (const app of freeze.receipt.apps) {
      app.lockedAt = this.uptime;
      freeze.locked.push(app.driver);
    }
    await this.#pause(this.trouble.freezeMs);
    if (!this.#holds(freeze)) throw new HostFault('ThawedDuringFreeze', 'a thaw was asked for during the freeze');
    if (mode === 'fs-freeze') this.#freezeFilesystems(freeze);
    if (mode === 'lvm-snapshot') this.#takeLvmSnapshots(freeze);
    freeze.receipt.frozenAt = this.uptime;
    freeze.receipt.frozenClock = this.#clock.now() / 1000;
    return { contract: CONTRACT, receipt: structuredClone(freeze.receipt) };
  }

  /** The watchdog comes first: from here on the host thaws itself. */
  #arm(run: string, mode: QuietMode, leaseSeconds: number, apps: Topology['apps']): Freeze {
    const receipt: Receipt = {
      run,
      mode,
      bootId: this.bootId,
      leaseSeconds,
      armedAt: this.uptime,
      frozenAt: null,
      stalledAt: null,
      releasedAt: null,
      thawAskedAt: null,
      thawedAt: null,
      thawedBy: null,
      frozenClock: null,
      apps: apps.map(({ driver, name, dataDir }) => ({
        driver,
        name,
        dataDir,
        lockedAt: null,
        releasedAt: null,
        held: null,
        position: 'mysql-bin.000001:4711',
      })),
      filesystems: [],
      arrays: this.topology.arrays.map(({ name }) => ({ name, clean: true })),
      lvmSnapshots: [],
      writes: [],
      notes: [],
    };
    const freeze: Freeze = { receipt, lease: new AbortController(), frozen: [], locked: [], lost: false };
    this.#active = freeze;
    void this.#clock.sleep(leaseSeconds * 1000, freeze.lease.signal).then(() => {
      if (this.#holds(freeze) && !this.trouble.watchdogAsleep) this.#thaw('lease');
    });
    return freeze;
  }

  #freezeFilesystems({ receipt, frozen }: Freeze): void {
    this.#frozenSince = this.#clock.now();
    for (const { mount, device, disks } of this.topology.filesystems.filter(({ freezable }) => freezable)) {
      frozen.push(mount);
      receipt.filesystems.push({ mount, device, frozenAt: this.uptime, thawedAt: null, foundFrozen: null });
      for (const disk of [device, ...disks]) {
        receipt.writes.push({ device: disk, atFreeze: this.writes, atThaw: null });
      }
    }
  }

  /** The snapshots stand for the moment; the applications are released at once. */
  #takeLvmSnapshots(freeze: Freeze): void {
    const { receipt } = freeze;
    for (const { lv } of this.topology.filesystems.filter(({ lv: name }) => name !== '')) {
      receipt.lvmSnapshots.push({
        origin: lv,
        snapshot: `${lv}-freezeframe`,
        takenAt: this.uptime,
        valid: null,
        usedPercent: null,
        removed: false,
      });
    }
    this.#releaseApps(freeze);
    receipt.releasedAt = this.uptime;
  }

  async #thawDocument(run: string, why: keyof typeof WHO): Promise<object> {
    this.#tombstones.add(run);
    const freeze = this.#active;
    if (freeze?.receipt.run === run) freeze.receipt.thawAskedAt = this.uptime;
    await this.#pause(this.trouble.thawMs);
    if (freeze?.receipt.run === run && this.#holds(freeze)) {
      this.#thaw(freeze.receipt.frozenAt === null ? 'error' : WHO[why]);
    }
    const receipt = this.#receipts.get(run);
    return { contract: CONTRACT, bootId: this.bootId, receipt: receipt ? structuredClone(receipt) : null, swept: [] };
  }

  /** File systems in reverse, then the applications, then the watchdog is disarmed. */
  #thaw(by: NonNullable<Receipt['thawedBy']>): void {
    const freeze = this.#active;
    if (!freeze) return;
    const { receipt } = freeze;
    for (const counter of receipt.writes) counter.atThaw = this.writes;
    this.#melt();
    for (const filesystem of receipt.filesystems.toReversed()) {
      filesystem.foundFrozen = !(this.trouble.meltedMounts ?? []).includes(filesystem.mount);
      filesystem.thawedAt = this.uptime;
    }
    freeze.frozen.length = 0;
    for (const snapshot of receipt.lvmSnapshots) {
      snapshot.valid = !this.trouble.lvmOverflow;
      snapshot.usedPercent = this.trouble.lvmOverflow ? 100 : 3;
      snapshot.removed = true;
    }
    this.#releaseApps(freeze, by);
    receipt.releasedAt ??= this.uptime;
    receipt.thawedAt = this.uptime;
    receipt.thawedBy = by;
    freeze.lease.abort();
    this.#receipts.set(receipt.run, receipt);
    this.#active = undefined;
  }

  #releaseApps(freeze: Freeze, by?: Receipt['thawedBy']): void {
    for (const app of freeze.receipt.apps) {
      if (app.releasedAt !== null) continue;
      this.catalogue.push({ run: freeze.receipt.run, successful: by === 'asked' });
      app.held = !freeze.lost && !(this.trouble.lostLocks ?? []).includes(app.driver);
      app.releasedAt = this.uptime;
    }
    freeze.locked.length = 0;
  }

  #holds(freeze: Freeze): boolean {
    return this.#active === freeze;
  }

  #melt(): void {
    if (this.#frozenSince !== undefined) this.#frozenMs += this.#clock.now() - this.#frozenSince;
    this.#frozenSince = undefined;
  }

  #pause(ms = 0): Promise<void> {
    return this.#clock.sleep(ms);
  }
}

export interface ModelHostSpec extends TopologySpec {
  /** @default the machine's own time */
  readonly clock?: Clock;
}

/** Who thaws, by the word that Thaw is asked with. */
const WHO = { asked: 'asked', rescue: 'rescue', sweep: 'rescue', hand: 'hand' } as const;

type Act = keyof typeof DOCUMENTS;

export interface Trouble {
  inspectMs?: number;
  /** Between the applications' locks and the file systems' freeze. */
  freezeMs?: number;
  thawMs?: number;
  /** The document ends with this error before it has done anything. */
  fail?: (document: Act, parameters: Record<string, string>) => HostErrorCode | undefined;
  /** The document never answers: before it has done anything, or after. */
  hang?: (document: Act, parameters: Record<string, string>) => 'before' | 'after' | undefined;
  /** The document's output instead of its answer; undefined leaves it. */
  garble?: (document: string) => string | undefined;
  /** Drivers whose lock is found lost at release. */
  lostLocks?: readonly string[];
  /** Mounts that somebody else has thawed meanwhile. */
  meltedMounts?: readonly string[];
  lvmOverflow?: boolean;
  /** What Verify finds in an application, by driver, when it is not well. */
  verdicts?: Record<string, [verdict: 'damaged' | 'unchecked', said: string]>;
  /** The lease runs out and nothing happens: what the other two rings are worth by themselves. */
  watchdogAsleep?: boolean;
}

export interface Held {
  run: string | undefined;
  mode: QuietMode | undefined;
  /** Frozen mount points. */
  filesystems: string[];
  /** Drivers that hold a lock. */
  apps: string[];
  /** Origins that have a snapshot. */
  lvmSnapshots: string[];
}

export interface Witnessed extends Held {
  at: number;
  volumeIds: string[];
}

interface Freeze {
  receipt: Receipt;
  lease: AbortController;
  frozen: string[];
  locked: string[];
  lost: boolean;
}

class HostFault extends Error {
  readonly code: HostErrorCode;

  constructor(code: HostErrorCode, message: string) {
    super(message);
    this.name = 'HostFault';
    this.code = code;
  }
}
