import { execFileSync } from 'node:child_process';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';

/**
 * Where this machine gets Debian from, as sources.list lines for `release`. Only what calls itself Debian is taken:
 * third-party sources have no place in the guest. A machine without Debian sources names a mirror in
 * FREEZEFRAME_DEBIAN_MIRROR.
 */
export function debianSources(release: string): string[] {
  const mirror = process.env.FREEZEFRAME_DEBIAN_MIRROR;
  return mirror ? [line(mirror, release)] : sourcesFrom(release, indexTargets());
}

/** `targets` has one `origin|label|uri` a line, as apt prints it. */
export function sourcesFrom(release: string, targets: string): string[] {
  const sources = new Set<string>();
  for (const target of targets.split('\n')) {
    const [origin, label, uri] = target.split('|');
    if (origin !== 'Debian' || !uri) continue;
    if (label === 'Debian') {
      sources.add(line(uri, release));
      sources.add(line(uri, `${release}-updates`));
    } else if (label === 'Debian-Security') {
      sources.add(line(uri, `${release}-security`));
    }
  }
  if (sources.size === 0) {
    throw new Error('apt on this machine has no Debian source: name a mirror in FREEZEFRAME_DEBIAN_MIRROR');
  }
  return [...sources];
}

function line(uri: string, suite: string): string {
  return `deb [signed-by=${KEYRING}] ${uri} ${suite} main`;
}

function indexTargets(): string {
  const ask = () =>
    execFileSync('apt-get', ['indextargets', '--format', '$(ORIGIN)|$(LABEL)|$(REPO_URI)', 'Created-By: Packages'], {
      encoding: 'utf8',
    });
  const known = ask();
  if (known.includes('Debian|') || process.getuid?.() !== 0) return known;
  // A fresh machine has no lists yet, and apt does not know the origin of a source before it has its list.
  execFileSync('apt-get', ['-qq', 'update'], { stdio: ['ignore', 'ignore', 'inherit'] });
  return ask();
}
