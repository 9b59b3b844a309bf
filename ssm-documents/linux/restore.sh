#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# Document Restore: the volumes of a restored set become mounted file systems again, or are let go of. The acts:
#   prepare   before the volumes are attached: udev is to leave them alone
#   mount     arrays, LUKS, volume groups, LVM snapshots, file systems; what fails is undone
#   release   unmounts and takes apart all that lies on these volumes, and on nothing else
#   vacate    stops what uses the file systems on these volumes, then unmounts and takes apart; what fails is undone
#   occupy    what lies on these volumes is mounted where it belongs, and what was stopped is started
# What is ours is read off the volumes, by their serial numbers. Kept between acts are notes of the first vacate alone.

# From the plan: the volumes; LVM snapshots to merge ("vg/lv ff_lv"); file systems to mount.
PLAN_VOLUME=() PLAN_MERGE=() PLAN_TYPE=() PLAN_UUID=() PLAN_OPTS=() PLAN_LV=() PLAN_PATH=()
# From the notes of a swap: names of arrays by uuid.
declare -gA PLAN_ARRAY=()
# What was done, for people, and as JSON: arrays, groups, mounts.
DONE=() DONE_ARRAYS='' DONE_GROUPS='' DONE_MOUNTS=''
# Set where the volumes take the place of others, and everything has the names that the host knows.
IN_PLACE=''
# Set where the original is on this host too: no boot may take its copy for it, by a label or uuid that both have.
ALIKE=''

restore_main() {
  trap 'fail Internal "line $LINENO: $BASH_COMMAND"' ERR
  if [ "$(id -u)" != 0 ]; then fail HostUnfit "must run as root; the SSM agent's Run Command does"; fi
  plan_read
  one_at_a_time
  case $P_ACT in
    prepare)
      rules_begin "$P_RESTORE"
      rules_keep
      ;;
    mount)
      trap 'refuse Internal "line $LINENO: $BASH_COMMAND"' ERR
      restore_tools
      rules_begin "$P_RESTORE"
      rules_keep
      disks_wait
      # Of an earlier try, or of a udev that was faster than our rule.
      release_all
      layers_build
      mounts_make
      if [ -z "$ALIKE" ]; then rules_unkeep; fi
      ;;
    release)
      release_all
      rules_end
      ;;
    vacate) vacate_all ;;
    occupy)
      trap 'refuse Internal "line $LINENO: $BASH_COMMAND"' ERR
      restore_tools
      occupy_all
      ;;
  esac
  json_strings ${DONE[@]+"${DONE[@]}"}
  printf '{"contract":1,"restore":"%s","act":"%s","arrays":[%s],"groups":[%s],"mounts":[%s],"done":%s}\n' \
    "$P_RESTORE" "$P_ACT" "${DONE_ARRAYS#,}" "${DONE_GROUPS#,}" "${DONE_MOUNTS#,}" "$REPLY"
}

# The function that sent an act may have given up on it, and sends the next: that waits for the first to end.
one_at_a_time() {
  local patience=60
  if [[ $P_ACT == release || $P_ACT == vacate || $P_ACT == occupy ]]; then patience=300; fi
  mkdir -p "$FF_RUN"
  exec 5>"$FF_RUN/restore.lock"
  if ! flock -w "$patience" 5; then
    fail Busy "another act of a restore is at work on this host; see ps -ef, and start the restore again when it has ended"
  fi
}

did() {
  DONE+=("$1")
  log "$1"
}

# Ends the act mount: CODE MESSAGE. First everything is taken apart again, whatever that says.
refuse() {
  local code=$1 message=$2
  trap - ERR
  # A shell of its own: when it fails, the first error is still the one that is told.
  (release_all) >/dev/null || message+=" (and not everything could be taken apart again: run Release, or look at lsblk)"
  fail "$code" "$message"
}

# The plan comes as base64, since it holds paths; one thing a line, words as the kernel escapes them in mountinfo.
plan_read() {
  local line lines=()
  mapfile -t lines < <(printf '%s' "$P_PLAN" | base64 -d 2>/dev/null)
  for line in ${lines[@]+"${lines[@]}"}; do plan_line "$line"; done
  if [ "${#PLAN_VOLUME[@]}" = 0 ]; then fail Internal 'the plan names no volume'; fi
  case $P_UNDER/ in */../* | */./* | *//*) fail MountFailed "the directory is $P_UNDER; give an absolute path without . and .." ;; esac
  # A directory of its own, so that whatever is in it was made here.
  ROOT=$P_UNDER/$P_RESTORE
}

plan_line() {
  read_words "$1"
  case ${WORDS[0]:-} in
    volume) PLAN_VOLUME+=("${WORDS[1]}") ;;
    array) PLAN_ARRAY[${WORDS[1]}]=${WORDS[2]} ;;
    merge) PLAN_MERGE+=("${WORDS[1]} ${WORDS[2]}") ;;
    mount)
      PLAN_TYPE+=("${WORDS[1]}") PLAN_UUID+=("${WORDS[2]}") PLAN_OPTS+=("${WORDS[3]}")
      unescape "${WORDS[4]}"
      PLAN_LV+=("$REPLY")
      unescape "${WORDS[5]}"
      PLAN_PATH+=("$REPLY")
      ;;
  esac
}

restore_tools() {
  local tool
  for tool in blkid mount udevadm timeout; do
    if ! command -v "$tool" >/dev/null; then refuse HostUnfit "$tool is missing on this host; install it, then restore again"; fi
  done
}

# Says what NEED is missing for.
need() {
  if ! command -v "$1" >/dev/null; then refuse HostUnfit "$1 is missing on this host, and $2; install it, then restore again"; fi
}

# Runs a command for SECONDS at most. Its output is in COMMAND_OUTPUT, for messages.
attempt() {
  local seconds=$1 code=0
  shift
  COMMAND_OUTPUT=$(timeout "$seconds" "$@" 2>&1 </dev/null 5>&-) || code=$?
  COMMAND_OUTPUT=${COMMAND_OUTPUT:0:600}
  if [ "$code" = 124 ]; then COMMAND_OUTPUT+=" (not done after $seconds s)"; fi
  return "$code"
}
