import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type * as z from 'zod/mini';
import { HOST_ERRORS } from '../../../lambdas/shared/contracts.ts';
import { VerifyAnswer } from '../../../lambdas/shared/drill-contracts.ts';
import { bodyOf, readScript, scriptsOf } from '../../../lib/documents.ts';

export type Check = z.infer<typeof VerifyAnswer>['checks'][number];

/** An application of a set, as its topology tells it. */
export interface App {
  readonly driver: string;
  readonly name: string;
  readonly dataDir: string;
  readonly mounts?: readonly string[];
}

const RESTORE = 'drill-1';

/**
 * Restored file systems as Restore leaves them, on image files of this machine, and the document as it ships. All of it
 * is mounted in a namespace of its own, so that a test that dies leaves no mount.
 */
export class VerifyHost {
  readonly world = mkdtempSync(join(tmpdir(), 'freezeframe-verify-'));
  readonly under = join(this.world, 'restored');
  /** Bash that is read before the document begins. */
  extra = '';
  /** A folder of programs that goes before those of this machine, on a restored file system. */
  tools = '';
  /** Bash that is run when all is mounted, before the document: how a test breaks what was restored. */
  breakage = '';
  readonly #images: { image: string; path: string; options: string }[] = [];

  constructor() {
    chmodSync(this.world, 0o755);
    mkdirSync(join(this.world, 'etc/freezeframe/verify.d'), { recursive: true });
  }

  /** An ext4 of the restore with these files in it; `path` is where it was on the original. */
  filesystem(path: string, files: string | undefined, { mib = 256, options = 'rw,noatime' } = {}): string {
    const image = join(this.world, `${this.#images.length}.img`);
    execFileSync('truncate', ['-s', `${mib}M`, image]);
    execFileSync('mkfs.ext4', ['-q', '-E', 'lazy_itable_init=1', ...(files ? ['-d', files] : []), image]);
    this.#images.push({ image, path, options });
    return image;
  }

  /** A file below the world, root's alone unless told otherwise. */
  file(path: string, content: string, mode = 0o600): string {
    const at = join(this.world, path);
    mkdirSync(dirname(at), { recursive: true });
    writeFileSync(at, content);
    chmodSync(at, mode);
    return at;
  }

  /** An executable check of the user's. */
  check(name: string, script: string, mode = 0o755): string {
    return this.file(`etc/freezeframe/verify.d/${name}`, `#!/bin/bash\n${script}\n`, mode);
  }

  /** What the document found, by name; throws when it ends with an error. */
  verify(apps: readonly App[] = [], more: VerifyOptions = {}): Check[] {
    const { status, stdout, stderr } = this.run(apps, more);
    if (status !== 0) throw new Error(`Verify ended with ${status}: ${stdout}\n${stderr}`);
    return VerifyAnswer.parse(JSON.parse(stdout)).checks;
  }

  /** The error's code, when the document can't do its work. */
  refusal(apps: readonly App[] = []): string {
    const { status, stdout } = this.run(apps, {});
    const { error } = JSON.parse(stdout) as { error?: { code: keyof typeof HOST_ERRORS } };
    if (error && HOST_ERRORS[error.code] !== status) throw new Error(`${status}: ${stdout}`);
    return error?.code ?? 'ok';
  }

  run(apps: readonly App[], { grade = 'application', minutes = 5 }: VerifyOptions) {
    const lines = [
      `grade ${grade}`,
      ...apps.map(({ driver, name, dataDir, mounts = [] }) =>
        ['app', driver, ...[name, dataDir, ...mounts].map((word) => word.replaceAll(' ', '\\040'))].join(' '),
      ),
    ];
    const parameters = {
      P_RESTORE: RESTORE,
      P_UNDER: this.under,
      P_MINUTES: String(minutes),
      P_PLAN: Buffer.from(`${lines.join('\n')}\n`).toString('base64'),
    };
    const place = `FF_RUN=${this.world}/run FF_ETC=${this.world}/etc FF_TOOLS=${this.tools}`;
    const files = scriptsOf('verify').filter((file) => file !== 'main.sh');
    const script = [
      place,
      ...files.map((file) => bodyOf(readScript(file))),
      this.extra,
      // The checks of this host lie below the world, which a box does not show.
      `eval "every_$(declare -f box_show)"
      box_show() {
        every_box_show "$1"
        if [[ $1 == etc ]]; then mkdir -p "$BOX/root$FF_ETC"; mount --bind "$FF_ETC" "$BOX/root$FF_ETC"; fi
      }`,
      bodyOf(readScript('main.sh')),
    ].join('\n');
    const at = this.file('document', script);
    const mounts = this.#images.map(
      ({ image, path, options }) =>
        `loop=$(losetup -f --show '${image}'); LOOPS+=" $loop"
        mkdir -p '${this.#at(path)}' && mount -t ext4 -o ${options} "$loop" '${this.#at(path)}'`,
    );
    const outer = [
      'set -Eeuo pipefail',
      'mount --make-rprivate /',
      `LOOPS=''; trap 'umount -R -l ${this.under} 2>/dev/null || true; for loop in $LOOPS; do losetup -d $loop; done' EXIT`,
      `mkdir -p ${this.under}; mount -t tmpfs none ${this.under}`,
      ...mounts,
      this.breakage,
      ...Object.entries({ DOCUMENT: 'verify', ...parameters }).map(([name, value]) => `${name}='${value}'`),
      `SCRIPT=$(cat '${at}')`,
      'eval "$SCRIPT"',
    ].join('\n');
    const outerFile = this.file('outer', outer);
    return spawnSync('unshare', ['-m', 'bash', outerFile], { encoding: 'utf8', timeout: 300_000 });
  }

  #at(path: string): string {
    return join(this.under, RESTORE, path);
  }

  /** What is left of a verification: processes, folders, loop devices of ours. */
  get leftovers(): string[] {
    const processes = readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .filter((pid) => read(`/proc/${pid}/environ`).includes(this.world));
    const folder = `${this.world}/run-verify`;
    return [...processes, ...(existsSync(folder) ? [folder] : [])];
  }

  [Symbol.dispose](): void {
    rmSync(this.world, { recursive: true, force: true });
  }
}

export interface VerifyOptions {
  readonly grade?: string;
  readonly minutes?: number;
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};
