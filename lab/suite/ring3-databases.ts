import { refute } from './report.ts';
import type { Case } from './ring3.ts';

/** The database dies, restarts or hangs, while its lock is held and while it is being taken. */
export const databases: readonly Case[] = [
  {
    name: 'database killed while its lock is held',
    async run(stage) {
      const held = await stage.freeze({ lease: 40 });
      await stage.exec('pkill -KILL -x mariadbd');
      // The file systems held; what is lost is the application's part.
      const said = await stage.proves(held, { thawedBy: 'asked', grade: 'filesystem' });
      await stage.exec('for i in {1..60}; do systemctl start mariadb && mariadb-admin ping && break; sleep 1; done', {
        timeoutMs: 120_000,
      });
      await stage.clean();
      return said;
    },
  },
  {
    name: 'database restarted while its lock is held, mode app-only',
    async run(stage) {
      const held = await stage.freeze({ mode: 'app-only', lease: 60 });
      await stage.exec('systemctl restart mariadb', { timeoutMs: 90_000 });
      // Quiet applications are all that this mode has.
      const said = await stage.proves(held, { thawedBy: 'asked', grade: 'crash' });
      await stage.clean();
      return said;
    },
  },
  {
    name: 'connection of the holder killed in the database',
    async run(stage) {
      const held = await stage.freeze({ lease: 60 });
      await stage.exec(`id=$(mariadb -N -e "SELECT ID FROM information_schema.PROCESSLIST WHERE COMMAND = 'Sleep'
        AND USER = 'root' AND DB IS NULL AND ID <> CONNECTION_ID()" | head -n 1); mariadb -e "KILL CONNECTION $id"`);
      const said = await stage.proves(held, { thawedBy: 'asked', grade: 'filesystem' });
      await stage.clean();
      return said;
    },
  },
  {
    name: 'database hung while its lock is held',
    async run(stage) {
      const held = await stage.freeze({ lease: 40 });
      await stage.exec('pkill -STOP -x mariadbd');
      const said = await stage.proves(held, { thawedBy: 'asked', grade: 'filesystem' });
      await stage.clean(20, { database: false });
      await stage.exec('pkill -CONT -x mariadbd');
      await stage.clean();
      return said;
    },
  },
  {
    name: 'database hung while its lock is held, lease runs out',
    async run(stage) {
      const held = await stage.freeze();
      await stage.exec('pkill -STOP -x mariadbd');
      await stage.released(held, { database: false });
      await stage.exec('pkill -CONT -x mariadbd');
      await stage.clean();
      // Whoever comes first: the holder may be waiting for the database's answer when the lease ends.
      return stage.proves(held, { thawedBy: ['lease', 'watchdog'], grade: 'crash' });
    },
  },
  {
    name: 'database hung while its lock is taken',
    async run(stage) {
      const run = stage.newRun();
      const { answer } = await stage.documents.beginFreeze({ run, lease: 30 });
      await stage.when('[ -e /run/freezeframe/active/armed ]');
      await stage.exec('pkill -STOP -x mariadbd');
      const { error, receipt } = await answer;
      await stage.exec('pkill -CONT -x mariadbd');
      await stage.clean();
      refute([receipt && 'it says that it is frozen', error?.code !== 'ApplicationRefused' && `error ${error?.code}`]);
      return `${error?.code}: ${error?.message}`;
    },
  },
  {
    name: 'database killed while its lock is taken',
    async run(stage) {
      const run = stage.newRun();
      const { answer } = await stage.documents.beginFreeze({ run, lease: 30 });
      await stage.when('grep -q app /run/freezeframe/active/journal 2>/dev/null');
      await stage.exec('pkill -KILL -x mariadbd');
      const { error, receipt } = await answer;
      const said = receipt
        ? await stage.proves({ run, receipt }, { thawedBy: 'asked', grade: 'filesystem' })
        : `${error?.code}: ${error?.message}`;
      await stage.exec('for i in {1..60}; do systemctl start mariadb && mariadb-admin ping && break; sleep 1; done', {
        timeoutMs: 120_000,
      });
      await stage.clean();
      refute([error && error.code !== 'ApplicationRefused' && `error ${error.code}: ${error.message}`]);
      return said;
    },
  },
];
