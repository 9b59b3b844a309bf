import { grade } from '../../lambdas/grade/grade.ts';
import type { GradeInput, Receipt, ThawAnswer } from '../../lambdas/shared/contracts.ts';
import type { GradeName } from '../../lambdas/shared/names.ts';
import { USER_TAGS } from '../../lambdas/shared/names.ts';
import type { Account, Instance } from '../account.ts';
import type { GuestHost } from '../guest-host.ts';
import * as workload from '../workload.ts';
import { Documents, type FreezeOptions } from './documents.ts';
import { leftovers, settled, uptimeOf } from './leftovers.ts';
import { refute } from './report.ts';

/** Beyond lease + 2 s, for a processor that is emulated and shared: the host itself says when it let go. */
export const TCG_ALLOWANCE_SECONDS = 4;
/** Until all is cleared away as well; nobody is stalled by that. */
export const CLEARING_SECONDS = 15;
/** Volumes beside those of the array, empty. */
const SPARE_VOLUMES = 2;
const SMALL_VOLUMES = ['second', 'third'];

/** A freeze that was answered. */
export interface Held {
  readonly run: string;
  readonly receipt: Receipt;
}

/** A host under load with three file systems on one volume group, and the documents to try on it. */
export class Stage {
  readonly account: Account;
  readonly source: Instance;
  readonly documents: Documents;
  readonly mounts = ['/data', '/data2', '/data3'];
  #runs = 0;

  private constructor(account: Account, source: Instance) {
    this.account = account;
    this.source = source;
    this.documents = new Documents(account.world, source.host);
  }

  static async open(account: Account): Promise<Stage> {
    const topology = 'raid0-lvm-xfs';
    const tags = { [USER_TAGS.policy]: 'lab' };
    const arrayVolumes = workload.TOPOLOGIES[topology];
    const source = await account.launch({ tags, dataVolumes: arrayVolumes + SPARE_VOLUMES });
    const stage = new Stage(account, source);
    await workload.provision(source.machine, topology, source.data.slice(0, arrayVolumes));
    for (const [index, name] of SMALL_VOLUMES.entries()) {
      await stage.exec(`lvcreate -q -y -Wn -L 32M -n ${name} vg0 >/dev/null; mkfs.ext4 -q /dev/vg0/${name}
        mkdir -p /data${index + 2}; mount /dev/vg0/${name} /data${index + 2}`);
    }
    await workload.startWriters(source.machine, topology);
    return stage;
  }

  async close(): Promise<void> {
    await this.account.terminate(this.source);
  }

  get host(): GuestHost {
    return this.source.host;
  }

  newRun(): string {
    this.#runs += 1;
    return `run-${this.#runs}`;
  }

  /** Runs bash code on the host behind the agent's back and answers what it printed. */
  async exec(script: string, options: { mayFail?: boolean; timeoutMs?: number } = {}): Promise<string> {
    return (await this.host.exec(`set -e\n${script}`, options)).stdout.trim();
  }

  /** Waits on the host itself, so that what follows comes as soon after as it can. */
  async when(condition: string): Promise<void> {
    await this.exec(`while [ "$SECONDS" -lt 90 ]; do if ${condition}; then exit 0; fi; sleep 0.05; done; exit 1`, {
      timeoutMs: 180_000,
    });
  }

  uptime(): Promise<number> {
    return uptimeOf(this.host);
  }

  /** Freezes, and proves that it did: a write blocks. */
  async freeze(options: Omit<FreezeOptions, 'run'> = {}): Promise<Held> {
    const run = this.newRun();
    const { receipt, error, status } = await this.documents.freeze({ run, ...options });
    if (!receipt) throw new Error(`not frozen: ${status} ${error?.code}: ${error?.message}`);
    return { run, receipt };
  }

  /** Waits until nothing of a freeze is left, and fails when that takes longer than the lease and two seconds. */
  async released({ receipt }: Held, options: { database?: boolean } = {}): Promise<void> {
    const until = receipt.armedAt + receipt.leaseSeconds + 2 + TCG_ALLOWANCE_SECONDS + CLEARING_SECONDS;
    refute(await settled(this.host, this.mounts, until, options));
  }

  /** Nothing is left, now or a little later. */
  async clean(seconds = CLEARING_SECONDS, options: { database?: boolean } = {}): Promise<void> {
    refute(await settled(this.host, this.mounts, (await this.uptime()) + seconds, options));
  }

  leftovers(options: { database?: boolean; patienceSeconds?: number } = {}): Promise<string[]> {
    return leftovers(this.host, this.mounts, options);
  }

  /** The receipt as Thaw brings it must tell who thawed, in time, and be worth this grade. */
  async proves(held: Held, expected: Expected): Promise<string> {
    return this.judge(held, await this.documents.thaw(held.run), expected);
  }

  async judge(held: Held, thawed: ThawAnswer, { thawedBy, grade: wanted }: Expected): Promise<string> {
    const { receipt } = thawed;
    const { grade: earned, reasons } = await this.gradeOf(held, thawed);
    const seconds = receipt?.releasedAt ? receipt.releasedAt - held.receipt.armedAt : undefined;
    const limit = held.receipt.leaseSeconds + 2 + TCG_ALLOWANCE_SECONDS;
    refute([
      ![thawedBy].flat().includes(receipt?.thawedBy ?? null) &&
        `thawed by ${receipt?.thawedBy}, expected ${[thawedBy].flat().join(' or ')}`,
      earned !== wanted && `graded ${earned}, expected ${wanted}: ${reasons.join('; ') || 'no reason'}`,
      seconds === undefined && 'the receipt does not say when writers went on',
      seconds !== undefined && seconds > limit && `released ${seconds.toFixed(1)} s after arming`,
    ]);
    return `thawed by ${receipt?.thawedBy} ${seconds?.toFixed(1)} s after arming (lease ${held.receipt.leaseSeconds} s), grade ${earned}`;
  }

  /** What Grade makes of it, had a whole set been requested and answered between the freeze and this thaw. */
  async gradeOf(held: Held, { receipt, bootId }: ThawAnswer): Promise<ReturnType<typeof grade>> {
    const topology = await this.documents.inspected();
    const pinned = { version: '1', hash: '' };
    const volumeId = this.source.root;
    const input: GradeInput = {
      run: held.run,
      instanceId: this.source.id,
      policy: { name: 'lab', grade: 'application', onDowngrade: 'keep', leaseSeconds: held.receipt.leaseSeconds },
      mode: held.receipt.mode,
      why: '',
      expected: 'application',
      apps: held.receipt.apps.map(({ driver }) => driver),
      volumes: [{ volumeId, device: '/dev/xvda', root: true }],
      excluded: [],
      excludeBoot: false,
      documents: { freeze: pinned, thaw: pinned },
      clock: { bootId: topology.bootId, uptime: topology.uptime, sentAt: 0 },
      topology,
      frozen: { sentAt: 1, answeredAt: 2, receipt: held.receipt },
      snapshots: {
        startTime: '',
        snapshots: [{ snapshotId: 'snap-1', volumeId }],
        requestedAt: 3,
        answeredAt: 4,
        whileFrozen: true,
      },
      thawed: { sentAt: 5, bootId, receipt },
    };
    return grade(input, input.snapshots);
  }

  /** What the host has to say of the last freeze. */
  testimony(): Promise<string> {
    return this.exec(
      `set +e
      cd /run/freezeframe 2>/dev/null || exit 0
      for file in active/journal $(ls -td receipts/* answers/* | head -n 2); do echo "$file:"; cat "$file"; done
      journalctl --no-pager -n 25 -o short-monotonic -u 'freezeframe-*'`,
      { mayFail: true },
    );
  }

  /** Whatever a case has done to the host, the next one finds it well. */
  async recover(): Promise<void> {
    this.documents.systemd = true;
    await this.exec(RECOVER.replace('NOW', `${(Date.now() / 1000).toFixed(3)}`), { mayFail: true, timeoutMs: 180_000 });
    if (!this.host.online) await this.host.startAgent();
    const stopped = await this.exec('for w in mariadb files; do systemctl -q is-active lab-writer-$w || echo $w; done');
    const writers = stopped.split('\n').filter((name) => name === 'mariadb' || name === 'files');
    await workload.startWriters(this.source.machine, 'raid0-lvm-xfs', writers);
  }
}

export interface Expected {
  readonly thawedBy: Receipt['thawedBy'] | readonly Receipt['thawedBy'][];
  readonly grade: GradeName | null;
}

const RECOVER = `set +e
pkill -CONT -x mariadbd
rm -f /run/lab-fill
if [ -e /run/freezeframe/thaw ]; then timeout 60 bash /run/freezeframe/thaw; fi
for n in '' 2 3; do timeout 5 fsfreeze -u /data$n 2>/dev/null; done
for name in $(lvs --noheadings -o vg_name,lv_name --separator / vg0 | grep -E 'ff_|filler'); do lvremove -fyq $name; done
mountpoint -q /data || mount /data
mountpoint -q /data2 || mount /dev/vg0/second /data2
mountpoint -q /data3 || mount /dev/vg0/third /data3
rm -f /data3/filler
for place in /image /new /mirror; do if mountpoint -q $place; then umount $place; fi; done
rm -f /data3/image
date -s @NOW >/dev/null
for ((i = 0; i < 60; i++)); do
  systemctl reset-failed mariadb 2>/dev/null; systemctl start mariadb && mariadb-admin ping >/dev/null 2>&1 && break
  sleep 1
done
`;
