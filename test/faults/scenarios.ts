/** The runs that faults strike: every mode, what becomes of a lesser set, and the detours that lead to every state. */
import type { Lambdas } from '../../lab/aws/lambda.ts';
import type { World } from '../../lab/aws/world.ts';
import type { Mode } from '../../lambdas/shared/names.ts';
import { SET_TAGS } from '../../lambdas/shared/names.ts';
import { type ModelAccount, POLICIES, type PolicyName, type Server } from '../support/model-account.ts';

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
];

/** Where a run is led off its straight way, so that the states beside it are reached as well. */
export interface Detour {
  readonly name: string;
  lead(on: Stage): void;
}

/** One run on a server of its own, before it starts. */
export interface Stage {
  readonly account: ModelAccount;
  readonly server: Server;
  /** Plans a fault of a call to AWS, or of a function, for the time of this run. */
  readonly calls: World['faults']['add'];
  readonly functions: Lambdas['faults']['add'];
}

export const DETOURS: readonly Detour[] = [
  { name: '', lead: () => {} },
  { name: 'after the freeze was refused', lead: ({ server }) => refuseFreeze(server) },
  {
    name: 'after the grade was missed',
    lead: ({ server }) => Object.assign(server.host.trouble, { lostLocks: ['mysql'], lvmOverflow: true }),
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

function refuseFreeze({ host }: Server): void {
  host.trouble.fail = (document) => (document === 'freeze' ? 'LockTimeout' : undefined);
}

export const isDryRun = (input: unknown): boolean => (input as { DryRun?: boolean }).DryRun === true;

/** Whether an event, or the input of a call, is about this server: by its id, its runs' names, or its snapshots. */
export function concerns({ world }: ModelAccount, { id }: Server, input: unknown): boolean {
  if (JSON.stringify(input ?? null).includes(id)) return true;
  const { Resources = [], SnapshotId } = (input ?? {}) as { Resources?: string[]; SnapshotId?: string };
  return [...Resources, SnapshotId ?? ''].some(
    (snapshot) => world.ec2.snapshots.all.get(snapshot)?.tags.get(SET_TAGS.instance) === id,
  );
}
