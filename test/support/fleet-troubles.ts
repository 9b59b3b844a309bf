/** What goes wrong in a fleet, here and there: drawn from a seed. */
import { BACKUP, STATES, USER_TAGS } from '../../lambdas/shared/names.ts';
import type { ModelAccount, Server } from './model-account.ts';
import type { Random } from './random.ts';

/** Of a host or its tags: how often, and whether it may end green. */
const TROUBLES = {
  'a slow agent': { share: 0.01, green: true },
  'a freeze that takes its time': { share: 0.01, green: true },
  'a lock that does not come': { share: 0.001, green: false },
  'a freeze that never answers': { share: 0.0005, green: false },
  'a lock that is lost': { share: 0.0005, green: false },
  'an agent that is offline': { share: 0.0005, green: false },
  'no agent': { share: 0.0005, green: false },
  'an unknown policy': { share: 0.0005, green: false },
  'a run stopped while frozen, its watchdog asleep': { share: 0.0005, green: false },
} as const;
export type Trouble = keyof typeof TROUBLES;

export const mayEndGreen = (trouble: Trouble | undefined): boolean => !trouble || TROUBLES[trouble].green;

export const drawTrouble = (random: Random): Trouble | undefined => {
  let left = random.next();
  for (const [trouble, { share }] of Object.entries(TROUBLES)) {
    left -= share;
    if (left < 0) return trouble as Trouble;
  }
  return undefined;
};

export const strike = ({ world }: ModelAccount, { id, host }: Server, trouble: Trouble | undefined): void => {
  const instance = world.ec2.instances.get(id);
  switch (trouble) {
    case 'a slow agent':
      host.trouble.inspectMs = 25_000;
      return;
    case 'a freeze that takes its time':
      host.trouble.freezeMs = 6_000;
      return;
    case 'a lock that does not come':
      host.trouble.fail = (document) => (document === 'freeze' ? 'LockTimeout' : undefined);
      return;
    case 'a freeze that never answers':
      host.trouble.hang = (document) => (document === 'freeze' ? 'after' : undefined);
      return;
    case 'a lock that is lost':
      host.trouble.lostLocks = ['mysql'];
      return;
    case 'an agent that is offline':
      host.online = false;
      return;
    case 'no agent':
      Object.assign(instance ?? {}, { agent: undefined });
      return;
    case 'an unknown policy':
      instance?.tags.set(USER_TAGS.policy, 'nihgtly');
      return;
    case 'a run stopped while frozen, its watchdog asleep':
      host.trouble.watchdogAsleep = true;
      return;
  }
};

/** What fails in AWS: answers lost, services that stumble, functions that die. */
export const strikeAws = (
  { world, deployment: { lambdas }, stepFunctions }: ModelAccount,
  random: Random,
  troubleOf: (instanceId: string) => Trouble | undefined,
): void => {
  const once = (share: number) => () => random.next() < share;
  const stumble = { kind: 'error', code: 'InternalError', status: 500 } as const;
  for (const [service, action, share] of [
    ['ec2', 'DescribeInstances', 0.002],
    ['ec2', 'DescribeSnapshots', 0.002],
    ['ec2', 'CreateTags', 0.002],
    ['ssm', 'GetCommandInvocation', 0.002],
  ] as const) {
    world.faults.add({ service, action, when: once(share), fault: stumble });
  }
  world.faults.add({ service: 'ec2', action: 'CreateSnapshots', when: once(0.001), fault: { kind: 'lostAnswer' } });
  world.faults.add({ service: 'ec2', action: 'CreateSnapshots', when: once(0.0005), fault: stumble });
  for (const state of [STATES.inspect, STATES.createSnapshots, STATES.thaw]) {
    lambdas.faults.add({ state, when: once(0.0003), fault: { kind: 'killAfter', ms: 600 } });
  }
  stepFunctions.onEnter = (run, state) => {
    if (run.machine.name !== BACKUP || state !== STATES.createSnapshots) return;
    const { instanceId } = run.input as { instanceId: string };
    if (troubleOf(instanceId) === 'a run stopped while frozen, its watchdog asleep') run.stop();
  };
};
