#!/bin/bash
# shellcheck shell=bash disable=SC2034
# Document Inspect: what would be frozen, in which order and why. Changes nothing on the host.

# The agent cuts an answer at 24,000 characters; nearly all of it can be told in less.
ANSWER_LIMIT=20000

inspect_main() {
  trap 'fail Internal "line $LINENO: $BASH_COMMAND"' ERR
  topology_read
  # The hash covers all that runs, whatever is asked for: Freeze compares it so.
  apps_detect auto
  topology_hash
  if [[ $P_APPS != auto ]]; then apps_keep "$P_APPS"; fi
  LAYERS_WITH_DISKS=1
  inspect_json
  if [[ ${#REPLY} -gt $ANSWER_LIMIT ]]; then
    # The disks of a file system are listed beside its layers anyway.
    LAYERS_WITH_DISKS=0
    inspect_json
  fi
  if [[ ${#REPLY} -gt $ANSWER_LIMIT ]]; then
    fail HostUnfit "this host has ${#FS_MOUNT[@]} file systems on ${#DISK_NAME[@]} disks: too much for one answer of the SSM agent"
  fi
  printf '%s\n' "$REPLY"
}

inspect_json() {
  local boot uptime os='' kernel line json
  boot_id
  boot=$REPLY
  first_line "$FF_PROC/uptime"
  uptime=${REPLY%% *}
  first_line "$FF_PROC/sys/kernel/osrelease"
  kernel=$REPLY
  while read -r line; do
    if [[ $line == PRETTY_NAME=* ]]; then os=${line#*=} os=${os//\"/}; fi
  done <"${FF_ETC:-/etc}/os-release" || true
  json_object n contract 1 s bootId "$boot" n uptime "$uptime" s os "$os" s kernel "$kernel" s topologyHash "$TOPOLOGY_HASH"
  json=${REPLY%\}}
  local part
  for part in disks filesystems arrays groups apps modes faults; do
    "${part}_json"
    json+=",\"$part\":$REPLY"
  done
  REPLY=$json\}
}

disks_json() {
  local k out=''
  for ((k = 0; k < ${#DISK_NAME[@]}; k++)); do
    json_object s name "${DISK_NAME[$k]}" s kind "${DISK_KIND[$k]}" s volumeId "${DISK_VOLUME[$k]}"
    out+=",$REPLY"
  done
  REPLY="[${out#,}]"
}

filesystems_json() {
  local i out='' layers disks
  for ((i = 0; i < ${#FS_MOUNT[@]}; i++)); do
    layers_json "${FS_LAYERS[$i]}"
    layers=$REPLY
    # shellcheck disable=SC2086 # words
    json_strings ${FS_DISKS[$i]}
    disks=$REPLY
    json_object s mount "${FS_MOUNT[$i]}" s type "${FS_TYPE[$i]}" s device "${FS_DEV[$i]}" s uuid "${FS_UUID[$i]}" \
      s options "${FS_OPTS[$i]}" b freezable "${FS_FREEZABLE[$i]}" s why "${FS_WHY[$i]}" s lv "${FS_LV[$i]}" \
      j layers "$layers" j disks "$disks"
    out+=",$REPLY"
  done
  REPLY="[${out#,}]"
}

layers_json() {
  local name out=''
  for name in $1; do
    if [[ ${BLOCK_KIND[$name]:-} == disk && $LAYERS_WITH_DISKS == 0 ]]; then continue; fi
    json_object s name "$name" s kind "${BLOCK_KIND[$name]:-other}" s detail "${BLOCK_DETAIL[$name]:-}" s uuid "${BLOCK_UUID[$name]:-}"
    out+=",$REPLY"
  done
  REPLY="[${out#,}]"
}

arrays_json() {
  local k out='' disks
  for ((k = 0; k < ${#MD_NAME[@]}; k++)); do
    # shellcheck disable=SC2086 # words
    json_strings ${MD_DISKS[$k]}
    disks=$REPLY
    json_object s name "${MD_NAME[$k]}" s uuid "${MD_UUID[$k]}" s level "${MD_LEVEL[$k]}" j disks "$disks" \
      n degraded "${MD_DEGRADED[$k]}" s syncAction "${MD_SYNC[$k]}" s state "${MD_STATE[$k]}"
    out+=",$REPLY"
  done
  REPLY="[${out#,}]"
}

groups_json() {
  local k out='' disks
  for ((k = 0; k < ${#VG_NAME[@]}; k++)); do
    # shellcheck disable=SC2086 # words
    json_strings ${VG_DISKS[$k]}
    disks=$REPLY
    json_object s name "${VG_NAME[$k]}" s uuid "${VG_UUID[$k]}" j disks "$disks" n extentBytes "${VG_EXTENT[$k]}" \
      n freeExtents "${VG_FREE[$k]}" n missing "${VG_MISSING[$k]}"
    out+=",$REPLY"
  done
  REPLY="[${out#,}]"
}

apps_json() {
  local k out='' mounts mount
  for ((k = 0; k < ${#APP_DRIVER[@]}; k++)); do
    mounts=''
    local IFS=,
    for mount in ${APP_MOUNTS[$k]}; do
      json_string "$mount"
      mounts+=",$REPLY"
    done
    unset IFS
    json_object s driver "${APP_DRIVER[$k]}" s name "${APP_NAME[$k]}" s dataDir "${APP_DIR[$k]}" j mounts "[${mounts#,}]" \
      b ready "${APP_READY[$k]}" s problem "${APP_PROBLEM[$k]}" b provable "${APP_PROVABLE[$k]}" b stopsWrites "${APP_STOPS[$k]}"
    out+=",$REPLY"
  done
  REPLY="[${out#,}]"
}

modes_json() {
  local mode possible why out=''
  for mode in lvm-snapshot fs-freeze app-only; do
    if mode_possible "$mode"; then possible=1; else possible=0; fi
    why=$REPLY
    json_object b possible "$possible" s why "$why"
    out+=",\"$mode\":$REPLY"
  done
  REPLY="{${out#,}}"
}

faults_json() {
  local k out=''
  for ((k = 0; k < ${#FAULT_CODE[@]}; k++)); do
    json_object s code "${FAULT_CODE[$k]}" s message "${FAULT_MESSAGE[$k]}"
    out+=",$REPLY"
  done
  REPLY="[${out#,}]"
}
