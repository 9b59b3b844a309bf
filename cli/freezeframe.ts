/** `npx freezeframe`: what the operator types. */
import { EXIT } from './failures.ts';
import { main } from './main.ts';
import { Terminal } from './terminal.ts';

const terminal = new Terminal(process.stdout, process.stderr);

// A reader that has seen enough (`| head`) is no fault of ours.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
  process.exit(EXIT.done);
});
process.once('SIGINT', () => {
  terminal.leave();
  process.exit(EXIT.interrupted);
});

process.exitCode = await main(process.argv.slice(2), terminal);
