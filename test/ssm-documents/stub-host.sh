# shellcheck shell=bash disable=SC2034,SC2154
# A host of directories instead of disks: a file system is frozen when a directory says so, an application is locked as
# long as a process of its own lives. Inserted before main.sh, so that everything else runs as it ships. WORLD is where
# the host lies.

prepare_run_directory() { mkdir -p "$FF_RUN/tombstones" "$FF_RUN/receipts" "$FF_RUN/answers"; }

topology_read() {
  FS_MOUNT=("$WORLD/mnt/inner" "$WORLD/mnt/outer") FS_TYPE=(xfs ext4) FS_DEV=(dm-1 dm-0) FS_FREEZABLE=(1 1) FS_LV=('' '')
  FS_LAYERS=(dm-1 dm-0) FS_OWN=('' '') LV_NAME=() LV_DEV=() LV_SEGTYPE=() LV_SIZE_EXTENTS=() LV_POOL=() VG_NAME=() VG_FREE=()
}
topology_hash() { TOPOLOGY_HASH=0; }
mode_possible() { [ "$1" != lvm-snapshot ]; }
lvm_sweep() { :; }
sync_all() { :; }

# As util-linux says it. The path is /proc/self/fd/N of an open mount point, or the mount point itself.
fsfreeze() {
  local flag=$WORLD/frozen/${2##*/}
  case $2 in /proc/self/fd/*) flag=$WORLD/frozen/$(basename "$(readlink "/proc/$BASHPID/fd/${2##*/}")") ;; esac
  if [ -s "$WORLD/slow" ]; then sleep "$(cat "$WORLD/slow")"; fi
  if [ "$1" = -f ]; then
    # shellcheck disable=SC2015
    mkdir "$flag" 2>/dev/null && echo "$RUN" >"$flag/by" || {
      echo "fsfreeze: $2: freeze failed: Device or resource busy"
      return 1
    }
  elif [ -d "$flag" ]; then
    rm -rf "$flag"
  else
    echo "fsfreeze: $2: unfreeze failed: Invalid argument"
    return 1
  fi
}

# This machine's own databases are none of its.
APP_DRIVERS=(mysql)
STUB_PID=''
mysql_detect() {
  app_found mysql 'Stub 1.0' ''
  APP_DIR=("$WORLD/mnt/inner/data") APP_MOUNTS=("$WORLD/mnt/inner") APP_READY=(1)
}
# The lock is the kernel's: it goes with the process, as a server's goes with the session.
mysql_freeze() {
  mark_stalled
  (spawn flock -w 1 "$WORLD/application" sleep 600) </dev/null >/dev/null 2>&1 &
  STUB_PID=$!
  until is_locked "$WORLD/application"; do
    if ! kill -0 "$STUB_PID" 2>/dev/null; then
      fault LockTimeout "the stub application is locked by somebody else"
      return 1
    fi
    sleep 0.01
  done
}
mysql_held() { [ -n "$STUB_PID" ] && kill -0 "$STUB_PID" 2>/dev/null; }
mysql_thaw() {
  if [ -z "$STUB_PID" ]; then return 0; fi
  pkill -9 -P "$STUB_PID" 2>/dev/null || true
  kill -9 "$STUB_PID" 2>/dev/null || true
  STUB_PID=''
}
