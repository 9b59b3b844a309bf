#!/bin/bash
# What Freezeframe is measured against: a pre and post script in the manner of the MySQL example of Amazon Data Lifecycle
# Manager's guide, in words of our own. Its manners are kept, the faults among them: a client takes the lock and ends, all
# mounts but / and /boot are frozen in the order of lsblk, and the thaw of last resort is armed after the freeze.
set -u

uptime_now() { cut -d' ' -f1 /proc/uptime; }

mounts() { lsblk -nlo MOUNTPOINTS | grep '^/' | grep -vE '^/$|^/boot' | sort -u; }

freeze_all() {
  local mount
  stalled=$(uptime_now)
  mariadb -e 'FLUSH TABLES WITH READ LOCK'
  sync
  for mount in $(mounts); do fsfreeze -f "$mount" || exit 201; done
  nohup bash -c "sleep 60; for mount in $(mounts | tr '\n' ' '); do fsfreeze -u \$mount; done" >/dev/null 2>&1 &
  echo "{\"stalledAt\":$stalled,\"frozenAt\":$(uptime_now)}"
}

thaw_all() {
  local mount
  for mount in $(mounts); do fsfreeze -u "$mount" || exit 205; done
  thawed=$(uptime_now)
  mariadb -e 'UNLOCK TABLES'
  pkill -f '^bash -c sleep 60; for mount' || true
  echo "{\"thawedAt\":$thawed}"
}

case $1 in
  pre-script) freeze_all ;;
  post-script) thaw_all ;;
esac
