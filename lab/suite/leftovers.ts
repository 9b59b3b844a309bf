import type { GuestHost } from '../guest-host.ts';
import type { Topology } from '../workload.ts';

/** Where a topology's data is mounted. */
export const mountsOf = (topology: Topology): string[] =>
  topology === 'root' ? ['/'] : ['/data', ...(topology === 'data-and-log' ? ['/log'] : [])];

/**
 * What a freeze has left behind on a host: blocked writes, a held database, units, processes, files, LVM snapshots.
 * Empty when the host is as if nothing had happened. Asked through the lab's own channel, which no freeze can hold up.
 */
export async function leftovers(
  host: GuestHost,
  mounts: readonly string[],
  { database = true, patienceSeconds = 5 } = {},
): Promise<string[]> {
  const { stdout } = await host.exec(LEFTOVERS, { args: [database ? 'yes' : 'no', `${patienceSeconds}`, ...mounts] });
  return stdout.split('\n').filter(Boolean);
}

/** Asks again until nothing is left or the host's uptime is past `until`; answers what is left then. */
export async function settled(
  host: GuestHost,
  mounts: readonly string[],
  until: number,
  options: { database?: boolean } = {},
): Promise<string[]> {
  for (;;) {
    const uptime = await uptimeOf(host);
    const left = await leftovers(host, mounts, { ...options, patienceSeconds: 2 });
    if (left.length === 0) return left;
    if (uptime > until) return leftovers(host, mounts, options);
  }
}

/** Seconds on the host's boot clock, the one of the receipts. */
export async function uptimeOf(host: GuestHost): Promise<number> {
  const { stdout } = await host.exec('read -r up _ </proc/uptime; echo "$up"');
  return Number(stdout);
}

// A blocked write ignores SIGKILL, so that nothing here waits for one.
const LEFTOVERS = `
database=$1 patience=$2; shift 2
declare -A doing=()
for mount in "$@"; do
  { : >"$mount/.probe-$$" && rm "$mount/.probe-$$"; } 2>/dev/null & doing[$!]="a write to $mount"
done
if [ "$database" = yes ]; then
  timeout -s KILL 60 mariadb -e 'INSERT INTO lab.probe VALUES (NULL)' >/dev/null 2>&1 & doing[$!]='an INSERT'
fi
for ((tries = patience * 20; tries > 0; tries--)); do
  [ -n "$(jobs -rp)" ] || break
  sleep 0.05
done
blocked=" $(jobs -rp | tr '\\n' ' ') "
for pid in "\${!doing[@]}"; do
  if [[ $blocked == *" $pid "* ]]; then echo "\${doing[$pid]} is blocked"; disown "$pid"
  elif ! wait "$pid"; then echo "\${doing[$pid]} fails"; fi
done
if [ -e /run/freezeframe/active ]; then echo "/run/freezeframe/active: $(cat /run/freezeframe/active/run 2>/dev/null)"; fi
systemctl list-units --all --plain --no-legend 'freezeframe-*' | while read -r unit rest; do echo "unit $unit ($rest)"; done
pgrep -af '^bash /run/freezeframe/active/script' | sed 's/^/process /'
lvs --noheadings -o vg_name,lv_name --separator / @freezeframe 2>/dev/null | sed 's/^ */LVM snapshot /'
true
`;
