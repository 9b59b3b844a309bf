import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { freezeParameters } from '../../lambdas/freeze/freeze.ts';
import type { Agent } from '../../lambdas/inspect-host/agent.ts';
import { chooseMode, type Wish } from '../../lambdas/inspect-host/choose-mode.ts';
import type { ReadDocument } from '../../lambdas/inspect-host/hook-document.ts';
import { inspectHost, type World } from '../../lambdas/inspect-host/inspect-host.ts';
import type { Instance } from '../../lambdas/inspect-host/instance.ts';
import type { DescribedVolume } from '../../lambdas/inspect-host/volume-specs.ts';
import { membersOf } from '../../lambdas/inspect-host/volumes.ts';
import { type InspectAnswer, type InspectHostInput, PARAMETER_PATTERNS, Run } from '../../lambdas/shared/contracts.ts';
import {
  BOOT,
  DATA_1,
  DATA_2,
  dataFs,
  hookDocument,
  INSTANCE,
  impossible,
  logFs,
  mariadb,
  NOW,
  postgres,
  ROOT,
  RUN,
  rootFs,
  topology,
} from './builders.ts';
import { awsError, FakeClock, FakeSsm, failure } from './fakes.ts';

/** One instance as EC2, SSM and its host see it. */
const GP3 = { type: 'gp3', sizeGiB: 8, iops: 3000, throughput: 125, encrypted: true, kmsKeyId: 'arn:aws:kms:key' };

class FakeWorld implements World {
  readonly clock = new FakeClock();
  readonly host = new FakeSsm(this.clock);
  readonly pinned: string[] = [];
  readonly readDocuments: string[] = [];
  hookDocument: object = hookDocument();
  known: Instance | undefined = {
    state: 'running',
    type: 'm7i.large',
    windows: false,
    tags: { 'freezeframe:policy': 'nightly' },
    rootDevice: '/dev/xvda',
    devices: [
      { device: '/dev/xvda', volumeId: ROOT, status: 'attached' },
      { device: '/dev/sdf', volumeId: DATA_1, status: 'attached' },
      { device: '/dev/sdg', volumeId: DATA_2, status: 'attached' },
    ],
  };
  registered: Agent | undefined = { version: '3.3.1142.0', ping: 'Online', platform: 'Linux' };
  volumeTags: Record<string, Record<string, string>> = {};
  answer: InspectAnswer = topology();

  constructor(changes: Partial<Instance> = {}) {
    Object.assign(this.known as Instance, changes);
  }

  instance = async () => this.known;
  volumes = async (ids: readonly string[]): Promise<DescribedVolume[]> =>
    ids.map((volumeId) => ({ volumeId, ...GP3, tags: this.volumeTags[volumeId] ?? {} }));
  agent = async () => this.registered;
  pin = async (document: string) => {
    this.pinned.push(document);
    return { version: '7', hash: document };
  };

  read = async (document: string): Promise<ReadDocument> => {
    this.readDocuments.push(document);
    return { version: '3', type: 'Command', status: 'Active', content: JSON.stringify(this.hookDocument) };
  };

  inspect(
    input: Partial<InspectHostInput['input']> = {},
    policies: Partial<InspectHostInput['policies'][string]> = {},
    hookDocuments: string[] = [],
  ) {
    this.host.next({ answer: this.answer });
    const policy = { grade: 'application', onDowngrade: 'keep', leaseSeconds: 30, ...policies } as const;
    return inspectHost(
      {
        input: { instanceId: INSTANCE, ...input },
        run: RUN,
        policies: { nightly: policy, weekly: policy },
        hookDocuments,
      },
      this,
      this.clock,
    );
  }
}

const tagged = (tags: Record<string, string>) => new FakeWorld({ tags: { 'freezeframe:policy': 'nightly', ...tags } });

describe('the turn that a fleet gave', () => {
  const turn = (startBefore: number) => ({ turn: { startBefore, dryRun: false } });

  test('is missed by who asks the host later than that, and the host is not asked', async () => {
    const world = new FakeWorld();
    const error = await failure(world.inspect(turn(NOW - 1_500)));
    assert.equal(error.name, 'TurnMissedError');
    assert.match(error.message, /1\.5 s too late.*lower pacing\.snapshotsPerSecond/);
    assert.deepEqual(world.host.sent, []);
  });

  test('is missed when the command is throttled: where commands are throttled a thaw would be, too', async () => {
    const world = new FakeWorld();
    world.host.next(awsError('ThrottledError'));
    assert.equal((await failure(world.inspect(turn(NOW + 15_000)))).name, 'TurnMissedError');
  });

  test('is nothing that a slow host could miss', async () => {
    const world = new FakeWorld();
    world.host.next({ answer: world.answer, afterMs: 60_000 });
    assert.equal((await world.inspect(turn(NOW + 1_000))).turn?.startBefore, NOW + 1_000);
  });

  test('is not there in a run by hand, whose throttle the workflow waits out', async () => {
    const world = new FakeWorld();
    world.host.next(awsError('ThrottledError'));
    assert.equal((await failure(world.inspect())).name, 'ThrottledError');
  });
});

describe('the hook document of the tag', () => {
  const LISTED = ['Shop-Quiet', 'Mail-Quiet'];
  const chosen = (tags: Record<string, string> = {}) => tagged({ 'freezeframe:hook-document': 'Shop-Quiet', ...tags });
  const inspect = (world: FakeWorld, policy = {}) => world.inspect({}, policy, LISTED);
  /** Of this document, or of these lines of its script. */
  const withDocument = (document: object | string[]) => {
    const world = chosen();
    world.hookDocument = Array.isArray(document) ? hookDocument(document) : document;
    return world;
  };

  test('goes to Inspect and to Freeze with its name and script, and the run knows its version and hash', async () => {
    const world = chosen();
    const run = await inspect(world);
    const script = "#!/bin/bash\nshop-ctl '{{ command }}'";
    const Hook = `Shop-Quiet:${Buffer.from(script).toString('base64')}`;
    assert.deepEqual(world.readDocuments, ['Shop-Quiet']);
    assert.deepEqual(world.host.first.parameters, { Apps: 'auto', Hook });
    assert.equal(freezeParameters(run, NOW).Hook, Hook);
    assert.match(Hook, new RegExp(PARAMETER_PATTERNS.Hook));
    const hash = createHash('sha256').update(script).digest('hex');
    assert.deepEqual([run.hook?.document, run.hook?.version, run.hook?.hash], ['Shop-Quiet', '3', hash]);
  });

  test('is not read where there is no tag, where no application is to be quieted, or of a stopped instance', async () => {
    for (const [world, policy] of [
      [new FakeWorld(), {}],
      [chosen(), { grade: 'filesystem' }],
      [Object.assign(chosen(), { known: { ...chosen().known, state: 'stopped' } }), {}],
    ] as const) {
      const run = await inspect(world, policy);
      assert.deepEqual([world.readDocuments, run.hook, freezeParameters(run, NOW).Hook], [[], undefined, undefined]);
    }
  });

  const BAD_TAGS: [rule: string, tags: Record<string, string>, says: RegExp, changes?: Partial<Instance>][] = [
    [
      'that the plan does not list',
      { 'freezeframe:hook-document': 'Evil' },
      /hook-document = Evil; .*Shop-Quiet, Mail-Quiet/,
    ],
    ['of AWS', { 'freezeframe:hook-document': 'AWS-RunShellScript' }, /AWS-RunShellScript/],
    ['without a name', { 'freezeframe:hook-document': ' ' }, /Shop-Quiet/],
    ['beside applications without hooks', { 'freezeframe:apps': 'mysql' }, /freezeframe:apps = mysql leaves hooks out/],
    ['beside no applications', { 'freezeframe:apps': 'none' }, /leaves hooks out/],
    ['on Windows', {}, /Windows has no hooks/, { windows: true }],
  ];
  for (const [rule, tags, says, changes = {}] of BAD_TAGS) {
    test(`${rule} is refused, and neither it nor the host is asked for`, async () => {
      const world = chosen(tags);
      Object.assign(world.known as Instance, changes);
      const error = await failure(inspect(world));
      assert.equal(error.name, 'BadTagError');
      assert.match(error.message, says);
      assert.deepEqual([world.readDocuments, world.host.sent], [[], []]);
    });
  }
  test('beside hooks and another application is none that is refused', async () =>
    assert.ok((await inspect(chosen({ 'freezeframe:apps': 'mysql hooks' }))).hook));

  const [step] = hookDocument().mainSteps;
  const command = hookDocument().parameters.command;
  const BAD_DOCUMENTS: [rule: string, document: object | string[], says: RegExp][] = [
    ['of another schema', { ...hookDocument(), schemaVersion: '0.3' }, /schemaVersion is "0\.3", expected "2\.2"/],
    ['of two steps', { ...hookDocument(), mainSteps: [step, step] }, /mainSteps .*exactly one step/],
    ['of no step', { ...hookDocument(), mainSteps: [] }, /exactly one step/],
    [
      'of another action',
      { ...hookDocument(), mainSteps: [{ ...step, action: 'aws:runDocument' }] },
      /mainSteps\.0\.action is "aws:runDocument", expected "aws:runShellScript"/,
    ],
    [
      'with a step for Windows',
      { ...hookDocument(), mainSteps: [{ ...step, precondition: { StringEquals: ['platformType', 'Windows'] } }] },
      /precondition\.StringEquals\.1 is "Windows", expected "Linux"/,
    ],
    [
      'with a working directory',
      { ...hookDocument(), mainSteps: [{ ...step, inputs: { ...step?.inputs, workingDirectory: '/srv' } }] },
      /nothing else, but not workingDirectory/,
    ],
    [
      'whose lines are a parameter',
      { ...hookDocument(), mainSteps: [{ ...step, inputs: { runCommand: '{{ command }}' } }] },
      /runCommand is "\{\{ command \}\}", expected the lines of the script/,
    ],
    ['without its parameter', { ...hookDocument(), parameters: {} }, /parameters\.command is missing/],
    [
      'with another parameter',
      { ...hookDocument(), parameters: { command, path: { type: 'String' } } },
      /but not path/,
    ],
    [
      'that does not allow thaw',
      { ...hookDocument(), parameters: { command: { type: 'String', allowedValues: ['freeze', 'held'] } } },
      /command\.allowedValues .*freeze, held and thaw/,
    ],
    [
      'whose parameter comes by the environment',
      { ...hookDocument(), parameters: { command: { type: 'String', interpolationType: 'ENV_VAR' } } },
      /interpolationType is "ENV_VAR".*put in as text/,
    ],
    ['that never looks at its parameter', ['systemctl stop shop'], /does not have \{\{ command \}\}/],
    ['with a stored parameter', ["shop '{{ command }}' {{ssm-secure:shop:1}}"], /has \{\{ssm-secure:shop:1\}\}/],
    ['with a NUL', ["shop '{{ command }}' \0"], /NUL/],
    ['that is too long', ["'{{ command }}'", '#'.repeat(4_081)], /4097 bytes, and 4096 can be carried/],
  ];
  for (const [rule, document, says] of BAD_DOCUMENTS) {
    test(`${rule} is refused before the host is asked`, async () => {
      const world = withDocument(document);
      const error = await failure(inspect(world));
      assert.equal(error.name, 'HookDocumentError');
      assert.match(error.message, says);
      assert.match(error.message, /^the document Shop-Quiet, version 3, can't be a hook: .*take the tag off/);
      assert.deepEqual(world.host.sent, []);
    });
  }

  test('of another type, or that is being made, is refused', async () => {
    for (const [changes, says] of [
      [{ type: 'Automation' }, /of type Automation/],
      [{ status: 'Creating' }, /is Creating/],
    ] as const) {
      const world = chosen();
      const { read } = world;
      world.read = async (name) => ({ ...(await read(name)), ...changes });
      assert.match((await failure(inspect(world))).message, says);
    }
  });

  test('may have blanks of its own around the word, templates of others, and as many bytes as can be carried', async () => {
    const run = await inspect(
      withDocument(["docker ps --format '{{.State}}' {{command}} {{  command }}", '#'.repeat(4_000)]),
    );
    const script = Buffer.from(run.hook?.script ?? '', 'base64').toString();
    assert.match(script, /^docker ps --format '\{\{\.State\}\}' \{\{ command \}\} \{\{ command \}\}\n/);
    const largest = await inspect(withDocument(["'{{ command }}'", '#'.repeat(4_080)]));
    assert.equal(Buffer.from(largest.hook?.script ?? '', 'base64').length, 4_096);
  });
});

describe('a stopped instance', () => {
  test('is asked nothing: its disks are at rest, and promise no more than a crash', async () => {
    const world = new FakeWorld({ state: 'stopped' });
    world.registered = undefined;
    const run = await world.inspect();
    assert.deepEqual([run.mode, run.expected, world.host.sent], ['crash', 'crash', []]);
    assert.deepEqual(
      run.volumes.map(({ volumeId }) => volumeId),
      [ROOT, DATA_1, DATA_2],
    );
  });

  test('is refused where a set of grade crash is not wanted', () =>
    assert.rejects(new FakeWorld({ state: 'stopped' }).inspect({}, { onDowngrade: 'discard' }), {
      name: 'GradeOutOfReachError',
      message: /at rest/,
    }));
});

describe('Inspect host refuses', () => {
  const world = (change: (world: FakeWorld) => void): FakeWorld => {
    const made = new FakeWorld();
    change(made);
    return made;
  };
  const rows: [rule: string, world: FakeWorld, name: string, says: RegExp, input?: { policy: string }][] = [
    ['what is no instance', world((w) => (w.known = undefined)), 'NotAnInstanceError', new RegExp(INSTANCE)],
    ['a terminated instance', new FakeWorld({ state: 'terminated' }), 'NotAnInstanceError', /terminated/],
    ['an instance that is stopping', new FakeWorld({ state: 'stopping' }), 'InstanceNotRunningError', /is stopping/],
    [
      'Windows, as EC2 says, where the agent says Linux',
      new FakeWorld({ windows: true }),
      'UnsupportedPlatformError',
      /Windows as EC2 says/,
    ],
    [
      'macOS, as SSM says',
      world((w) => (w.registered = { version: '3.3.1142.0', ping: 'Online', platform: 'MacOS' })),
      'UnsupportedPlatformError',
      /MacOS/,
    ],
    ['an instance without the policy tag', new FakeWorld({ tags: {} }), 'NotTaggedError', /nightly, weekly/],
    [
      'a policy that the plan lacks',
      tagged({ 'freezeframe:policy': 'hourly' }),
      'UnknownPolicyError',
      /hourly.*it has: nightly, weekly/,
    ],
    [
      'a policy named like an inherited property',
      tagged({ 'freezeframe:policy': 'constructor' }),
      'UnknownPolicyError',
      /constructor/,
    ],
    [
      'several policies with none asked for',
      tagged({ 'freezeframe:policy': 'nightly weekly' }),
      'UnknownPolicyError',
      /"policy":"nightly"/,
    ],
    [
      'a policy that the tag does not name',
      new FakeWorld(),
      'UnknownPolicyError',
      /asks for policy weekly/,
      { policy: 'weekly' },
    ],
    [
      'an unknown mode tag',
      tagged({ 'freezeframe:mode': 'fast' }),
      'BadTagError',
      /= fast; on Linux it may be auto, lvm-snapshot/,
    ],
    ['the Windows mode on Linux', tagged({ 'freezeframe:mode': 'vss' }), 'BadTagError', /vss/],
    ['an apps tag that could be more than letters', tagged({ 'freezeframe:apps': 'my$ql' }), 'BadTagError', /my\$ql/],
    [
      'an apps tag that mixes none with a name',
      tagged({ 'freezeframe:apps': 'none mysql' }),
      'BadTagError',
      /none mysql/,
    ],
    [
      'an instance that SSM does not know',
      world((w) => (w.registered = undefined)),
      'AgentMissingError',
      /AmazonSSMManagedInstanceCore/,
    ],
    [
      'an agent that lost its connection',
      world((w) => (w.registered = { version: '3.3.1142.0', ping: 'ConnectionLost', platform: 'Linux' })),
      'AgentOfflineError',
      /ConnectionLost/,
    ],
    [
      'an agent that may be minutes late',
      world((w) => (w.registered = { version: '3.1.282.0', ping: 'Online', platform: 'Linux' })),
      'AgentTooOldError',
      /3\.1\.282\.0.*AWS-UpdateSSMAgent/,
    ],
    [
      "the host's faults, by the first one's name and all their words",
      world(
        (w) =>
          (w.answer = topology({
            faults: [
              { code: 'ArrayDegraded', message: 'md0 lacks one' },
              { code: 'GroupPartial', message: 'vg lacks one' },
            ],
          })),
      ),
      'ArrayDegradedError',
      /md0 lacks one · vg lacks one/,
    ],
    [
      'a mode tag that the host cannot have',
      world((w) => {
        Object.assign(w.known?.tags ?? {}, { 'freezeframe:mode': 'lvm-snapshot' });
        w.answer = topology({ modes: { ...topology().modes, 'lvm-snapshot': impossible('vg has no free extents') } });
      }),
      'ModeNotPossibleError',
      /lvm-snapshot can't be had.*no free extents.*fs-freeze/,
    ],
  ];
  for (const [rule, made, name, says, input] of rows) {
    test(rule, async () => {
      const error = await failure(made.inspect(input));
      assert.equal(error.name, name, error.message);
      assert.match(error.message, says);
    });
  }

  test('a grade out of reach when the policy wants nothing less', async () => {
    const error = await failure(tagged({ 'freezeframe:mode': 'crash' }).inspect({}, { onDowngrade: 'discard' }));
    assert.equal(error.name, 'GradeOutOfReachError');
    assert.match(error.message, /wants grade application or nothing.*can earn crash/);
  });

  test('a host that was never sent a command when its tags are wrong', async () => {
    const made = tagged({ 'freezeframe:mode': 'fast' });
    await failure(made.inspect());
    assert.equal(made.host.sent.length, 0);
  });
});

describe('Inspect host', () => {
  test("gives the run, with the documents' versions pinned and the host's clock", async () => {
    const world = new FakeWorld();
    const result = await world.inspect();
    assert.deepEqual(Run.parse(result), result);
    assert.equal(result.policy.name, 'nightly');
    assert.deepEqual(world.pinned.sort(), ['Freezeframe-Freeze', 'Freezeframe-Inspect', 'Freezeframe-Thaw']);
    assert.equal(result.documents.thaw.hash, 'Freezeframe-Thaw');
    assert.deepEqual(result.clock, { bootId: BOOT, uptime: 1000.5, sentAt: NOW });
    assert.deepEqual(result.volumes[0], {
      volumeId: ROOT,
      device: '/dev/xvda',
      root: true,
      spec: { ...GP3, tags: {} },
    });
  });

  test('notes what a restore has to know of each volume: its tags, but for AWS’s own and ours', async () => {
    const world = new FakeWorld();
    world.volumeTags[ROOT] = { team: 'a', 'aws:cloudformation:stack-name': 'b', 'freezeframe:exclude': 'false' };
    const result = await world.inspect();
    assert.deepEqual(result.volumes[0]?.spec?.tags, { team: 'a' });
  });

  test('leaves tags out that would make the state of the run too large', async () => {
    const world = new FakeWorld();
    world.volumeTags[ROOT] = Object.fromEntries(Array.from({ length: 160 }, (_, k) => [`tag-${k}`, 'x'.repeat(256)]));
    const result = await world.inspect();
    assert.deepEqual(result.volumes[0]?.spec, { ...GP3, tags: {} });
  });

  test('takes the policy that the input picks among those of the tag', async () => {
    const result = await tagged({ 'freezeframe:policy': 'nightly weekly' }).inspect({ policy: 'weekly' });
    assert.equal(result.policy.name, 'weekly');
  });

  for (const [tag, wanted, apps] of [
    [undefined, 'application', 'auto'],
    ['mysql  postgresql', 'application', 'mysql,postgresql'],
    ['none', 'application', 'none'],
    ['mysql', 'filesystem', 'none'],
  ] as const) {
    test(`looks for applications ${apps} when ${wanted} is wanted and the tag is ${tag}`, async () => {
      const world = tagged(tag === undefined ? {} : { 'freezeframe:apps': tag });
      await world.inspect({}, { grade: wanted });
      assert.deepEqual(world.host.first.parameters, { Apps: apps });
    });
  }
});

describe('the members of the set', () => {
  const members = (change: (world: FakeWorld) => void) => {
    const world = new FakeWorld();
    change(world);
    const volumes = (world.known?.devices ?? []).map(({ volumeId }) => ({
      volumeId,
      tags: world.volumeTags[volumeId] ?? {},
    }));
    return membersOf(world.known as Instance, volumes, world.answer);
  };
  const exclude = (...volumeIds: string[]) =>
    Object.fromEntries(volumeIds.map((id) => [id, { 'freezeframe:exclude': 'true' }]));
  const OTHER = 'vol-00000000000000009';
  const scratch = { ...dataFs, mount: '/scratch', lv: '', disks: ['nvme3n1'] };
  const withScratch = (world: FakeWorld) => {
    world.known?.devices.push({ device: '/dev/sdh', volumeId: OTHER, status: 'attached' });
    world.answer = topology({
      disks: [...topology().disks, { name: 'nvme3n1', kind: 'ebs', volumeId: OTHER }],
      filesystems: [dataFs, scratch, rootFs],
    });
  };

  for (const [rule, change, name, says] of [
    [
      'an EBS disk of the host that EC2 does not have attached',
      (w) => (w.answer = topology({ disks: [...topology().disks, { name: 'nvme9n1', kind: 'ebs', volumeId: OTHER }] })),
      'VolumesMismatchError',
      /vol-00000000000000009 \(nvme9n1\)/,
    ],
    [
      'a volume that the host does not see',
      (w) => w.known?.devices.push({ device: '/dev/sdh', volumeId: OTHER, status: 'attached' }),
      'VolumesMismatchError',
      /attached as \/dev\/sdh, but the host/,
    ],
    [
      'a volume that is being detached',
      (w) => Object.assign(w.known?.devices[1] ?? {}, { status: 'detaching' }),
      'VolumesMismatchError',
      /is detaching/,
    ],
    [
      'one of two members of a volume group excluded',
      (w) => (w.volumeTags = exclude(DATA_1)),
      'MemberExcludedError',
      /file system \/data lies on it/,
    ],
    [
      'one of two members of an array that bears no file system excluded',
      (w) => {
        w.volumeTags = exclude(DATA_2);
        w.answer = topology({
          filesystems: [rootFs],
          apps: [],
          groups: [],
          arrays: [
            {
              name: 'md0',
              uuid: 'm',
              level: 'raid1',
              disks: ['nvme1n1', 'nvme2n1'],
              degraded: 0,
              syncAction: 'idle',
              state: 'clean',
            },
          ],
        });
      },
      'MemberExcludedError',
      /array md0/,
    ],
    [
      'an application that is to be quieted left out as a whole',
      (w) => {
        withScratch(w);
        w.answer = { ...w.answer, apps: [{ ...mariadb, mounts: ['/scratch'] }] };
        w.volumeTags = exclude(OTHER);
      },
      'MemberExcludedError',
      /MariaDB.*freezeframe:apps/,
    ],
    [
      'an application on instance store',
      (w) =>
        (w.answer = topology({
          disks: [...topology().disks, { name: 'nvme4n1', kind: 'instance-store', volumeId: '' }],
          filesystems: [dataFs, { ...rootFs, mount: '/fast', disks: ['nvme4n1'] }, rootFs],
          apps: [{ ...mariadb, mounts: ['/fast'] }],
        })),
      'InstanceStoreMemberError',
      /MariaDB.*nvme4n1/,
    ],
    [
      'an exclude tag that is neither true nor false',
      (w) => (w.volumeTags = { [DATA_1]: { 'freezeframe:exclude': 'yes' } }),
      'BadTagError',
      /= yes/,
    ],
    [
      'every volume excluded',
      (w) => {
        w.volumeTags = exclude(ROOT, DATA_1, DATA_2);
        w.answer = topology({ apps: [] });
      },
      'NothingToSnapshotError',
      /no EBS volume is left/,
    ],
    [
      'more excluded data volumes than one request can leave out',
      (w) => {
        const many = Array.from({ length: 41 }, (_, index) => `vol-1000000000000${String(index).padStart(4, '0')}`);
        for (const [index, volumeId] of many.entries()) {
          w.known?.devices.push({ device: `/dev/sdx${index}`, volumeId, status: 'attached' });
        }
        w.volumeTags = exclude(...many);
      },
      'TooManyExcludedError',
      /41 data volumes/,
    ],
  ] as [string, (world: FakeWorld) => void, string, RegExp][]) {
    test(`refused: ${rule}`, () => {
      assert.throws(() => members(change), { name, message: says });
    });
  }

  test('a volume with a file system of its own can be left out', () => {
    const { volumes, excluded, excludeBoot } = members((w) => {
      withScratch(w);
      w.volumeTags = exclude(OTHER);
    });
    assert.equal(volumes.length, 3);
    assert.deepEqual([excluded, excludeBoot], [[OTHER], false]);
  });

  test('the root volume is left out by a flag, not by its id', () => {
    const { excluded, excludeBoot } = members((w) => (w.volumeTags = exclude(ROOT)));
    assert.deepEqual([excluded, excludeBoot], [[], true]);
  });

  test('an instance store beside the set is nobody’s business', () => {
    const { volumes } = members(
      (w) =>
        (w.answer = topology({
          disks: [...topology().disks, { name: 'nvme4n1', kind: 'instance-store', volumeId: '' }],
        })),
    );
    assert.equal(volumes.length, 3);
  });

  test('a Xen host’s disks are told by the device names that EC2 has for them', () => {
    const { volumes } = members((w) => {
      Object.assign(w.known?.devices[0] ?? {}, { device: '/dev/sda1' });
      Object.assign(w.known ?? {}, { rootDevice: '/dev/sda1' });
      w.answer = topology({
        disks: ['xvda', 'xvdf', 'xvdg'].map((name) => ({ name, kind: 'ebs' as const, volumeId: '' })),
        filesystems: [
          { ...dataFs, disks: ['xvdf', 'xvdg'] },
          { ...rootFs, disks: ['xvda'] },
        ],
        groups: [],
      });
    });
    assert.deepEqual(
      volumes.map(({ volumeId, root }) => [volumeId, root]),
      [
        [ROOT, true],
        [DATA_1, false],
        [DATA_2, false],
      ],
    );
  });
});

describe('choose mode', () => {
  const modes = topology().modes;
  const noLvm = { modes: { ...modes, 'lvm-snapshot': impossible('no LVM here') } };
  const onRoot = { filesystems: [rootFs], apps: [{ ...mariadb, mounts: ['/'] }], groups: [] };
  const rootOnly = {
    ...onRoot,
    modes: { ...modes, 'lvm-snapshot': impossible('no LV'), 'fs-freeze': impossible('only /') },
  };
  const twoLvs = { filesystems: [dataFs, logFs, rootFs] };
  const application: Wish = { wanted: 'application', mode: 'auto', apps: 'auto' };
  const filesystem: Wish = { wanted: 'filesystem', mode: 'auto', apps: 'none' };

  const rows: [
    rule: string,
    changes: Partial<InspectAnswer>,
    wish: Wish,
    mode: string,
    expected: string,
    why: RegExp,
  ][] = [
    [
      'one LV with its application: released before the snapshots',
      {},
      application,
      'lvm-snapshot',
      'application',
      /shortest frozen window/,
    ],
    ['two LVs under one write lock', twoLvs, application, 'lvm-snapshot', 'application', /shortest/],
    [
      'two LVs that no lock spans',
      { ...twoLvs, apps: [postgres] },
      application,
      'fs-freeze',
      'application',
      /not lvm-snapshot, since vg\/data and vg\/log are taken moments apart, and no lock of PostgreSQL/,
    ],
    ['no LVM', noLvm, application, 'fs-freeze', 'application', /not lvm-snapshot, since no LVM here/],
    [
      'a second file system that is on no LV',
      { filesystems: [dataFs, { ...logFs, lv: '' }, rootFs] },
      application,
      'fs-freeze',
      'application',
      /\/log does not lie on an LV/,
    ],
    [
      'an application partly on a file system that is never frozen',
      { apps: [{ ...mariadb, mounts: ['/data', '/'] }] },
      application,
      'fs-freeze',
      'application',
      /does not lie on LVs/,
    ],
    [
      'an application on the root file system, with nothing to freeze',
      rootOnly,
      application,
      'app-only',
      'application',
      /only \//,
    ],
    [
      'an application that is not ready',
      { apps: [{ ...mariadb, ready: false, problem: 'access denied for root@localhost' }] },
      application,
      'lvm-snapshot',
      'filesystem',
      /the most that can be had, filesystem; not application, since MariaDB 10.11 .* access denied/,
    ],
    [
      'an application that is not ready, over two LVs',
      { ...twoLvs, apps: [{ ...mariadb, ready: false, problem: 'access denied' }] },
      application,
      'fs-freeze',
      'filesystem',
      /access denied/,
    ],
    [
      'no application where one is wanted',
      { apps: [] },
      application,
      'lvm-snapshot',
      'filesystem',
      /let the policy want grade filesystem/,
    ],
    [
      'apps none where application is wanted',
      { apps: [] },
      { ...application, apps: 'none' },
      'lvm-snapshot',
      'filesystem',
      /no application is quieted/,
    ],
    [
      'nothing at all to quiet',
      { ...rootOnly, apps: [] },
      application,
      'crash',
      'crash',
      /the most that can be had, crash/,
    ],
    ['file systems on one LV', { apps: [] }, filesystem, 'lvm-snapshot', 'filesystem', /shortest/],
    ['file systems on two LVs', { ...twoLvs, apps: [] }, filesystem, 'fs-freeze', 'filesystem', /moments apart/],
    ['only the root file system', { ...rootOnly, apps: [] }, filesystem, 'crash', 'crash', /the most that can be had/],
    ['no more than crash is wanted', { apps: [] }, { ...filesystem, wanted: 'crash' }, 'crash', 'crash', /shortest/],
    ['the tag decides', {}, { ...application, mode: 'fs-freeze' }, 'fs-freeze', 'application', /as tagged/],
    [
      'the tag decides for less, and why says so',
      {},
      { ...application, mode: 'app-only' },
      'app-only',
      'crash',
      /as tagged; it can earn crash; not application, since MariaDB .* lies on an array/,
    ],
  ];
  for (const [rule, changes, wish, mode, expected, why] of rows) {
    test(`${rule}: ${mode} for ${expected}`, () => {
      const choice = chooseMode(topology(changes), wish);
      assert.deepEqual([choice.mode, choice.expected], [mode, expected], choice.why);
      assert.match(choice.why, why);
    });
  }

  test('a driver with a server that can’t be quieted is left out, since Freeze would refuse it', () => {
    const apps = [mariadb, { ...mariadb, dataDir: '/data/b', ready: false, problem: 'x' }, postgres];
    assert.deepEqual(chooseMode(topology({ apps }), application).apps, ['postgresql']);
  });

  test('in mode crash no application is stalled', () => {
    assert.deepEqual(chooseMode(topology(), { ...application, mode: 'crash' }).apps, []);
  });
});
