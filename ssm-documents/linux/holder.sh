#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2154
# The holder: takes every lock, waits with them for the thaw, lets go in reverse. It runs in a unit of its own, so that
# the agent may stop, restart or die; everything it needs is open or in /run before the first freeze. While it lives it
# is the only one who releases; when it dies or hangs, the watchdog does.

holder_main() {
  exec 9>"$ACTIVE/holder.lock"
  # Whoever only looks whether it is locked holds it for a moment.
  flock -w 5 9 || exit 0
  # While it came up the directory may have become another freeze's.
  active_is "$RUN" || exit 0
  protect_from_oom
  # Whatever ends this process ends the freeze first: an error in it, a stop of its unit, a shutdown of the host.
  trap 'holder_ends' EXIT
  trap 'note "the holder was told to stop"; exit 0' TERM INT HUP
  echo "$$" >"$ACTIVE/holder.pid"
  exec 8<>"$ACTIVE/control"
  # Room that is given back when the thaw begins, so that a /run filled up meanwhile can't stop the receipt.
  head -c 262144 /dev/zero 2>/dev/null >"$ACTIVE/reserve" || fault HostUnfit "/run is full; make room in it"
  : >"$ACTIVE/holding"

  if [ -n "$FAULT_NAME" ] || ! { fs_open && holder_freeze; }; then
    THAWED_BY=error
    exit 0
  fi
  now_cs
  FROZEN_AT=$REPLY
  printf -v FROZEN_CLOCK '%(%s)T' -1
  save_state
  receipt_json
  answer "{\"contract\":1,\"receipt\":$REPLY}" 0
  holder_waits
  exit 0
}

# Application, then volume manager or file system. Each step stops at the first fault; what was taken is in the journal.
holder_freeze() {
  # Most of what is dirty is written back while nobody waits yet.
  still_wanted && sync_all everything || return 1
  now_cs
  SYNCED_AT=$REPLY
  keepers_freeze ${APP_DRIVER[@]+"${!APP_DRIVER[@]}"} || return 1
  still_wanted || return 1
  "freeze_${MODE//-/_}" && still_wanted
}

freeze_fs_freeze() {
  local i
  # What became dirty since is written back by the freeze itself. After a long wait for a lock that may be much, and a
  # freeze that takes too long can't be given up on like a sync.
  now_cs
  if [ "$REPLY" -gt $((SYNCED_AT + 200)) ]; then sync_all freezable || return 1; fi
  for i in "${!FS_MOUNT[@]}"; do
    if [ "${FS_FREEZABLE[$i]}" != 1 ]; then continue; fi
    still_wanted && fs_freeze "$i" || return 1
  done
  arrays_settle
  counters_choose
  counters_read freeze
}

# The applications are let go at once: the snapshots in the volume group keep the instant, the EBS set carries them.
freeze_lvm_snapshot() {
  local i
  for i in "${!FS_MOUNT[@]}"; do
    if [ "${FS_FREEZABLE[$i]}" != 1 ] || [ -z "${FS_LV[$i]}" ]; then continue; fi
    still_wanted || return 1
    lvm_take "$i" || return 1
  done
  now_cs
  RELEASED_AT=$REPLY
  keepers_release ${APP_DRIVER[@]+"${!APP_DRIVER[@]}"}
}

freeze_app_only() { sync_all everything; }

# Checked between acts: a thaw that came, a lease that ran out.
still_wanted() {
  if is_buried "$RUN"; then
    fault ThawedDuringFreeze "a thaw was asked for while the freeze was being made; start the run again"
    return 1
  fi
  now_cs
  if [ "$REPLY" -ge "$WITHIN_AT" ]; then
    fault FreezeTimeout "not frozen within ${WITHIN} s; give the policy a longer freeze.leaseSeconds"
    return 1
  fi
}

# Waits for the thaw or the end of the lease.
holder_waits() {
  local left
  while :; do
    now_cs
    left=$((UNTIL - REPLY))
    if [ "$left" -le 0 ]; then
      THAWED_BY=lease
      note "the lease of ${LEASE} s ran out"
      return
    fi
    if [ "$left" -gt 100 ]; then left=100; fi
    printf -v left '%d.%02d' $((left / 100)) $((left % 100))
    # One that was meant for the freeze before this one may come late.
    if hear 8 "$left" && [ "${LINE#* }" = "$RUN" ]; then
      now_cs
      ASKED_AT=$REPLY
      # Only the run's own thaw comes after its set is there.
      case ${LINE% *} in asked | hand) THAWED_BY=${LINE% *} ;; *) THAWED_BY=rescue ;; esac
      return
    fi
  done
}

# The one way out: release, prove, answer whoever still waits.
holder_ends() {
  # Whatever was interrupted may have had separators of its own.
  local IFS=$' \t\n'
  trap '' TERM INT HUP
  set +e
  if [ -z "$THAWED_BY" ]; then THAWED_BY=error; fi
  : >"$ACTIVE/letting-go"
  : >"$ACTIVE/reserve"
  if [ "${MODE}" = fs-freeze ] && [ -n "$FROZEN_AT" ]; then counters_read thaw; fi
  undo_all
  # A freeze that was given up on may still come true when the kernel gets to it.
  await_stuck
  now_cs
  THAWED_AT=$REPLY
  bury "$RUN"
  receipt_json
  printf '%s\n' "$REPLY" >"$FF_RUN/receipts/.$RUN" && mv -f "$FF_RUN/receipts/.$RUN" "$FF_RUN/receipts/$RUN"
  if [ -z "$FROZEN_AT" ]; then
    fault_json
    answer "$REPLY" "${FAULT_EXIT:-25}"
  fi
  : >"$ACTIVE/done"
  # The watchdog clears away behind us, if there is one left.
  if ! is_locked "$ACTIVE/watchdog.lock"; then clear_active; fi
}

await_stuck() {
  local pid tries=0
  for pid in ${STUCK[@]+"${STUCK[@]}"}; do
    while kill -0 "$pid" 2>/dev/null && [ "$tries" -lt 6000 ]; do
      pause 0.1
      tries=$((tries + 1))
    done
  done
  if [ "${#STUCK[@]}" -gt 0 ]; then undo_all; fi
}

# The answer to Freeze: a file, since Freeze may be gone by the time it comes. It is whole with its second line.
answer() { printf '%s\n%s\n' "$2" "$1" >"$FF_RUN/answers/$RUN"; }

# First fault wins: what follows from it says less.
FAULT_NAME='' FAULT_TEXT='' FAULT_EXIT=''
fault() {
  if [ -n "$FAULT_NAME" ]; then return 0; fi
  FAULT_NAME=$1 FAULT_TEXT=$2
  exit_code_of "$1"
  FAULT_EXIT=$REPLY
  log "$1: $2"
}

fault_json() {
  local message
  if [ -z "$FAULT_NAME" ]; then fault Internal "the holder ended without saying why${NOTES[0]:+: ${NOTES[0]}}"; fi
  json_string "$FAULT_TEXT"
  message=$REPLY
  REPLY="{\"contract\":1,\"error\":{\"code\":\"$FAULT_NAME\",\"message\":$message}}"
}

# For the watchdog and Thaw, should the holder die: what the receipt must say of a freeze that they end.
save_state() { declare -p "${STATE_VARIABLES[@]}" >"$ACTIVE/state"; }
