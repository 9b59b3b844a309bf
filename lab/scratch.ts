import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Writable } from 'node:stream';

// The keeper reads from a pipe whose other end only this Node process holds. However Node ends, SIGKILL included, the pipe
// closes, and the keeper kills its one child (whose pid cannot be reused before the keeper has waited for it) and removes
// the folder. It has a session of its own: a Ctrl-C in the terminal reaches Node alone, and then the keeper through Node. Its own stderr is nobody's: a word about the killed
// child would go to a pipe that Node has closed, and end the keeper before its work is done.
const KEEPER = `
folder=$1; shift
exec 3<&0 4>&2 </dev/null 2>/dev/null
if [ $# -eq 0 ]; then
  read -r _ <&3
else
  "$@" 2>&4 3<&- 4>&- & child=$!
  { read -r _ <&3; kill -9 "$child"; } 4>&- & watcher=$!
  wait "$child"
  kill "$watcher"
fi
exec rm -rf "$folder"
`;

/** A folder, and perhaps a process in it, that go when `dispose` is called or when this Node process ends in any way. */
export interface Scratch {
  folder: string;
  /** What the process wrote to stderr, its last part. */
  complaints(): string;
  readonly alive: boolean;
  /** The process has ended and the folder is gone. */
  gone: Promise<void>;
  dispose(): Promise<void>;
}

/** `command` gets the folder's path and answers the process to run there, if any. */
export function makeScratch(label: string, command: (folder: string) => string[] = () => []): Scratch {
  const folder = mkdtempSync(join(tmpdir(), `freezeframe-${label}-`));
  const keeper = spawn('/bin/sh', ['-c', KEEPER, 'freezeframe-keeper', folder, ...command(folder)], {
    stdio: ['pipe', 'ignore', 'pipe'],
    detached: true,
  });
  const complaints = tail(keeper);
  let alive = true;
  const gone = new Promise<void>((resolve) => {
    keeper.once('exit', () => {
      alive = false;
      resolve();
    });
  });
  keeper.on('error', () => {});
  keeper.stdin.on('error', () => {});
  // Neither may keep Node alive: Node's end is what they wait for.
  keeper.unref();
  for (const stream of [keeper.stdin, keeper.stderr]) (stream as Writable & { unref?(): void }).unref?.();
  return {
    folder,
    complaints,
    gone,
    get alive() {
      return alive;
    },
    async dispose() {
      keeper.ref();
      keeper.stdin.end();
      await gone;
    },
  };
}

function tail(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    text = (text + bytes).slice(-4000);
  });
  return () => text;
}
