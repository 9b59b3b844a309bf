import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { PlanError, parsePlan } from '../../lib/plan.ts';

const POLICY = { schedule: 'rate(1 day)', retain: { last: 3 } };
const withPolicy = (changes: object) => ({ policies: { nightly: { ...POLICY, ...changes } } });

function faultsOf(plan: unknown): readonly string[] {
  try {
    parsePlan(plan);
  } catch (error) {
    assert.ok(error instanceof PlanError);
    assert.equal(error.message, error.faults.join('\n'));
    return error.faults;
  }
  return [];
}

describe('a wrong plan stops the synth with one line that names the place, the value and what is expected', () => {
  const A_LEASE = 'expected a whole number of seconds from 20 to 300';
  const A_TIME_ZONE = 'expected an IANA time zone such as Europe/Berlin';
  const A_REGION = 'expected a Region such as eu-west-1';
  const A_NAME = 'expected a name of 1 to 32 lower-case letters, digits and dashes that starts with a letter';
  const A_POLICY_KEY =
    'expected one of schedule, timeZone, grade, onDowngrade, freeze, windowMinutes, rpoHours, retain, archive, lock, copyTo, drill';
  const A_KEY = 'expected the ARN of a KMS key (or of its alias) in the Region of the copy';
  const A_HOOK_DOCUMENT =
    'expected the name of an SSM document of your own: 3 to 128 letters, digits, _ . and -, not begun with aws, amazon, amzn or Freezeframe-';
  const nightly = 'freezeframe.policies.nightly';

  const CASES: ReadonlyArray<readonly [title: string, plan: unknown, fault: string]> = [
    [
      'no plan at all',
      undefined,
      'freezeframe: got nothing; expected a plan in the context of cdk.json: { "policies": { "nightly": { … } } }',
    ],
    [
      'a plan given as text',
      'nightly',
      'freezeframe: got "nightly"; expected a plan in the context of cdk.json: { "policies": { "nightly": { … } } }',
    ],
    ['no policies', {}, 'freezeframe.policies: got nothing; expected policies by their names'],
    ['an empty list of policies', { policies: {} }, 'freezeframe.policies: got {}; expected at least one policy'],
    ['policies as an array', { policies: [] }, 'freezeframe.policies: got []; expected policies by their names'],
    [
      'a policy that is no object',
      { policies: { nightly: 'cron' } },
      `${nightly}: got "cron"; expected a policy: { "schedule": "cron(0 3 * * ? *)", "retain": { "daily": 7 } }`,
    ],
    [
      'a policy name in capitals',
      { policies: { Nightly: POLICY } },
      `freezeframe.policies.Nightly: got the name "Nightly"; ${A_NAME}`,
    ],
    [
      'a policy name of two words',
      { policies: { 'a b': POLICY } },
      `freezeframe.policies["a b"]: got the name "a b"; ${A_NAME}`,
    ],
    [
      'a policy name that starts with a digit',
      { policies: { '1st': POLICY } },
      `freezeframe.policies.1st: got the name "1st"; ${A_NAME}`,
    ],
    [
      'a policy name of 33 letters',
      { policies: { ['a'.repeat(33)]: POLICY } },
      `freezeframe.policies.${'a'.repeat(33)}: got the name "${'a'.repeat(33)}"; ${A_NAME}`,
    ],
    [
      'a misspelt key of the plan',
      { ...withPolicy({}), notfy: 'a@b.org' },
      'freezeframe.notfy: got "a@b.org" under an unknown key; expected one of policies, pacing, restore, hookDocuments, notify',
    ],
    [
      'a misspelt key of a policy',
      withPolicy({ scedule: 1 }),
      `${nightly}.scedule: got 1 under an unknown key; ${A_POLICY_KEY}`,
    ],
    [
      'a misspelt kind of retention',
      withPolicy({ retain: { last: 1, dayly: 7 } }),
      `${nightly}.retain.dayly: got 7 under an unknown key; expected one of last, daily, weekly, monthly, yearly, days, finalDays`,
    ],
    [
      'no schedule',
      withPolicy({ schedule: undefined }),
      `${nightly}.schedule: got nothing; expected a schedule such as cron(0 3 * * ? *) or rate(12 hours)`,
    ],
    [
      'a schedule that EventBridge Scheduler would refuse',
      withPolicy({ schedule: 'rate(1 days)' }),
      `${nightly}.schedule: got "rate(1 days)"; expected rate(1 day), in the singular`,
    ],
    [
      'a time zone that does not exist',
      withPolicy({ timeZone: 'Europe/Berlim' }),
      `${nightly}.timeZone: got "Europe/Berlim"; ${A_TIME_ZONE}`,
    ],
    [
      'a time zone by its offset',
      withPolicy({ timeZone: '+01:00' }),
      `${nightly}.timeZone: got "+01:00"; ${A_TIME_ZONE}`,
    ],
    [
      'an unknown grade',
      withPolicy({ grade: 'perfect' }),
      `${nightly}.grade: got "perfect"; expected crash, filesystem or application`,
    ],
    [
      'an unknown way to downgrade',
      withPolicy({ onDowngrade: 'panic' }),
      `${nightly}.onDowngrade: got "panic"; expected keep or discard`,
    ],
    [
      'a lease too short for the frozen window',
      withPolicy({ freeze: { leaseSeconds: 5 } }),
      `${nightly}.freeze.leaseSeconds: got 5; ${A_LEASE}`,
    ],
    [
      'a lease that no application would bear',
      withPolicy({ freeze: { leaseSeconds: 301 } }),
      `${nightly}.freeze.leaseSeconds: got 301; ${A_LEASE}`,
    ],
    [
      'half a second of lease',
      withPolicy({ freeze: { leaseSeconds: 30.5 } }),
      `${nightly}.freeze.leaseSeconds: got 30.5; ${A_LEASE}`,
    ],
    [
      'a lease in words',
      withPolicy({ freeze: { leaseSeconds: '30' } }),
      `${nightly}.freeze.leaseSeconds: got "30"; ${A_LEASE}`,
    ],
    [
      'retention of nothing',
      withPolicy({ retain: { daily: 0 } }),
      `${nightly}.retain: got {"daily":0}; expected at least one of last, daily, weekly, monthly, yearly, days above 0: this policy would keep nothing`,
    ],
    [
      'no retention',
      withPolicy({ retain: undefined }),
      `${nightly}.retain: got nothing; expected what to keep: last, daily, weekly, monthly, yearly, days`,
    ],
    [
      'a negative retention',
      withPolicy({ retain: { last: -1 } }),
      `${nightly}.retain.last: got -1; expected a whole number of sets, 0 or more`,
    ],
    [
      'an unknown lock mode',
      withPolicy({ lock: { mode: 'strict', days: 7 } }),
      `${nightly}.lock.mode: got "strict"; expected governance or compliance`,
    ],
    [
      'a lock without end',
      withPolicy({ lock: { mode: 'governance' } }),
      `${nightly}.lock.days: got nothing; expected a whole number of days from 1 to 36500`,
    ],
    [
      'a lock longer than EBS knows',
      withPolicy({ lock: { mode: 'governance', days: 36501 } }),
      `${nightly}.lock.days: got 36501; expected a whole number of days from 1 to 36500`,
    ],
    [
      'a Region that does not exist',
      withPolicy({ copyTo: [{ region: 'eu-wst-1' }] }),
      `${nightly}.copyTo[0].region: got "eu-wst-1"; ${A_REGION}`,
    ],
    [
      'an Availability Zone for a Region',
      withPolicy({ copyTo: [{ region: 'eu-west-1a' }] }),
      `${nightly}.copyTo[0].region: got "eu-west-1a"; ${A_REGION}`,
    ],
    [
      'one copy without its list',
      withPolicy({ copyTo: { region: 'eu-west-1' } }),
      `${nightly}.copyTo: got {"region":"eu-west-1"}; expected a list of copies: [{ "region": "eu-west-1" }]`,
    ],
    [
      'a copy in a time that EC2 does not take',
      withPolicy({ copyTo: [{ region: 'eu-west-1', completionMinutes: 20 }] }),
      `${nightly}.copyTo[0].completionMinutes: got 20; expected a multiple of 15 minutes from 15 to 2880`,
    ],
    [
      'an archive of sets that are still wanted',
      withPolicy({ archive: { afterDays: 1 } }),
      `${nightly}.archive.afterDays: got 1; expected a whole number of days, 7 or more`,
    ],
    [
      'copies in two partitions',
      withPolicy({ copyTo: [{ region: 'eu-west-1' }, { region: 'cn-north-1' }] }),
      `${nightly}.copyTo: got [{"region":"eu-west-1"},{"region":"cn-north-1"}]; expected Regions of one partition: snapshots are not copied between partitions`,
    ],
    [
      'the same copy twice',
      withPolicy({ copyTo: [{ region: 'eu-west-1' }, { region: 'eu-west-1' }] }),
      `${nightly}.copyTo: got [{"region":"eu-west-1"},{"region":"eu-west-1"}]; expected each Region and account once`,
    ],
    [
      'an account id as a number, which loses its leading zeros',
      withPolicy({ copyTo: [{ region: 'eu-west-1', account: 123456789012 }] }),
      `${nightly}.copyTo[0].account: got 123456789012; expected an account id of 12 digits, as a string`,
    ],
    [
      'a key id for a key ARN',
      withPolicy({ copyTo: [{ region: 'eu-west-1', kmsKeyArn: 'abc' }] }),
      `${nightly}.copyTo[0].kmsKeyArn: got "abc"; ${A_KEY}`,
    ],
    [
      'a key of another Region',
      withPolicy({ copyTo: [{ region: 'eu-west-1', kmsKeyArn: 'arn:aws:kms:eu-west-2:123456789012:key/1-a' }] }),
      `${nightly}.copyTo[0].kmsKeyArn: got "arn:aws:kms:eu-west-2:123456789012:key/1-a"; ${A_KEY}`,
    ],
    [
      'a window of a minute',
      withPolicy({ windowMinutes: 1 }),
      `${nightly}.windowMinutes: got 1; expected a whole number of minutes from 5 to 1440`,
    ],
    [
      'a recovery point objective of no time',
      withPolicy({ rpoHours: 0 }),
      `${nightly}.rpoHours: got 0; expected a whole number of hours from 1 to 8784`,
    ],
    [
      'a pace of nothing a second',
      { ...withPolicy({}), pacing: { snapshotsPerSecond: 0 } },
      'freezeframe.pacing.snapshotsPerSecond: got 0; expected a number from 0.1 to 1000',
    ],
    [
      'a burst of half a snapshot',
      { ...withPolicy({}), pacing: { burst: 0.5 } },
      'freezeframe.pacing.burst: got 0.5; expected a whole number from 1 to 1000',
    ],
    ...[
      ['a hook document of AWS', 'AWS-RunShellScript'],
      ['a hook document of ours', 'Freezeframe-Freeze'],
      ['a hook document of a reserved name', 'amazonHook'],
      ['a hook document of another account', 'arn:aws:ssm:eu-central-1:111122223333:document/Shop'],
      ['a hook document of two letters', 'ab'],
      ['a hook document that is a pattern', 'Shop-*'],
    ].map(([title = '', name]): [string, unknown, string] => [
      title,
      { ...withPolicy({}), hookDocuments: ['Shop-Quiet', name] },
      `freezeframe.hookDocuments[1]: got "${name}"; ${A_HOOK_DOCUMENT}`,
    ]),
    [
      'a hook document without a list',
      { ...withPolicy({}), hookDocuments: 'Shop-Quiet' },
      'freezeframe.hookDocuments: got "Shop-Quiet"; expected a list of SSM documents by their names',
    ],
    [
      'a hook document named twice',
      { ...withPolicy({}), hookDocuments: ['Shop-Quiet', 'Shop-Quiet'] },
      'freezeframe.hookDocuments: got ["Shop-Quiet","Shop-Quiet"]; expected each document once',
    ],
    [
      'more hook documents than a policy of IAM has room for',
      { ...withPolicy({}), hookDocuments: Array.from({ length: 21 }, (_, n) => `D${n + 10}`) },
      'freezeframe.hookDocuments: got ["D10","D11","D12","D13","D14","D15","D16","D17","D18","D19","D20","D21","D22...; expected at most 20 documents',
    ],
    [
      'somebody to notify who has no address',
      { ...withPolicy({}), notify: 'ops' },
      'freezeframe.notify: got "ops"; expected an e-mail address',
    ],
  ];

  for (const [title, plan, fault] of CASES) {
    it(title, () => assert.deepEqual(faultsOf(plan), [fault]));
  }

  it('says all faults at once, one line each', () => {
    const faults = faultsOf({ policies: { a: { ...POLICY, grade: 1 }, b: { schedule: 'daily' } }, notify: 7 });
    assert.deepEqual(
      faults.map((fault) => fault.split(':')[0]),
      [
        'freezeframe.policies.a.grade',
        'freezeframe.policies.b.schedule',
        'freezeframe.policies.b.retain',
        'freezeframe.notify',
      ],
    );
  });

  it('shortens a long value, so that a fault stays a line', () => {
    const [fault = ''] = faultsOf({ ...withPolicy({}), notify: 'x'.repeat(5000) });
    assert.ok(fault.length < 200, fault);
  });
});

describe('a plan', () => {
  it('needs no more than a schedule and a retention; the rest has defaults', () => {
    assert.deepEqual(parsePlan({ policies: { nightly: { schedule: 'rate(1 day)', retain: { last: 3 } } } }), {
      policies: {
        nightly: {
          schedule: 'rate(1 day)',
          timeZone: 'UTC',
          grade: 'application',
          onDowngrade: 'keep',
          freeze: { leaseSeconds: 30 },
          windowMinutes: 720,
          retain: { last: 3, daily: 0, weekly: 0, monthly: 0, yearly: 0, days: 0, finalDays: 365 },
          copyTo: [],
        },
      },
      pacing: { snapshotsPerSecond: 4.9, burst: 25 },
      restore: { roles: [] },
      hookDocuments: [],
    });
  });

  for (const region of [
    'eu-west-1',
    'us-gov-west-1',
    'cn-northwest-1',
    'ap-southeast-5',
    'il-central-1',
    'eusc-de-east-1',
  ]) {
    it(`may copy to ${region}`, () => assert.deepEqual(faultsOf(withPolicy({ copyTo: [{ region }] })), []));
  }

  for (const timeZone of ['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires', 'Etc/GMT+5']) {
    it(`may live in ${timeZone}`, () => assert.deepEqual(faultsOf(withPolicy({ timeZone })), []));
  }

  it('in cdk.json is a good one', () => {
    const { context } = JSON.parse(readFileSync(new URL('../../cdk.json', import.meta.url), 'utf8'));
    assert.deepEqual(faultsOf(context.freezeframe), []);
  });
});
