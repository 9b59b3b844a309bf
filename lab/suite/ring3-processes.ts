import { refute } from './report.ts';
import type { Case } from './ring3.ts';
import type { Stage } from './stage.ts';

const HOLDER = 'cat /run/freezeframe/active/holder.pid';
const WATCHDOG = 'systemctl show -p MainPID --value freezeframe-watchdog';

/** The processes of the freeze and of the agent: killed, stopped, hung. */
export const processes: readonly Case[] = [
  {
    name: 'nothing goes wrong',
    async run(stage) {
      const held = await stage.freeze({ lease: 60 });
      await stillFrozen(stage);
      const said = await stage.proves(held, { thawedBy: 'asked', grade: 'application' });
      await stage.clean();
      return said;
    },
  },
  {
    name: 'holder killed',
    async run(stage) {
      const held = await stage.freeze();
      await stage.exec(`kill -9 "$(${HOLDER})"`);
      // At once, and not only at the end of the lease: the kernel frees a dead holder's lock.
      await stage.clean(held.receipt.leaseSeconds / 2);
      return stage.proves(held, { thawedBy: 'watchdog', grade: 'crash' });
    },
  },
  {
    name: 'holder killed, mode lvm-snapshot',
    async run(stage) {
      const held = await stage.freeze({ mode: 'lvm-snapshot', lease: 40 });
      await stage.exec(`kill -9 "$(${HOLDER})"`);
      await stage.clean();
      return stage.proves(held, { thawedBy: 'watchdog', grade: 'crash' });
    },
  },
  {
    name: 'watchdog killed, thaw asked for',
    async run(stage) {
      const held = await stage.freeze();
      await stage.exec(`kill -9 "$(${WATCHDOG})"`);
      const said = await stage.proves(held, { thawedBy: 'asked', grade: 'application' });
      await stage.clean();
      return said;
    },
  },
  {
    name: 'watchdog killed, lease runs out',
    async run(stage) {
      const held = await stage.freeze();
      await stage.exec(`kill -9 "$(${WATCHDOG})"`);
      await stage.released(held);
      return stage.proves(held, { thawedBy: 'lease', grade: 'crash' });
    },
  },
  {
    name: 'watchdog killed, then the holder',
    async run(stage) {
      const held = await stage.freeze();
      await stage.exec(`kill -9 "$(${WATCHDOG})"; sleep 1; kill -9 "$(${HOLDER})"`);
      await stage.released(held);
      return stage.proves(held, { thawedBy: 'watchdog', grade: 'crash' });
    },
  },
  {
    name: 'holder and watchdog killed at once',
    async run(stage) {
      const held = await stage.freeze();
      await stage.exec(`kill -9 "$(${WATCHDOG})" "$(${HOLDER})"`);
      // systemd starts the watchdog again; it finds everything in /run.
      await stage.released(held);
      return stage.proves(held, { thawedBy: 'watchdog', grade: 'crash' });
    },
  },
  {
    name: 'holder stopped (SIGSTOP), nobody asks',
    async run(stage) {
      const held = await stage.freeze();
      await stage.exec(`kill -STOP "$(${HOLDER})"`);
      await stage.released(held);
      return stage.proves(held, { thawedBy: 'watchdog', grade: 'crash' });
    },
  },
  {
    name: 'holder stopped (SIGSTOP), thaw asked for',
    async run(stage) {
      const held = await stage.freeze({ lease: 40 });
      await stage.exec(`kill -STOP "$(${HOLDER})"`);
      const said = await stage.proves(held, { thawedBy: 'watchdog', grade: 'crash' });
      await stage.clean();
      return said;
    },
  },
  {
    name: 'unit of the holder stopped',
    async run(stage) {
      const held = await stage.freeze({ lease: 40 });
      await stage.exec('systemctl stop freezeframe-holder');
      await stage.clean();
      return stage.proves(held, { thawedBy: 'error', grade: 'crash' });
    },
  },
  {
    name: 'unit of the watchdog stopped',
    async run(stage) {
      const held = await stage.freeze({ lease: 40 });
      await stage.exec('systemctl stop freezeframe-watchdog');
      await stage.clean();
      return stage.proves(held, { thawedBy: 'watchdog', grade: 'crash' });
    },
  },
  {
    name: 'agent killed, lease runs out',
    async run(stage) {
      const held = await stage.freeze({ lease: 40 });
      await stage.host.stopAgent({ crash: true });
      await stillFrozen(stage);
      await stage.released(held);
      await stage.host.startAgent();
      return stage.proves(held, { thawedBy: 'lease', grade: 'crash' });
    },
  },
  {
    name: 'agent stopped and started, thaw asked for',
    async run(stage) {
      const held = await stage.freeze({ lease: 60 });
      await stage.host.stopAgent();
      await stage.host.startAgent();
      await stillFrozen(stage);
      const said = await stage.proves(held, { thawedBy: 'asked', grade: 'application' });
      await stage.clean();
      return said;
    },
  },
];

/** The opposite of what all these cases are about: the freeze does hold. */
async function stillFrozen(stage: Stage): Promise<void> {
  const left = await stage.leftovers({ patienceSeconds: 1 });
  refute(stage.mounts.map((mount) => !left.includes(`a write to ${mount} is blocked`) && `${mount} is not frozen`));
}
