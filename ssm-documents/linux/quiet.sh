#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# The acts of a freeze, each beside its undo. Before an act its undo is pushed on the journal, a file that outlives the
# holder: whoever thaws (holder, watchdog, Thaw) walks it backwards and releases what this freeze took, and only that.
#
# Journal lines:  app I | fs I | lvm I  before the act;  lost fs I  when the file system turned out to be somebody else's.

# What is known of each act, for the receipt. Times are centiseconds of the boot clock; empty: not yet.
APP_LOCKED=() APP_RELEASED=() APP_HELD=() APP_POSITION=()
FS_FROZEN=() FS_THAWED=() FS_FOUND=()
SNAP_ORIGIN=() SNAP_NAME=() SNAP_TAKEN=() SNAP_VALID=() SNAP_USED=() SNAP_REMOVED=()
WRITE_DEVICE=() WRITE_FREEZE=() WRITE_THAW=()
ARRAY_NAME=() ARRAY_CLEAN=()
NOTES=()
ARMED_AT='' FROZEN_AT='' FROZEN_CLOCK='' STALLED_AT='' RELEASED_AT='' ASKED_AT='' THAWED_AT='' THAWED_BY=''
STATE_VARIABLES=(APP_LOCKED APP_RELEASED APP_HELD APP_POSITION FS_FROZEN FS_THAWED FS_FOUND
  SNAP_ORIGIN SNAP_NAME SNAP_TAKEN SNAP_VALID SNAP_USED SNAP_REMOVED WRITE_DEVICE WRITE_FREEZE WRITE_THAW
  ARRAY_NAME ARRAY_CLEAN NOTES ARMED_AT FROZEN_AT FROZEN_CLOCK STALLED_AT RELEASED_AT ASKED_AT THAWED_AT THAWED_BY)

push_undo() {
  if ! { echo "$*" >>"$ACTIVE/journal"; } 2>/dev/null; then
    fault HostUnfit "/run is full; make room in it"
    return 1
  fi
}

note() { NOTES+=("$*"); log "$*"; }

# Called right before an act that stalls writers: the first one opens the frozen window, the last release ends it.
mark_stalled() {
  if [ -n "$STALLED_AT" ]; then return; fi
  now_cs
  STALLED_AT=$REPLY
}

# Runs a command that may hang in the kernel, until DEADLINE (centiseconds). Sets COMMAND_OUTPUT to its last line of
# words; returns its code, or 124 when it was given up on: then its pid is in STUCK, and its effect may still come.
STUCK=()
run_until() {
  local deadline=$1 left code line
  shift
  COMMAND_OUTPUT=''
  if [ ! -p "$ACTIVE/acts" ]; then mkfifo "$ACTIVE/acts" || return 1; fi
  exec {ACTS_FD}<>"$ACTIVE/acts"
  {
    code=0
    "$@" 2>&1 || code=$?
    echo "code $code"
  } </dev/null 1>&"$ACTS_FD" 9>&- &
  local child=$!
  while :; do
    now_cs
    left=$((deadline - REPLY))
    if [ "$left" -le 0 ]; then
      STUCK+=("$child")
      # What it still says must not be taken for the answer of a later command.
      rm -f "$ACTIVE/acts"
      exec {ACTS_FD}>&-
      return 124
    fi
    printf -v left '%d.%02d' $((left / 100)) $((left % 100))
    if read -r -t "$left" -u "$ACTS_FD" line; then
      if [[ $line =~ ^code\ ([0-9]+)$ ]]; then
        code=${BASH_REMATCH[1]}
        exec {ACTS_FD}>&-
        wait "$child" || true
        return "$code"
      fi
      COMMAND_OUTPUT=$line
    fi
  done
}

# --- file systems -----------------------------------------------------------------------------------------------------

# A mount point's descriptor reaches the file system even when the mount point is gone.
fs_open() {
  local i fd
  for i in "${!FS_MOUNT[@]}"; do
    if [ "${FS_FREEZABLE[$i]}" != 1 ]; then continue; fi
    fd=$((100 + i))
    if ! eval "exec $fd<\"\${FS_MOUNT[\$i]}\""; then return 1; fi
  done
}

fs_freeze() {
  local i=$1 code=0
  push_undo "fs $i" || return 1
  mark_stalled
  run_until "$WITHIN_AT" fsfreeze -f "/proc/self/fd/$((100 + i))" || code=$?
  now_cs
  if [ "$code" = 0 ]; then
    FS_FROZEN[i]=$REPLY
  elif [ "$code" = 124 ]; then
    fault FreezeTimeout "freezing ${FS_MOUNT[$i]} took longer than it may; its disks are too busy, or a nested mount is frozen"
    return 1
  elif [[ $COMMAND_OUTPUT == *busy* ]]; then
    echo "lost fs $i" >>"$ACTIVE/journal"
    fault AlreadyFrozen "${FS_MOUNT[$i]} is frozen by somebody else; wait for it, or thaw it with: fsfreeze -u ${FS_MOUNT[$i]}"
    return 1
  else
    fault FreezeFailed "fsfreeze of ${FS_MOUNT[$i]} failed: $COMMAND_OUTPUT"
    return 1
  fi
}

# FITHAW's own answer is the proof: success means that it was frozen until this moment.
fs_thaw() {
  local i=$1 code=0 at=/proc/self/fd/$((100 + $1))
  if [ ! -e "$at" ]; then at=${FS_MOUNT[$i]}; fi
  fsfreeze -u "$at" 2>/dev/null 9>&- || code=$?
  now_cs
  RELEASED_AT=$REPLY
  if [ -n "${FS_FROZEN[$i]:-}" ] && [ -z "${FS_THAWED[$i]:-}" ]; then
    FS_THAWED[i]=$REPLY
    if [ "$code" = 0 ]; then FS_FOUND[i]=true; else FS_FOUND[i]=false; fi
  fi
  return 0
}

# Whether `sync` can be told one file system (coreutils 8.24; Amazon Linux 2 has an older one).
sync_filesystem() {
  if [ -z "${SYNC_KNOWS_FS:-}" ]; then
    if sync --help 2>/dev/null | grep -q file-system; then SYNC_KNOWS_FS=yes; else SYNC_KNOWS_FS=no; fi
  fi
  if [ "$SYNC_KNOWS_FS" = yes ]; then run_until "$WITHIN_AT" sync -f "$1"; else run_until "$WITHIN_AT" sync; fi
}

sync_all() {
  local i
  for i in "${!FS_MOUNT[@]}"; do
    if [ "${FS_FREEZABLE[$i]}" = 1 ] || [ "$1" = everything ]; then
      if ! sync_filesystem "${FS_MOUNT[$i]}"; then
        fault FreezeTimeout "writing back ${FS_MOUNT[$i]} took longer than it may; its disks are too busy for this lease"
        return 1
      fi
    fi
  done
}

# --- md arrays --------------------------------------------------------------------------------------------------------

# A frozen array turns `clean` on disk about 0.2 s after its last write; a copy taken then needs no resync.
arrays_settle() {
  local i j state deadline
  now_cs
  deadline=$((REPLY + 200))
  for i in "${!FS_MOUNT[@]}"; do
    if [ -z "${FS_FROZEN[$i]:-}" ]; then continue; fi
    for j in ${FS_LAYERS[$i]}; do
      if [ ! -e "/sys/block/$j/md/array_state" ] || [[ " ${ARRAY_NAME[*]:-} " == *" $j "* ]]; then continue; fi
      while :; do
        read -r state <"/sys/block/$j/md/array_state" || state=unknown
        now_cs
        case $state in clean | readonly | read-auto) break ;; esac
        if [ "$REPLY" -ge "$deadline" ]; then break; fi
        sleep 0.02
      done
      ARRAY_NAME+=("$j")
      case $state in
        clean | readonly | read-auto) ARRAY_CLEAN+=(true) ;;
        *)
          ARRAY_CLEAN+=(false)
          note "array $j is $state, not clean, two seconds after the freeze; something else writes to it"
          ;;
      esac
    done
  done
}

# --- write counters ---------------------------------------------------------------------------------------------------

# Devices that only frozen file systems lie on: from the freeze to the thaw nothing may be written to them.
counters_choose() {
  local i device
  for i in "${!FS_MOUNT[@]}"; do
    if [ -z "${FS_FROZEN[$i]:-}" ]; then continue; fi
    for device in ${FS_OWN[$i]}; do
      if [[ " ${WRITE_DEVICE[*]:-} " != *" $device "* ]]; then WRITE_DEVICE+=("$device"); fi
    done
  done
}

# Reads every counter in one pass, without a fork: completed writes are the eighth field of /proc/diskstats.
counters_read() {
  local name writes k
  while read -r _ _ name _ _ _ _ writes _; do
    for k in ${WRITE_DEVICE[@]+"${!WRITE_DEVICE[@]}"}; do
      if [ "${WRITE_DEVICE[$k]}" = "$name" ]; then
        if [ "$1" = freeze ]; then WRITE_FREEZE[k]=$writes; else WRITE_THAW[k]=$writes; fi
      fi
    done
  done </proc/diskstats
}

# --- LVM snapshots ----------------------------------------------------------------------------------------------------

# Never under fsfreeze: device-mapper does its own freeze for the instant, and the two together leak a freeze.
lvm_take() {
  local i=$1 lv=${FS_LV[$1]} name code=0 size=() k
  name=ff_${lv#*/}
  for k in ${SNAP_NAME[@]+"${!SNAP_NAME[@]}"}; do if [ "${SNAP_NAME[$k]}" = "${lv%/*}/$name" ]; then return; fi; done
  k=${#SNAP_NAME[@]}
  lv_index "$lv" || return 1
  if is_thin "$REPLY"; then
    size=(-kn)
  else
    cow_extents "$REPLY"
    size=(-l "$REPLY")
  fi
  SNAP_ORIGIN[k]=$lv SNAP_NAME[k]=${lv%/*}/$name
  push_undo "lvm ${SNAP_NAME[$k]}" || return 1
  if [ "${FS_TYPE[$i]}" = btrfs ]; then sync_filesystem "${FS_MOUNT[$i]}" || true; fi
  mark_stalled
  run_until "$WITHIN_AT" lvcreate -y -q -s "${size[@]}" -n "$name" --addtag freezeframe --addtag "freezeframe.$RUN" "$lv" || code=$?
  now_cs
  if [ "$code" = 0 ]; then
    SNAP_TAKEN[k]=$REPLY
  elif [ "$code" = 124 ]; then
    fault FreezeTimeout "an LVM snapshot of $lv took longer than it may; its disks are too busy for this lease"
    return 1
  else
    fault FreezeFailed "no LVM snapshot of $lv: $COMMAND_OUTPUT"
    return 1
  fi
}

# Whether each snapshot still holds its instant: an overflowed one has lost it.
lvm_check() {
  local k attr used
  for k in ${SNAP_NAME[@]+"${!SNAP_NAME[@]}"}; do
    if [ -z "${SNAP_TAKEN[$k]:-}" ]; then continue; fi
    SNAP_VALID[k]=false
    if read -r attr used _ < <(lvs --noheadings --units b -o lv_attr,data_percent "${SNAP_NAME[$k]}" 2>/dev/null); then
      SNAP_USED[k]=${used:-}
      # Fifth letter of the attributes: I and S are snapshots that overflowed.
      case ${attr:4:1} in
        I | S) note "LVM snapshot ${SNAP_NAME[$k]} overflowed; leave more free extents in the volume group" ;;
        *) if [[ ! ${used:-0} =~ ^100 ]]; then SNAP_VALID[k]=true; fi ;;
      esac
    else
      note "LVM snapshot ${SNAP_NAME[$k]} is gone"
    fi
  done
}

lvm_remove() {
  local k try
  for try in 1 2 3; do
    if lvremove -fy -q "$1" >/dev/null 2>&1 9>&- || ! lvs "$1" >/dev/null 2>&1 9>&-; then
      for k in ${SNAP_NAME[@]+"${!SNAP_NAME[@]}"}; do
        if [ "${SNAP_NAME[$k]}" = "$1" ]; then SNAP_REMOVED[k]=true; fi
      done
      return 0
    fi
    sleep 0.$((try * 3))
  done
  note "LVM snapshot $1 can't be removed; remove it with: lvremove $1"
  return 1
}

# Removes LVM snapshots of runs that hold nothing any more: left by a reboot, or by a host that lost both rings.
# Prints their names. The caller knows that no freeze is active.
lvm_sweep() {
  local name
  if ! command -v lvs >/dev/null; then return 0; fi
  lvs --noheadings -o vg_name,lv_name --separator / @freezeframe 2>/dev/null | while read -r name; do
    # A tag goes with a restored or cloned volume group as well; the name must be ours too.
    if [[ $name =~ ^[A-Za-z0-9+_.-]+/ff_[A-Za-z0-9+_.-]+$ ]] && lvremove -fy -q "$name" >/dev/null 2>&1; then
      echo "$name"
    fi
  done
}

# --- the whole --------------------------------------------------------------------------------------------------------

app_release() {
  local i=$1
  if [ -n "${APP_RELEASED[$i]:-}" ]; then return 0; fi
  if [ -n "${APP_LOCKED[$i]:-}" ]; then
    if "${APP_DRIVER[$i]}_held" "$i"; then APP_HELD[i]=true; else
      APP_HELD[i]=false
      note "${APP_NAME[$i]} lost its lock before it was released"
    fi
  fi
  "${APP_DRIVER[$i]}_thaw" "$i" || true
  now_cs
  APP_RELEASED[i]=$REPLY RELEASED_AT=$REPLY
}

# Walks the journal backwards and releases what is still held; safe to repeat. What can't be released is left for the
# next one who tries, and never hinders the release of the others. File systems come before applications, since a
# database can't end a session whose writes are blocked; LVM snapshots last, they stall nobody.
undo_all() {
  local lines=() line k failed=0 lost=' '
  while read -r line; do
    lines+=("$line")
    if [[ $line == lost\ fs\ * ]]; then lost+="${line#lost fs } "; fi
  done <"$ACTIVE/journal"
  for ((k = ${#lines[@]} - 1; k >= 0; k--)); do
    line=${lines[$k]}
    if [[ $line == fs\ * && $lost != *" ${line#fs } "* ]]; then fs_thaw "${line#fs }"; fi
  done
  for ((k = ${#lines[@]} - 1; k >= 0; k--)); do
    line=${lines[$k]}
    if [[ $line == app\ * ]]; then app_release "${line#app }"; fi
  done
  : >"$ACTIVE/released"
  lvm_check
  for ((k = ${#lines[@]} - 1; k >= 0; k--)); do
    line=${lines[$k]}
    if [[ $line == lvm\ * ]]; then lvm_remove "${line#lvm }" || failed=1; fi
  done
  return "$failed"
}
