#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# Document Verify: whether what a restore has mounted is worth anything. File systems are checked, each database is
# started from the restored data and asked by its own checker, and the user's checks are run. Nothing of it goes on when
# the document ends. The restored copy is written to: that is what recovery does, and the snapshots know nothing of it.

# From the plan: grade of the set, applications with their data directories and the mounts that they lie on.
GRADE='' APP_DRIVER=() APP_NAME=() APP_DIR=() APP_MOUNTS=()
# What was found, as JSON, one check each: of a file system, an application, or one of the user's.
CHECKS=''
# Mount points of the restore, the outermost first: where each is here (AT), and where it was on the original (PATH).
RESTORED_AT=() RESTORED_PATH=() RESTORED_TYPE=() RESTORED_DEVICE=() RESTORED_OPTS=()

verify_main() {
  local k
  trap 'fail Internal "line $LINENO: $BASH_COMMAND"' ERR
  if [ "$(id -u)" != 0 ]; then fail HostUnfit "must run as root; the SSM agent's Run Command does"; fi
  verify_plan
  verify_tools
  one_verification
  restored_read
  if [ "${#RESTORED_AT[@]}" = 0 ]; then
    fail FilesystemMissing "nothing is mounted below $ROOT; restore with this name and directory first"
  fi
  filesystems_check
  box_folder
  for k in ${APP_DRIVER[@]+"${!APP_DRIVER[@]}"}; do application_check "$k"; done
  own_checks
  rm -rf "$BOX"
  printf '{"contract":1,"restore":"%s","checks":[%s]}\n' "$P_RESTORE" "${CHECKS#,}"
}

# In base64, since it holds paths: one thing a line, words as the kernel escapes them in mountinfo.
verify_plan() {
  local line lines=() words=() k
  ROOT=$P_UNDER/$P_RESTORE
  now_cs
  # The boxes' roles are told when the document has to be done.
  UNTIL=${FF_UNTIL:-$((REPLY + 10#$P_MINUTES * 6000))}
  export FF_UNTIL=$UNTIL
  mapfile -t lines < <(printf '%s' "$P_PLAN" | base64 -d 2>/dev/null)
  for line in ${lines[@]+"${lines[@]}"}; do
    read_words "$line"
    words=(${WORDS[@]+"${WORDS[@]}"})
    case ${words[0]:-} in
      grade) GRADE=${words[1]} ;;
      app)
        APP_DRIVER+=("${words[1]}")
        unescape "${words[2]}"
        APP_NAME+=("$REPLY")
        unescape "${words[3]}"
        APP_DIR+=("$REPLY")
        # As they came: none of them can hold a blank.
        APP_MOUNTS+=("${words[*]:4}")
        ;;
    esac
  done
  for k in ${APP_DRIVER[@]+"${!APP_DRIVER[@]}"}; do
    if [[ ! ${APP_DRIVER[$k]} =~ ^[a-z0-9]{2,20}$ ]]; then fail Internal "the plan names the driver ${APP_DRIVER[$k]}"; fi
  done
  case $P_UNDER/ in */../* | */./* | *//*) fail MountFailed "the directory is $P_UNDER; give an absolute path without . and .." ;; esac
}

verify_tools() {
  local tool
  for tool in unshare chroot setpriv mount umount timeout flock; do
    if ! command -v "$tool" >/dev/null; then fail HostUnfit "$tool is missing on this host; install util-linux and coreutils"; fi
  done
}

# Nor while a restore is at work here.
one_verification() {
  mkdir -p "$FF_RUN"
  exec 5>"$FF_RUN/restore.lock"
  if ! flock -w 60 5; then
    fail Busy "a restore, or another verification, is at work on this host; see ps -ef, and verify again when it has ended"
  fi
}

# What is mounted in the directory of the restore, and nothing else, is looked at.
restored_read() {
  local i
  mounts_read
  RESTORED_AT=() RESTORED_PATH=() RESTORED_TYPE=() RESTORED_DEVICE=() RESTORED_OPTS=()
  for ((i = 0; i < ${#MOUNT_POINT[@]}; i++)); do
    if [[ ${MOUNT_POINT[$i]}/ != "$ROOT"/* || ${MOUNT_HIDDEN[$i]} == 1 ]]; then continue; fi
    RESTORED_AT+=("${MOUNT_POINT[$i]}")
    REPLY=${MOUNT_POINT[$i]#"$ROOT"}
    RESTORED_PATH+=("${REPLY:-/}")
    RESTORED_TYPE+=("${MOUNT_TYPE[$i]}") RESTORED_DEVICE+=("${MOUNT_SOURCE[$i]}")
    RESTORED_OPTS+=("${MOUNT_OPTS[$i]},${MOUNT_SUPER[$i]}")
  done
}

# One check for the answer: KIND NAME VERDICT SAID SINCE. The verdict is ok, damaged, or unchecked: then nothing is known.
checked() {
  local seconds
  now_cs
  seconds_of_cs $((REPLY - $5))
  seconds=$REPLY
  json_object s kind "$1" s name "$2" s verdict "$3" s said "${4:0:400}" n seconds "$seconds"
  CHECKS+=,$REPLY
  log "$1 $2: $3: $4"
}

# Runs a command in what is left of the time; its output is in OUTPUT. 124: there was not enough.
within() {
  local code=0 left
  now_cs
  left=$(((UNTIL - REPLY) / 100))
  if [[ $left -lt 1 ]]; then
    OUTPUT='' CUT=1
    return 124
  fi
  OUTPUT=$(timeout -k 5 "$left" "$@" 2>&1 </dev/null 5>&-) || code=$?
  CUT=0
  if [[ $code == 124 || $code == 137 ]]; then CUT=1 code=124; fi
  return "$code"
}
OUTPUT='' CUT=0

# Sets REPLY to the last line with anything in it, of a text that may be long.
last_line() {
  local line text=$1
  if [[ ${#text} -gt 4000 ]]; then text=${text: -4000}; fi
  REPLY=''
  while read -r line; do if [[ $line ]]; then REPLY=$line; fi; done <<<"$text"
}
