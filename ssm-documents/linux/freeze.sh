#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2154
# Document Freeze: everything that takes time or can be refused is done first; then the watchdog is armed, then the
# holder freezes. This script only waits for the holder's answer and may be killed at any moment.

freeze_main() {
  RUN=$P_RUN MODE=$P_MODE LEASE=$((10#$P_LEASE)) WITHIN=$((10#$P_WITHIN))
  host_id
  HOST_ID=$REPLY
  prepare_run_directory
  tools_present
  # One at a time through the preparations; the kernel gives the lock back should we be killed.
  exec 6>"$FF_RUN/lock"
  flock -w 5 6 || fail Busy "another freeze is being prepared on this host; wait for it to end"
  check_wanted 0
  clear_way
  preflight
  # Had it taken longer than the lease, nobody would wait for this freeze any more.
  check_wanted "$LEASE"
  arm
  exec 6>&-
  await_answer
}

tools_present() {
  local tool
  for tool in flock fsfreeze setsid sha256sum grep; do
    command -v "$tool" >/dev/null || fail HostUnfit "$tool is missing; install util-linux and coreutils"
  done
}

# A command may be delivered minutes late, twice, or after the run gave up. Argument: seconds of grace.
check_wanted() {
  local late
  if is_buried "$RUN"; then fail AlreadyThawed "run $RUN was thawed already; a freeze now would have nobody to thaw it"; fi
  boot_id
  BOOT_ID=$REPLY
  if [ "$BOOT_ID" != "$P_BOOTID" ]; then fail Rebooted "the host has rebooted since it was inspected; start the run again"; fi
  now_cs
  late=$((REPLY / 100 - 10#$P_NOTAFTER - $1))
  if [ "$late" -gt 0 ]; then
    fail TooLate "this freeze came $late s too late; see what keeps the SSM agent busy, and start the run again"
  fi
}

# At most one freeze; what a killed one left behind is released before a new one starts.
clear_way() {
  if [ ! -d "$ACTIVE" ]; then return; fi
  local other=unknown
  read -r other <"$ACTIVE/run" || true
  if [ ! -e "$ACTIVE/done" ] && { is_locked "$ACTIVE/holder.lock" || is_locked "$ACTIVE/watchdog.lock"; }; then
    fail Busy "run $other holds this host; wait for it to end, or thaw it with: bash $FF_RUN/thaw"
  fi
  exec 6>&-
  rescue_apart "$other"
  exec 6>"$FF_RUN/lock"
  flock -w 5 6 || fail Busy "another freeze is being prepared on this host; wait for it to end"
  if [ -d "$ACTIVE" ]; then fail Busy "what an earlier freeze left behind can't be cleared; run: bash $FF_RUN/thaw"; fi
}

preflight() {
  if ! { head -c 1048576 /dev/zero >"$FF_RUN/answers/.room"; } 2>/dev/null; then
    rm -f "$FF_RUN/answers/.room"
    fail HostUnfit "/run has less than 1 MiB left; make room in it"
  fi
  rm -rf "$FF_RUN/answers/.room" "$FF_RUN"/over-*
  keep_newest "$FF_RUN/tombstones" 200
  keep_newest "$FF_RUN/receipts" 20
  keep_newest "$FF_RUN/answers" 20
  lvm_sweep >/dev/null

  topology_read
  # All that runs is part of the hash, whatever this freeze quiets.
  apps_detect auto
  topology_hash
  apps_keep "$P_APPS"
  # First: one that does not answer just now could not be described as it was.
  apps_ready
  topology_changes "$P_TOPOLOGY"
  if [ -n "$REPLY" ]; then
    fail TopologyChanged "not as they were when the host was inspected: $REPLY; start the run again"
  fi
  mode_possible "$MODE" || fail ModeNotPossible "$REPLY"

  local i found=','
  for i in ${APP_DRIVER[@]+"${!APP_DRIVER[@]}"}; do found+="${APP_DRIVER[$i]},"; done
  if [ "$P_APPS" != none ]; then
    for i in ${P_APPS//,/ }; do
      if [[ $found != *",$i,"* ]]; then fail TopologyChanged "$i no longer runs; start the run again"; fi
    done
  fi
}

apps_ready() {
  local i
  for i in ${APP_DRIVER[@]+"${!APP_DRIVER[@]}"}; do
    if [ "${APP_READY[$i]}" != 1 ]; then fail ApplicationRefused "${APP_NAME[$i]}: ${APP_PROBLEM[$i]}"; fi
  done
}

# From here on the host thaws itself when the lease is over. The directory comes to be whole or not at all: whoever finds
# it finds in it whose freeze it is and how to end it.
arm() {
  local new=$FF_RUN/preparing
  now_cs
  ARMED_AT=$REPLY
  UNTIL=$((ARMED_AT + LEASE * 100))
  WITHIN_AT=$((ARMED_AT + WITHIN * 100))
  if [ -e "$new" ]; then rm -rf "$new"; fi
  if ! { mkdir "$new" && mkfifo "$new/control" && : >"$new/journal" && printf '%s\n' "$RUN" >"$new/run" &&
    printf '%s\n' 'set -Eeuo pipefail' "$SCRIPT" >"$new/script" && declare -p "${PARAMETERS[@]}" >"$new/parameters" &&
    hook_carry "$new" && emergency_thaw && mv -T "$new" "$ACTIVE"; }; then
    rm -rf "$new"
    fail HostUnfit "can't write to $FF_RUN; make room in /run"
  fi
  start_role watchdog
  local patience=200
  while [ ! -e "$ACTIVE/armed" ]; do
    patience=$((patience - 1))
    if [ "$patience" = 0 ]; then
      stop_roles
      clear_active
      fail HostUnfit "the watchdog did not start; nothing was frozen. See systemctl status freezeframe-watchdog"
    fi
    pause 0.05
  done
  start_role holder
}

# What the roles have to know.
PARAMETERS=(RUN MODE LEASE WITHIN BOOT_ID ARMED_AT UNTIL WITHIN_AT
  FS_MOUNT FS_TYPE FS_DEV FS_FREEZABLE FS_LV FS_LAYERS FS_OWN LV_NAME LV_DEV LV_SEGTYPE LV_SIZE_EXTENTS LV_POOL
  VG_NAME VG_UUID VG_FREE HOST_ID APP_DRIVER APP_NAME APP_DIR APP_REF
  HOOK_CARRIED)

# A transient unit: its own cgroup, out of the agent's reach. Without systemd: a session of its own.
start_role() {
  local role=$1 holder='' common=(--quiet --unit "freezeframe-$1") restart=()
  # Where the freeze is over and cleared away, a unit that comes back has nothing to do.
  local command=(bash -c "[ ! -e '$ACTIVE/script' ] || exec bash '$ACTIVE/script' $role $RUN")
  if [ "$role" = holder ]; then
    holder=$RUN
    common+=(--setenv "FREEZEFRAME_HOLDER=$RUN")
  else
    # A killed watchdog comes back and finds all in /run; a killed holder has lost its locks and must not.
    restart=(-p Restart=on-failure -p RestartSec=100ms -p StartLimitIntervalSec=0)
  fi
  if [ -d /run/systemd/system ]; then
    if systemd-run "${common[@]}" --collect --description "Freezeframe $role of $RUN" -p StandardOutput=null -p StandardError=null \
      ${restart[@]+"${restart[@]}"} "${command[@]}" >&2; then return; fi
    # The oldest systemd knows neither --collect nor Restart= here, and keeps a unit that failed.
    systemctl reset-failed "freezeframe-$role.service" 2>/dev/null || true
    if systemd-run "${common[@]}" "${command[@]}" >&2; then return; fi
    log "systemd-run refused; starting the $role in a session of its own"
  fi
  (FREEZEFRAME_HOLDER=$holder spawn setsid "${command[@]}") </dev/null >/dev/null 2>&1 &
}

stop_roles() {
  if [ -d /run/systemd/system ]; then systemctl stop freezeframe-holder.service freezeframe-watchdog.service 2>/dev/null || true; fi
}

# For a person at the host, whatever else has failed. Started by bash: some mount /run noexec.
emergency_thaw() {
  # shellcheck disable=SC2016 # for the script, not for us
  printf '%s\n' '#!/bin/bash' \
    '# Lets go of everything that Freezeframe holds on this host, at once. Safe at any time.' \
    'if [ ! -e /run/freezeframe/active/script ]; then echo "Freezeframe holds nothing on this host."; exit 0; fi' \
    'exec bash /run/freezeframe/active/script by-hand' >"$FF_RUN/thaw"
}

# Of an answer that is there whole, code and json of the caller's.
answer_read() { { read -r code && read -r json; } 2>/dev/null <"$FF_RUN/answers/$RUN"; }

await_answer() {
  local code json
  until answer_read; do
    now_cs
    # The lease and the watchdog's patience are over: whatever happened, nothing is frozen any more.
    if [ "$REPLY" -gt "$((UNTIL + 500))" ]; then
      fail FreezeTimeout "the host did not freeze within its lease of $LEASE s and has let go"
    fi
    if [ ! -d "$ACTIVE" ] && ! answer_read; then
      fail Internal "the freeze ended without an answer; nothing is frozen. See /run/freezeframe/receipts/$RUN"
    fi
    pause 0.02
  done
  printf '%s\n' "$json"
  exit "$code"
}
