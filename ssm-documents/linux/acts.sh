#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# What a freeze does is an act with an undo. Before an act its undo is pushed on the journal, a file that outlives the
# holder: whoever thaws (holder, watchdog, Thaw) walks it backwards and releases what this freeze took, and only that.
#
# Journal lines:  app I | fs I | lvm VG/LV  before the act;  lost fs I  when the file system turned out to be somebody else's.

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
  now_cs
  stalled_at "$REPLY"
}
stalled_at() { if [ -z "$STALLED_AT" ] || [ "$1" -lt "$STALLED_AT" ]; then STALLED_AT=$1; fi; }

# Runs a command that may hang in the kernel, until DEADLINE (centiseconds). Sets COMMAND_OUTPUT to its last line of
# words; returns its code, or 124 when it was given up on: then its pid is in STUCK, and its effect may still come.
STUCK=()
run_until() {
  local deadline=$1 left code
  shift
  COMMAND_OUTPUT=''
  if [ ! -p "$ACTIVE/acts" ]; then mkfifo "$ACTIVE/acts" || return 1; fi
  exec {ACTS_FD}<>"$ACTIVE/acts"
  HEARD[ACTS_FD]=''
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
    if hear "$ACTS_FD" "$left"; then
      if [[ $LINE =~ ^code\ ([0-9]+)$ ]]; then
        code=${BASH_REMATCH[1]}
        exec {ACTS_FD}>&-
        wait "$child" || true
        return "$code"
      fi
      # lvm sets its words in by two blanks.
      COMMAND_OUTPUT=${LINE#"${LINE%%[! ]*}"}
    fi
  done
}

# Walks the journal backwards and releases what is still held; safe to repeat. What can't be released is left for the
# next one who tries, and never hinders the release of the others. File systems come before applications, since a
# database can't end a session whose writes are blocked; LVM snapshots last, they stall nobody.
undo_all() {
  local failed=0 undo apps=()
  read_journal
  for undo in "${JOURNAL[@]}"; do
    if [[ $undo == app\ * ]]; then apps+=("${undo#app }"); fi
  done
  # They look while the file systems are thawed.
  keepers_ask ${apps[@]+"${apps[@]}"}
  undo_filesystems
  keepers_release ${apps[@]+"${apps[@]}"}
  : >"$ACTIVE/released"
  lvm_check
  for undo in "${JOURNAL[@]}"; do
    if [[ $undo == lvm\ * ]]; then lvm_remove "${undo#lvm }" || failed=1; fi
  done
  return "$failed"
}

# Those of the JOURNAL.
undo_filesystems() {
  local undo
  for undo in "${JOURNAL[@]}"; do
    if [[ $undo == fs\ * && $LOST != *" ${undo#fs } "* ]]; then fs_thaw "${undo#fs }"; fi
  done
}

# Sets JOURNAL to the acts to undo, the last one first, and LOST to the file systems that are not ours to thaw.
read_journal() {
  local line
  JOURNAL=() LOST=' '
  while read -r line; do
    if [[ $line == lost\ fs\ * ]]; then LOST+="${line#lost fs } "; fi
    JOURNAL=("$line" ${JOURNAL[@]+"${JOURNAL[@]}"})
  done <"$ACTIVE/journal"
  # An empty array has no elements to expand in old bash.
  if [ "${#JOURNAL[@]}" = 0 ]; then JOURNAL=(nothing); fi
}
