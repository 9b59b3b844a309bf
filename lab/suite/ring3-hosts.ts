import { refute } from './report.ts';
import type { Case } from './ring3.ts';
import type { Stage } from './stage.ts';

const FILL_RUN = 'head -c 4G /dev/zero >/run/lab-fill 2>/dev/null || true';

/** The host itself: its memory, clock, disks, power, and one without systemd. */
export const hosts: readonly Case[] = [
  {
    name: '/run full before the freeze',
    async run(stage) {
      await stage.exec(FILL_RUN);
      const { error } = await stage.documents.freeze({ run: stage.newRun() });
      await stage.exec('rm /run/lab-fill');
      refute([error?.code !== 'HostUnfit' && `error ${error?.code}: ${error?.message}`]);
      await stage.clean();
      return `${error?.code}: ${error?.message}`;
    },
  },
  {
    name: '/run full after the freeze, thaw asked for',
    async run(stage) {
      const held = await stage.freeze({ lease: 40 });
      await stage.exec(FILL_RUN);
      const said = await stage.proves(held, { thawedBy: 'asked', grade: 'application' });
      await stage.exec('rm /run/lab-fill');
      await stage.clean();
      return said;
    },
  },
  {
    name: '/run full after the freeze, lease runs out',
    async run(stage) {
      const held = await stage.freeze();
      await stage.exec(FILL_RUN);
      await stage.released(held);
      await stage.exec('rm /run/lab-fill');
      return stage.proves(held, { thawedBy: 'lease', grade: 'crash' });
    },
  },
  {
    name: '/run full after the freeze, holder killed',
    async run(stage) {
      const held = await stage.freeze();
      await stage.exec(`${FILL_RUN}; kill -9 "$(cat /run/freezeframe/active/holder.pid)"`);
      await stage.released(held);
      await stage.exec('rm /run/lab-fill');
      return stage.proves(held, { thawedBy: 'watchdog', grade: 'crash' });
    },
  },
  ...(['+1 hour', '-1 hour'] as const).flatMap((change): Case[] => [
    {
      name: `clock set by ${change}, lease runs out`,
      async run(stage) {
        const held = await stage.freeze();
        await stage.exec(`date -s '${change}'`);
        const early = await stage.leftovers();
        await stage.released(held);
        refute([early.length === 0 && 'the clock alone has thawed it']);
        return stage.proves(held, { thawedBy: 'lease', grade: 'crash' });
      },
    },
    {
      name: `clock set by ${change}, thaw asked for`,
      async run(stage) {
        const held = await stage.freeze({ lease: 40 });
        await stage.exec(`date -s '${change}'`);
        const said = await stage.proves(held, { thawedBy: 'asked', grade: 'application' });
        await stage.clean();
        return said;
      },
    },
  ]),
  {
    name: 'lease runs out before the set is there',
    async run(stage) {
      const held = await stage.freeze({ lease: 15 });
      await stage.released(held);
      return stage.proves(held, { thawedBy: 'lease', grade: 'crash' });
    },
  },
  {
    name: 'lease runs out before the set is there, mode lvm-snapshot',
    async run(stage) {
      const held = await stage.freeze({ mode: 'lvm-snapshot', lease: 50 });
      await stage.released(held);
      return stage.proves(held, { thawedBy: 'lease', grade: 'crash' });
    },
  },
  {
    name: 'mode lvm-snapshot, nothing goes wrong',
    async run(stage) {
      const held = await stage.freeze({ mode: 'lvm-snapshot', lease: 60 });
      const said = await stage.proves(held, { thawedBy: 'asked', grade: 'application' });
      await stage.clean();
      return said;
    },
  },
  {
    name: 'volume group nearly full, LVM snapshot overflows',
    async run(stage) {
      // Of 60 free extents (4 MiB each) the LV of /data3 gets one for its snapshot: the LVs share them by size.
      const free = Number(await stage.exec('vgs --noheadings -o vg_free_count vg0'));
      await stage.exec(`lvcreate -q -y -Wn -Zn -l ${free - 60} -n filler vg0`);
      const held = await stage.freeze({ mode: 'lvm-snapshot', lease: 90 });
      await stage.exec('head -c 12M /dev/urandom >/data3/filler; sync -f /data3');
      const said = await stage.proves(held, { thawedBy: 'asked', grade: 'crash' });
      await stage.clean();
      return said;
    },
  },
  {
    name: 'no systemd: nothing goes wrong',
    async run(stage) {
      stage.documents.systemd = false;
      const held = await stage.freeze({ lease: 40 });
      refute([(await stage.exec('systemctl list-units --no-legend "freezeframe-*"')) !== '' && 'there is a unit']);
      const said = await stage.proves(held, { thawedBy: 'asked', grade: 'application' });
      await stage.clean();
      return said;
    },
  },
  {
    name: 'no systemd: lease runs out',
    async run(stage) {
      stage.documents.systemd = false;
      const held = await stage.freeze();
      await stage.released(held);
      return stage.proves(held, { thawedBy: 'lease', grade: 'crash' });
    },
  },
  {
    name: 'no systemd: holder killed',
    async run(stage) {
      stage.documents.systemd = false;
      const held = await stage.freeze();
      await stage.exec('kill -9 "$(cat /run/freezeframe/active/holder.pid)"');
      await stage.released(held);
      return stage.proves(held, { thawedBy: 'watchdog', grade: 'crash' });
    },
  },
  {
    name: 'no systemd: watchdog killed, lease runs out',
    async run(stage) {
      stage.documents.systemd = false;
      const held = await stage.freeze();
      await stage.exec(`kill -9 $(${ROLE('watchdog')})`);
      await stage.released(held);
      return stage.proves(held, { thawedBy: 'lease', grade: 'crash' });
    },
  },
  {
    // Nobody starts the watchdog again: what holds is the database's lock gone with its session, and the file systems
    // frozen until Thaw comes, which needs neither holder nor watchdog.
    name: 'no systemd: holder and watchdog killed, only Thaw is left',
    async run(stage) {
      stage.documents.systemd = false;
      const held = await stage.freeze({ lease: 60 });
      await stage.exec(`kill -9 $(${ROLE('watchdog')}) "$(cat /run/freezeframe/active/holder.pid)"`);
      const left = await stage.leftovers();
      const said = await stage.proves(held, { thawedBy: 'watchdog', grade: 'crash' });
      await stage.clean();
      refute([!left.includes('a write to /data is blocked') && 'it was thawed before; the comment here is wrong']);
      return `frozen until Thaw; ${said}`;
    },
  },
  {
    name: 'emergency thaw by hand',
    async run(stage) {
      const held = await stage.freeze({ lease: 60 });
      const said = await stage.exec('bash /run/freezeframe/thaw');
      await stage.clean();
      // Nobody can tell whether it came before or after the set: it was not the run that asked.
      const { grade } = await stage.gradeOf(held, await stage.documents.thaw(held.run));
      refute([grade !== 'crash' && `graded ${grade}`]);
      return `${said}, grade ${grade}`;
    },
  },
  {
    name: 'thaw asked for by the rescue',
    async run(stage) {
      const held = await stage.freeze({ lease: 60 });
      const thawed = await stage.documents.thaw(held.run, 'rescue');
      await stage.clean();
      const { grade } = await stage.gradeOf(held, thawed);
      refute([grade !== 'crash' && `graded ${grade}`]);
      return `grade ${grade}`;
    },
  },
  {
    name: 'reboot while frozen, mode fs-freeze',
    async run(stage) {
      const held = await stage.freeze({ lease: 300 });
      await stage.source.machine.reboot({ hard: true });
      return afterReboot(stage, held.run, []);
    },
  },
  {
    name: 'reboot while frozen, mode lvm-snapshot',
    async run(stage) {
      const held = await stage.freeze({ mode: 'lvm-snapshot', lease: 300 });
      await stage.source.machine.reboot({ hard: true });
      return afterReboot(stage, held.run, ['vg0/ff_data', 'vg0/ff_second', 'vg0/ff_third']);
    },
  },
];

const ROLE = (role: string) => `pgrep -f '^bash /run/freezeframe/active/script ${role}'`;

/** A reboot thaws everything; LVM snapshots outlive it and are swept by the next Thaw. */
async function afterReboot(stage: Stage, run: string, strays: readonly string[]): Promise<string> {
  const swept = (await stage.exec('lvs --noheadings -o vg_name,lv_name --separator / @freezeframe'))
    .split('\n')
    .map((name) => name.trim())
    .filter(Boolean);
  // The fstab names the file system by its label, which an LVM snapshot of it bears, too.
  const mounted = await stage.exec('findmnt -n -o SOURCE /data || true');
  await stage.documents.inspect();
  const thawed = await stage.documents.thaw(run);
  await stage.recover();
  await stage.documents.inspect();
  await stage.clean();
  refute([
    mounted !== '' && mounted !== '/dev/mapper/vg0-data' && `${mounted} was mounted on /data`,
    swept.join() !== strays.join() && `LVM snapshots after the reboot: ${swept.join()}`,
    [...thawed.swept].sort().join() !== strays.join() && `swept: ${thawed.swept.join()}`,
    thawed.receipt !== null && 'there is a receipt of a freeze that nobody has seen end',
  ]);
  return strays.length > 0 ? `swept ${thawed.swept.join(', ')}` : 'thawed by the reboot, no receipt';
}
