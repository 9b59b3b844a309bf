/** The runs that faults strike: every mode, what becomes of a lesser set, and the detours that lead to every state. */
import type { Lambdas } from '../../lab/aws/lambda.ts';
import type { World } from '../../lab/aws/world.ts';
import type { Mode } from '../../lambdas/shared/names.ts';
import { SET_TAGS, STATES } from '../../lambdas/shared/names.ts';
import {
  type ModelAccount,
  POLICIES,
  type PolicyName,
  type Server,
  type WindowsServer,
} from '../support/model-account.ts';

export interface Scenario {
  readonly mode: Mode;
  readonly onDowngrade: 'keep' | 'discard';
  readonly policy: PolicyName;
}

const scenario = (mode: Mode, policy: PolicyName): Scenario => ({
  mode,
  policy,
  onDowngrade: POLICIES[policy].onDowngrade,
});

export const SCENARIOS: readonly Scenario[] = [
  scenario('lvm-snapshot', 'nightly'),
  scenario('lvm-snapshot', 'strict'),
  scenario('fs-freeze', 'nightly'),
  scenario('fs-freeze', 'strict'),
  scenario('app-only', 'nightly'),
  scenario('app-only', 'strict'),
  scenario('crash', 'loose'),
  scenario('crash', 'loose-strict'),
  scenario('fs-freeze', 'vault'),
  scenario('vss', 'nightly'),
  scenario('vss', 'strict'),
];

/** Where a run is led off its straight way, so that the states beside it are reached as well. */
export interface Detour {
  readonly name: string;
  lead(on: Stage): void;
}

/** What a run is of: VSS is of Windows. */
export type AnyServer = Server | WindowsServer;
export const isLinux = (server: AnyServer): server is Server => 'disks' in server;

/** One run on a server of its own, before it starts. */
export interface Stage {
  readonly account: ModelAccount;
  readonly server: AnyServer;
  /** Plans a fault of a call to AWS, or of a function, for the time of this run. */
  readonly calls: World['faults']['add'];
  readonly functions: Lambdas['faults']['add'];
  onEnter(listener: (state: string) => void): void;
}

export const DETOURS: readonly Detour[] = [
  { name: '', lead: () => {} },
  { name: 'after the freeze was refused', lead: ({ server }) => refuseFreeze(server) },
  {
    name: 'after the grade was missed',
    lead: ({ server }) => {
      if (isLinux(server)) Object.assign(server.host.trouble, { lostLocks: ['mysql'], lvmOverflow: true });
      else server.host.trouble.unmarked = server.volumes.slice(1);
    },
  },
  {
    name: 'after a snapshot failed',
    lead: ({ account, server, onEnter }) =>
      onEnter((state) => {
        if (state !== STATES.checkSnapshots) return;
        const [first] = account.snapshotsOn(server);
        if (first) first.state = 'error';
      }),
  },
  {
    name: 'after no set could be taken',
    lead: ({ account, server, calls }) => {
      refuseFreeze(server);
      calls({
        service: 'ec2',
        action: 'CreateSnapshots',
        when: (input) => concerns(account, server, input) && !isDryRun(input),
        fault: { kind: 'error', code: 'SnapshotLimitExceeded' },
      });
    },
  },
];

function refuseFreeze(server: AnyServer): void {
  if (isLinux(server)) server.host.trouble.fail = (document) => (document === 'freeze' ? 'LockTimeout' : undefined);
  // For good: VSS_E_WRITERERROR_NONRETRYABLE.
  else server.host.trouble.writerFails = () => '0x800423f4';
}

export const isDryRun = (input: unknown): boolean => (input as { DryRun?: boolean }).DryRun === true;

/** Whether an event, or the input of a call, is about this server: by its id, its runs' names, or its snapshots. */
export function concerns({ world }: ModelAccount, { id }: AnyServer, input: unknown): boolean {
  if (JSON.stringify(input ?? null).includes(id)) return true;
  const { Resources = [], SnapshotId } = (input ?? {}) as { Resources?: string[]; SnapshotId?: string };
  return [...Resources, SnapshotId ?? ''].some(
    (snapshot) => world.ec2.snapshots.all.get(snapshot)?.tags.get(SET_TAGS.instance) === id,
  );
}
