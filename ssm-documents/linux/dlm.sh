#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# Document DLM: pre and post script of Amazon Data Lifecycle Manager, with the exit codes that it knows. It sends nothing
# but a command and its execution's id, so all else is decided here. It runs the post script only after a pre script that
# succeeded: a freeze that nobody thaws ends with its lease.
#   201 the pre script failed          203 the host had thawed by itself before the post script
#   202 the post script failed         204 a pre script where the host is frozen already
#   206 not ready to be frozen         205 a post script where nothing is frozen

DLM_LEASE=60 DLM_WITHIN=45 DLM_EXIT=''

dlm_main() {
  DLM_ID=dlm-$P_EXECUTIONID
  case $P_COMMAND in
    pre-script)
      trap 'dlm_pre_ends $?' EXIT
      dlm_pre
      ;;
    post-script)
      trap 'dlm_post_ends $?' EXIT
      dlm_post
      ;;
    *)
      trap 'dlm_dry_run_ends $?' EXIT
      P_APPS=auto
      inspect_main
      dlm_ready || log "not ready: $REPLY"
      ;;
  esac
}

dlm_pre() {
  local driver drivers=' '
  prepare_run_directory
  topology_read
  apps_detect auto
  topology_hash
  dlm_ready || fail ApplicationRefused "$REPLY"
  dlm_mode
  P_MODE=$REPLY
  for driver in ${APP_DRIVER[@]+"${APP_DRIVER[@]}"}; do
    if [[ $drivers != *" $driver "* ]]; then drivers+="$driver "; fi
  done
  read_words "$drivers"
  drivers="${WORDS[*]:-none}"
  P_APPS=${drivers// /,}
  dlm_next_run
  P_RUN=$REPLY P_LEASE=$DLM_LEASE P_WITHIN=$DLM_WITHIN P_TOPOLOGY=$TOPOLOGY_HASH
  boot_id
  P_BOOTID=$REPLY
  now_cs
  P_NOTAFTER=$((REPLY / 100 + 10))
  freeze_main
}

# Thaws, and says what became of the freeze, once the answer is printed.
dlm_post() {
  local before=''
  prepare_run_directory
  dlm_last_run
  P_RUN=$REPLY P_WHY=asked
  if active_is "$P_RUN" && [ ! -e "$ACTIVE/done" ]; then before=frozen; fi
  thaw_main
  if [ -r "$FF_RUN/receipts/$P_RUN" ]; then read -r REPLY <"$FF_RUN/receipts/$P_RUN"; else REPLY=''; fi
  case $REPLY in
    '') DLM_EXIT=205 ;;
    *'"thawedBy":"asked"'*)
      # What it calls consistent must have held.
      case $REPLY in
        *'"foundFrozen":false'* | *'"held":false'* | *'"valid":false'*) DLM_EXIT=203 ;;
        *) if dlm_wrote "$REPLY"; then DLM_EXIT=203; elif [ -z "$before" ]; then DLM_EXIT=205; fi ;;
      esac
      ;;
    *) DLM_EXIT=203 ;;
  esac
}

# Whether a RECEIPT counts other writes at the thaw than at the freeze, for one of the frozen devices.
dlm_wrote() {
  local rest=$1
  while [[ $rest =~ \"atFreeze\":([0-9]+),\"atThaw\":([0-9]+|null) ]]; do
    if [ "${BASH_REMATCH[1]}" != "${BASH_REMATCH[2]}" ]; then return 0; fi
    rest=${rest#*"${BASH_REMATCH[0]}"}
  done
  return 1
}

dlm_pre_ends() {
  case $1 in
    0) exit 0 ;;
    12) if [ -d "$ACTIVE" ]; then exit 204; fi ;;
    19) exit 206 ;;
  esac
  exit 201
}
dlm_post_ends() { if [ "$1" = 0 ]; then exit "${DLM_EXIT:-0}"; else exit 202; fi; }
dlm_dry_run_ends() { if [ "$1" = 0 ]; then exit "${DLM_EXIT:-0}"; else exit 206; fi; }

# Whether the host can be frozen as Data Lifecycle Manager's tags will call it: consistent. REPLY says why not.
dlm_ready() {
  local i
  REPLY=''
  if [ "${#FAULT_CODE[@]}" -gt 0 ]; then REPLY=${FAULT_MESSAGE[0]}; fi
  for i in ${APP_DRIVER[@]+"${!APP_DRIVER[@]}"}; do
    if [ "${APP_READY[$i]}" != 1 ]; then REPLY="${APP_NAME[$i]}: ${APP_PROBLEM[$i]}"; fi
    if [ "${APP_PROVABLE[$i]}" != 1 ]; then log "${APP_NAME[$i]} has no lock that could prove that it stayed quiet"; fi
  done
  if [ -z "$REPLY" ] && [ "${#APP_DRIVER[@]}" = 0 ] && ! fs_freeze_possible; then REPLY="there is nothing to quiet: $REPLY"; fi
  if [ -n "$REPLY" ]; then
    DLM_EXIT=206
    return 1
  fi
}

# Sets REPLY to the mode with the shortest frozen window that makes one instant of the host.
dlm_mode() {
  if dlm_takes_lvm; then REPLY=lvm-snapshot; elif fs_freeze_possible; then REPLY=fs-freeze; else REPLY=app-only; fi
}

# LVM snapshots of several LVs are moments apart: only locks that stop all writers make them one.
dlm_takes_lvm() {
  local i mount lvs=' ' lv_mounts=, several=''
  mode_possible lvm-snapshot || return 1
  for i in "${!FS_MOUNT[@]}"; do
    if [ "${FS_FREEZABLE[$i]}" != 1 ]; then continue; fi
    lv_mounts+="${FS_MOUNT[$i]},"
    if [ "$lvs" != ' ' ] && [[ $lvs != *" ${FS_LV[$i]} "* ]]; then several=yes; fi
    lvs+="${FS_LV[$i]} "
  done
  if [ -n "$several" ] && [ "${#APP_DRIVER[@]}" = 0 ]; then return 1; fi
  for i in ${APP_DRIVER[@]+"${!APP_DRIVER[@]}"}; do
    if [ -n "$several" ] && [ "${APP_STOPS[$i]}${APP_PROVABLE[$i]}" != 11 ]; then return 1; fi
    local IFS=,
    for mount in ${APP_MOUNTS[$i]}; do
      if [[ $lv_mounts != *",$mount,"* ]]; then return 1; fi
    done
    unset IFS
  done
}

# Sets REPLY to the run of this try: a try that failed left its tombstone, and Data Lifecycle Manager tries again.
dlm_next_run() {
  local n=1
  REPLY=$DLM_ID
  while is_buried "$REPLY"; do
    n=$((n + 1))
    REPLY=$DLM_ID-$n
  done
}

# Sets REPLY to the run that holds the host, if it is of this execution; else to its last one.
dlm_last_run() {
  local run='' n=1
  if [ -r "$ACTIVE/run" ]; then read -r run <"$ACTIVE/run" || true; fi
  REPLY=$DLM_ID
  if [[ $run == "$DLM_ID" || $run =~ ^"$DLM_ID"-[0-9]+$ ]]; then
    REPLY=$run
    return
  fi
  while
    n=$((n + 1))
    is_buried "$DLM_ID-$n"
  do
    REPLY=$DLM_ID-$n
  done
}
