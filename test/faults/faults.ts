/** What goes wrong: faults of a state's function, of single calls of AWS, of the host, and an operator who stops the run. */
import type { CallFault } from '../../lab/aws/faults.ts';
import type { LambdaFault } from '../../lab/aws/lambda.ts';
import type { LogEntry } from '../../lab/aws/world.ts';
import { DOCUMENTS, STATES, THAW_RESCUE } from '../../lambdas/shared/names.ts';
import { FUNCTIONS, type FunctionName } from '../../lib/functions.ts';
import type { Server, WindowsServer } from '../support/model-account.ts';
import type { Watch } from './play.ts';
import { type AnyServer, concerns, isDryRun, isLinux } from './scenarios.ts';

export interface Fault {
  readonly name: string;
  /** Plans the fault for the run that is about to start. */
  plan(on: Watch): void;
}

/** A step by Step Functions itself, without a function. */
export const STORE_RECEIPT = 'Store receipt';

/** Every way in which the function of a state can let its state down, each time that it is tried. */
export function faultsOfState(state: string): Fault[] {
  if (state === STORE_RECEIPT) {
    return [
      call('error', 's3', 'PutObject', { kind: 'error', code: 'InternalError', status: 500 }),
      call('timeout', 's3', 'PutObject', { kind: 'delay', ms: 40_000 }),
      call('throttle', 's3', 'PutObject', { kind: 'error', code: 'SlowDown', status: 503 }),
      call('answer lost', 's3', 'PutObject', { kind: 'lostAnswer' }),
      call('malformed', 's3', 'PutObject', { kind: 'malformed' }),
    ];
  }
  return [
    ofFunction(state, 'error', () => ({ kind: 'error', error: 'PlannedError', cause: '{"errorMessage":"planned"}' })),
    ofFunction(state, 'timeout', () => ({ kind: 'hang' })),
    // The task's own timeout strikes before the function has even begun: what it does comes late.
    ofFunction(state, 'late start', () => ({ kind: 'delay', ms: lateMs(state) })),
    ofFunction(state, 'throttle', () => ({ kind: 'throttle' })),
    ofFunction(state, 'answer lost', () => ({ kind: 'lostAnswer' })),
    ofFunction(state, 'killed', (on) => ({ kind: 'killWhen', due: () => on.acted(state) })),
    ofFunction(state, 'malformed', () => ({ kind: 'malformed' })),
  ];
}

export const LONG_FAULTS: readonly string[] = ['timeout', 'late start', 'throttle', 'error', 'answer lost', 'killed'];

/** The run is stopped as it enters the state: the state does nothing any more. */
export const stopOnEntering = (state: string): Fault => ({
  name: 'stopped on entering',
  plan: (on) => {
    on.onEnter((entered) => {
      if (entered === state) on.stop();
    });
  },
});

/** The run is stopped when the state has done its act; its function goes on by itself. */
export const stopInTheMiddle = (state: string): Fault => ({
  name: 'stopped in the middle',
  plan: (on) => {
    void on.acted(state).then(() => on.stop());
  },
});

const MINUTES = 60_000;
const throttled: CallFault = { kind: 'error', code: 'ThrottlingException' };

/** What can go wrong with the rescue: each with a run that is stopped while its host is frozen. */
export const OF_THE_RESCUE: readonly (Fault & { readonly state: string })[] = [
  STATES.freeze,
  STATES.createSnapshots,
].flatMap((state) => [
  { state, name: 'stopped, its event lost', plan: stoppedInTheMiddle(state, (on) => on.deliver('never')) },
  { state, name: 'stopped, its event twice', plan: stoppedInTheMiddle(state, (on) => on.deliver('twice')) },
  {
    state,
    name: 'stopped, the rescue throttled',
    plan: stoppedInTheMiddle(state, ({ account, server, functions }) => {
      functions({
        state: STATES.thaw,
        nth: [1, 2, 3, 4, 5],
        when: (event) => concerns(account, server, event),
        fault: { kind: 'throttle' },
      });
    }),
  },
  {
    state,
    name: 'stopped, its history unreadable',
    plan: stoppedInTheMiddle(state, ({ account, server, calls }) => {
      calls({
        service: 'states',
        action: 'GetExecutionHistory',
        // Every try of the first look.
        nth: [1, 2, 3, 4, 5],
        when: (input) => concerns(account, server, input),
        fault: { kind: 'error', code: 'ThrottlingException' },
      });
    }),
  },
]);

/** A rescue while the run's own thaw is on its way: two thaws at once. */
export const RESCUE_BESIDE_THAW: Fault & { readonly state: string } = {
  state: STATES.thaw,
  name: 'rescued at the same time',
  plan: (on) => {
    linux(on.server).host.trouble.thawMs = 3_000;
    void on.acted(STATES.thaw).then(() => {
      if (!on.run) return;
      const { arn, name, input } = on.run;
      on.account.stepFunctions.start(THAW_RESCUE, { executionArn: arn, name, input: JSON.stringify(input) }, name);
    });
  },
};

/** Two errors of one run: the first of them counts. `needs`: a state on the way, which not every run comes to. */
export const DOUBLE: readonly (Fault & { readonly state: string; readonly needs: string })[] = (
  [
    [STATES.freeze, STATES.thaw],
    [STATES.createSnapshots, STATES.grade],
    [STATES.thaw, STATES.grade],
    [STATES.createUnfrozen, STATES.grade],
    [STORE_RECEIPT, STATES.checkSnapshots],
    [STORE_RECEIPT, STATES.discard],
    [STATES.freeze, STATES.discard],
  ] as const
).map(([first, second]) => ({
  needs: first === STORE_RECEIPT ? second : first,
  state: second,
  name: `error after an error of ${first}`,
  plan: (on) => {
    faultsOfState(first)
      .find(({ name }) => name === 'error')
      ?.plan(on);
    ofFunction(second, 'error', () => ({ kind: 'error', error: 'SecondError' })).plan(on);
  },
}));

/** Faults of single calls, and of the host, which look different from inside a function than from its state. */
export const IN_THE_WORLD: readonly (Fault & { readonly state: string; readonly everyMode?: boolean })[] = [
  { state: STATES.freeze, ...command('SendCommand answer lost', 'freeze', 'SendCommand', { kind: 'lostAnswer' }) },
  { state: STATES.freeze, ...command('SendCommand denied', 'freeze', 'SendCommand', denied('AccessDeniedException')) },
  { state: STATES.freeze, ...command('SendCommand throttled', 'freeze', 'SendCommand', throttled) },
  { state: STATES.freeze, ...command('GetCommandInvocation throttled', 'freeze', 'GetCommandInvocation', throttled) },
  { state: STATES.thaw, ...command('SendCommand answer lost', 'thaw', 'SendCommand', { kind: 'lostAnswer' }, 1) },
  { state: STATES.thaw, ...command('SendCommand throttled 3 min', 'thaw', 'SendCommand', throttled) },
  { state: STATES.thaw, ...command('GetCommandInvocation throttled 3 min', 'thaw', 'GetCommandInvocation', throttled) },
  { state: STATES.createSnapshots, everyMode: true, ...create('CreateSnapshots answer lost', { kind: 'lostAnswer' }) },
  { state: STATES.createSnapshots, everyMode: true, ...create('CreateSnapshots malformed', { kind: 'malformed' }) },
  {
    state: STATES.createSnapshots,
    everyMode: true,
    ...create('CreateSnapshots denied', denied('UnauthorizedOperation')),
  },
  {
    state: STATES.createSnapshots,
    everyMode: true,
    ...create('CreateSnapshots throttled', { kind: 'error', code: 'RequestLimitExceeded', status: 503 }),
  },
  {
    state: STATES.createSnapshots,
    everyMode: true,
    ...create('CreateSnapshots 500', { kind: 'error', code: 'InternalError', status: 500 }),
  },
  {
    state: STATES.createSnapshots,
    everyMode: true,
    ...create('CreateSnapshots 12 s late', { kind: 'delay', ms: 12_000 }),
  },
  {
    state: STATES.createSnapshots,
    everyMode: true,
    ...create('CreateSnapshots 40 s late', { kind: 'delay', ms: 40_000 }),
  },
  {
    state: STATES.grade,
    everyMode: true,
    ...call('CreateTags denied', 'ec2', 'CreateTags', denied('UnauthorizedOperation')),
  },
  {
    state: STATES.grade,
    everyMode: true,
    ...call('CreateTags answer lost', 'ec2', 'CreateTags', { kind: 'lostAnswer' }),
  },
  {
    state: STATES.grade,
    everyMode: true,
    ...call('CreateTags denied at the grade', 'ec2', 'CreateTags', denied('UnauthorizedOperation'), (input) =>
      JSON.stringify(input).includes('freezeframe:grade'),
    ),
  },
  ...(['inspect', 'freeze', 'thaw'] as const).flatMap((noun) => [
    { state: STATES[noun], ...host('hangs before', () => ({ hang: once(noun, 'before') })) },
    { state: STATES[noun], ...host('hangs after', () => ({ hang: once(noun, 'after') })) },
    { state: STATES[noun], ...host('answers nonsense', () => ({ garble: garbled(DOCUMENTS[noun]) })) },
  ]),
  { state: STATES.freeze, ...host('freezes slowly', () => ({ freezeMs: 28_000 })) },
  { state: STATES.thaw, ...host('thaws slowly', () => ({ thawMs: 50_000 })) },
  { state: STATES.createSnapshots, ...host('is thawed by somebody else', () => ({ meltedMounts: ['/srv/data'] })) },
  { state: STATES.createSnapshots, ...whileTaken('holder dies', (host) => host.killHolder()) },
  { state: STATES.createSnapshots, ...whileTaken('host reboots', (host) => host.reboot()) },
  { state: STATES.createSnapshots, ...whileTaken('a write comes through', (host) => host.writeWhileFrozen()) },
];

/** What can go wrong with the command to VSS, and with VSS. */
export const OF_VSS: readonly (Fault & { readonly state: string })[] = [
  {
    state: STATES.snapshotWithVss,
    ...call('SendCommand denied', 'ssm', 'SendCommand', denied('AccessDeniedException'), isVss),
  },
  {
    state: STATES.snapshotWithVss,
    ...call('SendCommand answer lost', 'ssm', 'SendCommand', { kind: 'lostAnswer' }, isVss),
  },
  { state: STATES.snapshotWithVss, ...call('SendCommand throttled', 'ssm', 'SendCommand', throttled, isVss) },
  { state: STATES.checkVss, ...call('ListCommandInvocations throttled', 'ssm', 'ListCommandInvocations', throttled) },
  { state: STATES.checkVss, ...vss('VSS hangs before', () => ({ hang: () => 'before' })) },
  { state: STATES.checkVss, ...vss('VSS hangs after', () => ({ hang: () => 'after' })) },
  { state: STATES.checkVss, ...vss('writes are held too long', () => ({ snapshotMs: 12_000 })) },
  { state: STATES.checkVss, ...vss('a writer fails again and again', () => ({ writerFails: () => '0x800423f3' })) },
  { state: STATES.checkVss, ...vss('VSS fails when all is done', () => ({ failsAfterwards: 'the disk is full' })) },
];

function isVss(input: unknown): boolean {
  return /AWSEC2-/.test((input as { DocumentName?: string }).DocumentName ?? '');
}

function stoppedInTheMiddle(state: string, also: (on: Watch) => void): (on: Watch) => void {
  return (on) => {
    also(on);
    stopInTheMiddle(state).plan(on);
  };
}

/** The call by which a state does what it is there for. */
export const ACTS: Record<string, (entry: LogEntry) => boolean> = {
  [STATES.inspect]: sends('inspect'),
  [STATES.rehearse]: ({ action, input }) => action === 'CreateSnapshots' && isDryRun(input),
  [STATES.freeze]: sends('freeze'),
  [STATES.createSnapshots]: ({ action, input }) => action === 'CreateSnapshots' && !isDryRun(input),
  [STATES.thaw]: sends('thaw'),
  [STATES.createUnfrozen]: ({ action, input }) => action === 'CreateSnapshots' && !isDryRun(input),
  [STATES.snapshotWithVss]: ({ action, input }) => action === 'SendCommand' && isVss(input),
  [STATES.checkVss]: ({ action }) => action === 'ListCommandInvocations',
  // The marks of VSS are not of ours.
  [STATES.grade]: ({ action, input }) => action === 'CreateTags' && JSON.stringify(input).includes('freezeframe:'),
  [STATES.lock]: ({ action }) => action === 'LockSnapshot',
  [STORE_RECEIPT]: ({ action }) => action === 'PutObject',
  [STATES.checkSnapshots]: ({ action, input }) =>
    action === 'DescribeSnapshots' && JSON.stringify(input).includes('"snapshot-id"'),
  [STATES.discard]: ({ action }) => action === 'DeleteSnapshot',
};

const SHARED: Record<string, FunctionName> = {
  [STATES.rehearse]: 'create-snapshots',
  [STATES.createUnfrozen]: 'create-snapshots',
};

/** Just longer than the state waits for its function. */
function lateMs(state: string): number {
  const name = SHARED[state] ?? (state.toLowerCase().replaceAll(' ', '-') as FunctionName);
  return (FUNCTIONS[name].timeoutSeconds + 15) * 1_000;
}

function ofFunction(state: string, name: string, fault: (on: Watch) => LambdaFault): Fault {
  return {
    name,
    plan: (on) => {
      on.functions({
        state,
        when: (event) => concerns(on.account, on.server, event) && isOfWorkflow(event),
        fault: fault(on),
      });
    },
  };
}

/** Thaw also serves the rescue, which faults of the workflow's state leave alone. */
const isOfWorkflow = (event: unknown): boolean => !/"askedBy":"(rescue|sweep)"/.test(JSON.stringify(event));

function call(
  name: string,
  service: string,
  action: string,
  fault: CallFault,
  when: (input: unknown) => boolean = () => true,
): Fault {
  return {
    name,
    plan: ({ account, server, calls }) => {
      calls({
        service,
        action,
        when: (input) => concerns(account, server, input) && when(input),
        fault,
      });
    },
  };
}

function create(name: string, fault: CallFault): Fault {
  return {
    name,
    plan: ({ account, server, calls }) => {
      calls({
        service: 'ec2',
        action: 'CreateSnapshots',
        // Once: what comes after is to find the world in order.
        nth: 1,
        when: (input) => concerns(account, server, input) && !isDryRun(input),
        fault,
      });
    },
  };
}

/** A fault of the calls that bring one document to the host, for three minutes from its first call on. */
function command(name: string, noun: keyof typeof DOCUMENTS, action: string, fault: CallFault, nth?: number): Fault {
  return {
    name,
    plan: ({ account, server, calls }) => {
      const { world, clock } = account;
      let until: number | undefined;
      const isOurs = (input: unknown) => {
        const { DocumentName, CommandId } = input as { DocumentName?: string; CommandId?: string };
        const document =
          DocumentName ?? world.ssm.invocations.find(({ commandId }) => commandId === CommandId)?.document.name;
        return document === DOCUMENTS[noun] && concerns(account, server, input);
      };
      calls({
        service: 'ssm',
        action,
        ...(nth === undefined ? {} : { nth }),
        when: (input) => {
          if (!isOurs(input)) return false;
          until ??= clock.now() + 3 * MINUTES;
          return clock.now() < until;
        },
        fault,
      });
    },
  };
}

function host(name: string, trouble: () => Server['host']['trouble']): Fault {
  return { name: `host ${name}`, plan: ({ server }) => void Object.assign(linux(server).host.trouble, trouble()) };
}

/** A fault of VSS on the instance. */
function vss(name: string, trouble: () => WindowsServer['host']['trouble']): Fault {
  return { name, plan: ({ server }) => void Object.assign(server.host.trouble, trouble()) };
}

function linux(server: AnyServer): Server {
  if (isLinux(server)) return server;
  throw new Error('this fault is of Linux');
}

/** Happens to the host just after the disks have been taken, before CreateSnapshots has answered. */
function whileTaken(name: string, happens: (host: Server['host']) => void): Fault {
  return {
    name: `${name} while the set is taken`,
    plan: ({ server }) => {
      const { disks, host } = linux(server);
      const before = disks.onSnapshot;
      disks.onSnapshot = async (...taken) => {
        await before(...taken);
        happens(host);
      };
    },
  };
}

function once<T>(noun: string, value: T): (document: string) => T | undefined {
  let done = false;
  return (document) => {
    if (document !== noun || done) return undefined;
    done = true;
    return value;
  };
}

function garbled(name: string): (document: string) => string | undefined {
  return (document) => (document === name ? 'bash: cannot make pipe: Too many open files' : undefined);
}

function sends(noun: keyof typeof DOCUMENTS): (entry: LogEntry) => boolean {
  return ({ action, input }) =>
    action === 'SendCommand' && (input as { DocumentName?: string } | undefined)?.DocumentName === DOCUMENTS[noun];
}

function denied(code: string): CallFault {
  return { kind: 'error', code, status: 403 };
}
