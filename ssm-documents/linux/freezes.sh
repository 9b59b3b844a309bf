#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# Freezing file systems: FIFREEZE beside FITHAW.

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
