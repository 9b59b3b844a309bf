import { USER_TAGS } from '../../lambdas/shared/names.ts';
import type { Account } from '../account.ts';
import type { Execution } from '../aws/execution.ts';
import * as workload from '../workload.ts';
import type { Choice } from './matrix.ts';
import { type Report, refute } from './report.ts';
import { type Case, tryCases } from './ring3.ts';
import type { Stage } from './stage.ts';

/** What a host can be like, and what comes in between: a clear name for each, nothing held and nothing half made. */
export async function badLuck(account: Account, report: Report, { only }: Choice): Promise<void> {
  await tryCases(account, report, 'bad-luck', 'Bad luck on real things', CASES, only);
}

const CASES: readonly Case[] = [
  // ------------------------------------------------------------------------------------ refused before anything is frozen
  {
    name: 'degraded array',
    async run(stage) {
      await makeMirror(stage, '--assume-clean');
      try {
        await stage.exec(`mdadm --quiet --manage /dev/md1 --fail "${mirrorDisks(stage)[0]}"`);
        return await refused(stage, 'ArrayDegradedError', 'lacks 1 of its members');
      } finally {
        await breakMirror(stage);
      }
    },
  },
  {
    name: 'resyncing array',
    async run(stage) {
      await stage.exec('sysctl -q dev.raid.speed_limit_max=10 dev.raid.speed_limit_min=1');
      await makeMirror(stage, '');
      try {
        return await refused(stage, 'ArrayResyncingError', 'is in resync');
      } finally {
        await breakMirror(stage);
        await stage.exec('sysctl -q dev.raid.speed_limit_max=200000 dev.raid.speed_limit_min=1000');
      }
    },
  },
  {
    name: 'member of the array left out by its tag',
    async run(stage) {
      const tags = stage.account.world.ec2.volumes.all.get(stage.source.data[1] ?? '')?.tags;
      tags?.set(USER_TAGS.exclude, 'true');
      try {
        return await refused(stage, 'MemberExcludedError', 'take the tag off');
      } finally {
        tags?.delete(USER_TAGS.exclude);
      }
    },
  },
  {
    name: 'agent stopped',
    async run(stage) {
      await stage.host.stopAgent();
      try {
        return await refused(stage, 'AgentOfflineError', '');
      } finally {
        await stage.host.startAgent();
      }
    },
  },
  {
    name: 'volume group without free extents, mode lvm-snapshot',
    async run(stage) {
      await stage.exec('lvcreate -q -y -Wn -Zn -l 100%FREE -n filler vg0');
      return refused(stage, 'ModeNotPossibleError', 'free extents', 'lvm-snapshot');
    },
  },
  // ------------------------------------------------------------------------------------------------------- the application
  {
    name: 'database user without the right RELOAD',
    async run(stage) {
      return applicationRefused(stage, '0600', 'lacks the right RELOAD');
    },
  },
  {
    name: 'password file that others may read',
    async run(stage) {
      return applicationRefused(stage, '0644', 'must belong to root with mode 0600');
    },
  },
  {
    // One on a table without transactions: MariaDB's lock waits for it. A long statement on InnoDB is in nobody's way.
    name: 'a statement runs for long while the lock is wanted',
    async run(stage) {
      await stage.exec(`mariadb -e 'CREATE OR REPLACE TABLE lab.slow (v INT) ENGINE=MyISAM; INSERT INTO lab.slow VALUES (1)'
        systemd-run -q --collect --unit=lab-slow mariadb -e 'UPDATE lab.slow SET v = SLEEP(300)'; sleep 1`);
      const since = await stage.uptime();
      const { error } = await stage.documents.freeze({ run: stage.newRun(), lease: 40, within: 20 });
      const until = await stage.uptime();
      await stage.exec(`mariadb -N -e "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE 'UPDATE lab.slow%'" |
        while read -r id; do mariadb -e "KILL $id"; done`);
      await stage.clean();
      const acknowledged = await workload.acknowledgements(stage.source.machine, 'mariadb');
      const during = acknowledged.filter(({ ms }) => ms > since * 1000 && ms < until * 1000);
      const pause = workload.longestGapMs(during);
      refute([
        error?.code !== 'LockTimeout' && `error ${error?.code}: ${error?.message}`,
        !error?.message.includes('UPDATE') && `it does not name what is in the way: ${error?.message}`,
        // A lock wait of two seconds, and what an emulated processor makes of it.
        pause > 5000 && `writers stood still for ${pause} ms`,
        during.length === 0 && 'writers stood still all the time',
      ]);
      return `${error?.code}: ${error?.message}; longest pause of a writer ${pause} ms`;
    },
  },
  // -------------------------------------------------------------------------------------------------------- the file systems
  {
    name: 'file system frozen by somebody else',
    async run(stage) {
      stage.account.world.ec2.instances.get(stage.source.id)?.tags.set(USER_TAGS.mode, 'fs-freeze');
      await stage.exec('fsfreeze -f /data3');
      const execution = await stage.account.backup(stage.source).ended;
      const left = await stage.leftovers();
      const theirs = await stage.exec('fsfreeze -u /data3 && echo theirs || true');
      const grades = [...stage.account.snapshotsOf(execution.name).values()].map(({ tags }) =>
        tags.get('freezeframe:grade'),
      );
      refute([
        ...wrongEnd(execution, 'AlreadyFrozenError', '/data3'),
        theirs !== 'theirs' && 'their freeze was taken from them',
        grades.some((grade) => grade !== 'crash') && `snapshots of grade ${grades.join()}`,
        ...left.filter((line) => line !== 'a write to /data3 is blocked'),
      ]);
      await stage.clean();
      return `${execution.error}; theirs stays; ${grades.length} snapshots, graded for what they are`;
    },
  },
  {
    // LVM freezes a file system by itself: on one that is frozen already it fails, or leaks a freeze on newer kernels.
    name: 'file system frozen by somebody else, mode lvm-snapshot',
    async run(stage) {
      await stage.exec('fsfreeze -f /data3');
      const { error } = await stage.documents.freeze({ run: stage.newRun(), mode: 'lvm-snapshot', lease: 60 });
      const left = await stage.leftovers();
      const theirs = await stage.exec('fsfreeze -u /data3 && echo theirs || true');
      await stage.clean();
      await stage.exec('umount /data3; mount /dev/vg0/third /data3');
      refute([
        !['AlreadyFrozen', 'FreezeFailed'].includes(error?.code ?? '') && `error ${error?.code}: ${error?.message}`,
        theirs !== 'theirs' && 'their freeze was taken from them',
        ...left.filter((line) => line !== 'a write to /data3 is blocked'),
      ]);
      return `${error?.code}: ${error?.message}`;
    },
  },
  {
    // An image on a file system that somebody else has frozen: the freeze of what is in the image hangs in the kernel.
    name: 'a freeze that hangs, and comes true when nobody wants it any more',
    async run(stage) {
      await stage.exec(`truncate -s 16M /data3/image; mkfs.ext4 -q /data3/image; mkdir -p /image
        mount -o loop /data3/image /image; echo clean >/image/file; sync`);
      const { uptime } = await stage.documents.inspect();
      await stage.exec('echo dirty >/image/file; fsfreeze -f /data3');
      const options = { lease: 25, within: 10, notAfter: Math.floor(uptime) + 25 };
      const { answer } = await stage.documents.beginFreeze({ run: stage.newRun(), ...options });
      // Long after the freeze was given up on.
      await stage.exec('sleep 30; fsfreeze -u /data3');
      const { error, receipt } = await answer;
      await stage.clean();
      await stage.exec('timeout 10 sh -c "echo free >/image/file"; umount /image; rm /data3/image');
      await stage.documents.inspect();
      refute([
        receipt && 'it says that it is frozen',
        // Even the look at the disks may hang on such a host; then the freeze comes too late when it goes on.
        !['FreezeTimeout', 'AlreadyFrozen', 'TooLate'].includes(error?.code ?? '') &&
          `error ${error?.code}: ${error?.message}`,
      ]);
      return `${error?.code}: ${error?.message}`;
    },
  },
  // --------------------------------------------------------------------------------------------------------- what comes late
  {
    name: 'second freeze while the first one holds',
    async run(stage) {
      const held = await stage.freeze({ lease: 60 });
      const { error } = await stage.documents.freeze({ run: stage.newRun() });
      const said = await stage.proves(held, { thawedBy: 'asked', grade: 'application' });
      await stage.clean();
      refute([error?.code !== 'Busy' && `error ${error?.code}`]);
      return `${error?.code}: ${error?.message}; the first one: ${said}`;
    },
  },
  {
    name: 'freeze that was delivered too late',
    async run(stage) {
      const notAfter = Math.floor(await stage.uptime()) - 1;
      return freezeRefused(stage, 'TooLate', { notAfter });
    },
  },
  {
    name: 'host rebooted since it was inspected',
    async run(stage) {
      return freezeRefused(stage, 'Rebooted', { bootId: '00000000-0000-4000-8000-000000000000' });
    },
  },
  {
    name: 'topology changed since the host was inspected',
    async run(stage) {
      await stage.exec(
        'lvcreate -q -y -Wn -L 16M -n filler vg0; mkfs.ext4 -q /dev/vg0/filler; mkdir -p /new; mount /dev/vg0/filler /new',
      );
      try {
        return await freezeRefused(stage, 'TopologyChanged', {});
      } finally {
        await stage.exec('umount /new');
      }
    },
  },
];

/** The workflow ends red at *Inspect host* with this error; no snapshot is made and nothing is left on the host. */
async function refused(stage: Stage, error: string, says: string, mode = 'auto'): Promise<string> {
  stage.account.world.ec2.instances.get(stage.source.id)?.tags.set(USER_TAGS.mode, mode);
  const execution = await stage.account.backup(stage.source).ended;
  const failedAt = execution.history.find(({ type }) => type === 'StateFailed')?.state;
  refute([
    ...wrongEnd(execution, error, says),
    failedAt !== 'Inspect host' && `it failed at ${failedAt}`,
    stage.account.snapshotsOf(execution.name).size > 0 && 'snapshots remain',
    ...(await stage.leftovers()),
  ]);
  return `${execution.error}: ${sentenceOf(execution.cause)}`;
}

/** A function's error comes as JSON; people want its sentence. */
const sentenceOf = (cause = ''): string =>
  cause.startsWith('{') ? (JSON.parse(cause) as { errorMessage: string }).errorMessage : cause;

const wrongEnd = ({ status, error, cause }: Execution, wanted: string, says: string) => [
  status !== 'FAILED' && `the run ended ${status}`,
  error !== wanted && `error ${error}: ${cause}`,
  !cause?.includes(says) && `the cause says: ${cause}`,
];

/**
 * Root may not log in, and the user in our own file has next to no rights: Inspect says why the application can't be
 * quieted, and Freeze refuses to leave it out silently.
 */
async function applicationRefused(stage: Stage, fileMode: string, says: string): Promise<string> {
  await stage.exec(`mariadb -e "
      CREATE OR REPLACE USER weak@localhost IDENTIFIED BY 'secret'; GRANT SELECT ON lab.* TO weak@localhost;
      CREATE OR REPLACE USER admin@localhost IDENTIFIED BY 'secret'; GRANT ALL ON *.* TO admin@localhost WITH GRANT OPTION;
      ALTER USER root@localhost ACCOUNT LOCK"
    install -d /etc/freezeframe; install -m ${fileMode} /dev/null /etc/freezeframe/mysql.cnf
    printf '[client]\\nuser = weak\\npassword = secret\\n' >/etc/freezeframe/mysql.cnf`);
  try {
    const { apps } = await stage.documents.inspect();
    const problem = apps[0]?.problem ?? '';
    const { error } = await stage.documents.freeze({ run: stage.newRun() });
    refute([
      !problem.includes(says) && `Inspect says: ${problem}`,
      error?.code !== 'ApplicationRefused' && `error ${error?.code}: ${error?.message}`,
      ...(await stage.leftovers({ database: false })),
    ]);
    return `${error?.code}: ${error?.message}`;
  } finally {
    await stage.exec(`rm -rf /etc/freezeframe
      mariadb -u admin -psecret -e 'ALTER USER root@localhost ACCOUNT UNLOCK'`);
    await stage.documents.inspect();
  }
}

async function freezeRefused(
  stage: Stage,
  code: string,
  options: { notAfter?: number; bootId?: string },
): Promise<string> {
  const { error } = await stage.documents.freeze({ run: stage.newRun(), ...options });
  refute([error?.code !== code && `error ${error?.code}: ${error?.message}`, ...(await stage.leftovers())]);
  return `${error?.code}: ${error?.message}`;
}

// ------------------------------------------------------------------------------- an array of two volumes beside the first one

/** By the link that EC2's own udev rules make; the shell follows it. */
const mirrorDisks = ({ source }: Stage): string[] =>
  source.data
    .slice(-2)
    .map((id) => `$(realpath /dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_${id.replace('-', '')})`);

async function makeMirror(stage: Stage, option: string): Promise<void> {
  await stage.exec(`mdadm --quiet --create /dev/md1 --run ${option} --metadata=1.2 --level=1 --raid-devices=2 ${mirrorDisks(stage).join(' ')}
    mkfs.ext4 -q /dev/md1; mkdir -p /mirror; mount /dev/md1 /mirror`);
}

async function breakMirror(stage: Stage): Promise<void> {
  await stage.exec('umount /mirror; mdadm --quiet --stop /dev/md1', { mayFail: true });
}
