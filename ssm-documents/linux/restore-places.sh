#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2154
# A swap on the host, in two acts for whichever volumes the plan names: `vacate` stops the services that use their file
# systems, unmounts these and takes all beneath apart; `occupy` puts together what lies on the volumes under its own name,
# mounts it where it belongs, and starts the services again. What the first `vacate` of a restore finds is noted in /run,
# so that the originals come back as they were.

# Units that were stopped, those that trigger others first.
UNITS=()

place_begin() {
  NOTES=$FF_RUN/restores/$P_RESTORE
  mkdir -p "$FF_RUN/restores"
}

# --------------------------------------------------------------------------------------------------------------- vacate

vacate_all() {
  local answer code=0 unit
  place_begin
  ours_read
  place_check
  units_find
  if [[ ! -e $NOTES ]]; then notes_write; fi
  # Lest udev puts them together again, or a mount unit mounts them, before they are detached.
  rules_begin "$(volumes_key)"
  answer=$(units_stop && release_all) || code=$?
  if [[ $code != 0 ]]; then
    # Half of it is worse than nothing: everything goes back.
    (notes_read && occupy_now) >/dev/null || log 'not everything could be put back'
    printf '%s\n' "$answer"
    exit "$code"
  fi
  for unit in ${UNITS[@]+"${UNITS[@]}"}; do did "$unit stopped"; done
  did "${PLAN_VOLUME[*]} given free"
}

# Before anything is done: what must not be taken from under a running system, and what could not be put back.
place_check() {
  local i place
  mounts_read
  for ((i = 0; i < ${#MOUNT_POINT[@]}; i++)); do
    if ! mount_is_ours "$i"; then continue; fi
    place=${MOUNT_POINT[$i]}
    case $place in
      / | /usr | /etc | /var | /var/log | /var/lib | /var/lib/amazon | /boot | /boot/efi | /tmp)
        fail RestoreInUse "$place lies on these volumes, and the system lives on it: it can't be swapped while the instance runs"
        ;;
    esac
    if [[ ${MOUNT_ROOT[$i]} != / && ${MOUNT_TYPE[$i]} != btrfs ]]; then
      fail RestoreInUse "$place shows the directory ${MOUNT_ROOT[$i]} of a file system that is to be swapped; unmount it, then start the restore again"
    fi
  done
  while read -r place _; do
    block_of_node "$place"
    if [[ $REPLY && " ${OURS[*]-} " == *" $REPLY "* ]]; then
      fail RestoreInUse "$place is swap space of this host; swapoff it, then start the restore again"
    fi
  done < <(tail -n +2 "$FF_PROC/swaps")
}

mount_is_ours() {
  local at=${BLOCK_AT[${MOUNT_NUMBER[$1]}]:-}
  if [[ -z $at ]]; then
    block_of_node "${MOUNT_SOURCE[$1]}"
    at=$REPLY
  fi
  [[ $at && " ${OURS[*]-} " == *" $at "* ]]
}

# Sets UNITS to the services whose processes use the file systems, with what would start them in the middle of it.
units_find() {
  local pid unit trigger places=' '
  local -A seen=()
  UNITS=()
  for pid in $(users_of_places); do
    unit_of_process "$pid"
    unit=$REPLY
    if [[ -z $unit ]]; then
      first_line "$FF_PROC/$pid/comm"
      if [[ -z $REPLY ]]; then continue; fi
      fail RestoreInUse "process $pid ($REPLY) uses what is to be swapped and belongs to no service; end it, then start the restore again"
    fi
    if [[ ${seen[$unit]:-} ]]; then continue; fi
    seen[$unit]=1
    if [[ $(unit_property "$unit" Transient) == yes ]]; then
      fail RestoreInUse "$unit uses what is to be swapped, and nobody could start it again, for it was started by systemd-run; stop it, then start the restore again"
    fi
    for trigger in $(unit_property "$unit" TriggeredBy); do
      if [[ -z ${seen[$trigger]:-} ]] && systemctl -q is-active "$trigger"; then
        seen[$trigger]=1
        UNITS=("$trigger" ${UNITS[@]+"${UNITS[@]}"})
      fi
    done
    UNITS+=("$unit")
  done
}

# Prints the processes that have a file, a directory or a mapping on the file systems of the plan's volumes.
users_of_places() {
  local i number line numbers=' ' maps='' major minor processes=()
  for ((i = 0; i < ${#MOUNT_POINT[@]}; i++)); do
    if ! mount_is_ours "$i"; then continue; fi
    number=$(stat -c %d "${MOUNT_POINT[$i]}" 2>/dev/null) || continue
    major=$(((number >> 8) & 0xfff)) minor=$(((number & 0xff) | ((number >> 12) & 0xfff00)))
    numbers+="$number "
    printf -v line '%02x:%02x' "$major" "$minor"
    maps+="|$line"
  done
  if [[ -z $maps ]]; then return; fi
  processes=("$FF_PROC"/[0-9]*)
  # By device, since a path says little in another mount namespace. A dead network file system must not hold us up.
  {
    timeout 60 find -L "${processes[@]/%//cwd}" "${processes[@]/%//root}" "${processes[@]/%//exe}" -maxdepth 0 -printf '%D %p\n' || true
    timeout 60 find -L "${processes[@]/%//fd}" -mindepth 1 -maxdepth 1 -printf '%D %p\n' || true
    timeout 60 grep -lE " (${maps#|}) [1-9]" "${processes[@]/%//maps}" | sed 's/^/maps /' || true
  } 2>/dev/null | while read -r number line; do
    line=${line#"$FF_PROC"/}
    if [[ $number == maps || $numbers == *" $number "* ]]; then echo "${line%%/*}"; fi
  done | sort -un
}

# Sets REPLY to the service that a process is of: the outermost, not one of a user's own. Empty where there is none.
unit_of_process() {
  local line path='' part
  REPLY=''
  while read -r line; do
    case $line in 0::* | *:name=systemd:*) path=${line##*:} ;; esac
  done < <(cat "$FF_PROC/$1/cgroup" 2>/dev/null || true)
  if [[ $path == /user.slice/* || $path == */amazon-ssm-agent.service* ]]; then return; fi
  while [[ $path == */* ]]; do
    path=${path#*/} part=${path%%/*}
    if [[ $part == *.service ]]; then
      REPLY=$part
      return
    fi
  done
}

unit_property() { systemctl show -p "$2" -- "$1" 2>/dev/null | sed -n "s/^$2=//p" || true; }

units_stop() {
  local unit
  for unit in ${UNITS[@]+"${UNITS[@]}"}; do
    if ! attempt 300 systemctl stop -- "$unit"; then
      fail RestoreInUse "$unit uses what is to be swapped and does not stop: $COMMAND_OUTPUT"
    fi
  done
}

# In the words of the plan, for `occupy` to read: what was mounted, deepest last, and what ran.
notes_write() {
  local i name lines=()
  for ((i = 0; i < ${#MOUNT_POINT[@]}; i++)); do
    if ! mount_is_ours "$i" || [[ ${MOUNT_ROOT[$i]} != / ]]; then continue; fi
    block_of_mount "$i"
    probe "$REPLY"
    escape_word "${MOUNT_POINT[$i]}"
    lines+=("mount ${MOUNT_TYPE[$i]} $PROBED_UUID ${MOUNT_OPTS[$i]} $(lv_of "$REPLY_BLOCK") $REPLY")
  done
  for name in ${OURS[@]+"${OURS[@]}"}; do
    if [[ ${BLOCK_KIND[$name]} == md ]]; then lines+=("array ${BLOCK_UUID[$name]} $name"); fi
  done
  for name in ${UNITS[@]+"${UNITS[@]}"}; do lines+=("unit $name"); done
  printf '%s\n' ${lines[@]+"${lines[@]}"} >"$NOTES"
}

# Sets REPLY and REPLY_BLOCK to the device that a mount lies on.
block_of_mount() {
  REPLY_BLOCK=${BLOCK_AT[${MOUNT_NUMBER[$1]}]:-}
  if [[ -z $REPLY_BLOCK ]]; then
    block_of_node "${MOUNT_SOURCE[$1]}"
    REPLY_BLOCK=$REPLY
  fi
  REPLY=$REPLY_BLOCK
}

lv_of() {
  if [[ ${BLOCK_KIND[$1]} == lv ]]; then
    escape_word "${BLOCK_DETAIL[$1]}"
    echo "$REPLY"
  else
    echo -
  fi
}

# What `unescape` undoes.
escape_word() {
  REPLY=${1//\\/\\134}
  REPLY=${REPLY// /\\040}
  REPLY=${REPLY//$'\t'/\\011}
  REPLY=${REPLY//$'\n'/\\012}
  REPLY=${REPLY//#/\\043}
}

# --------------------------------------------------------------------------------------------------------------- occupy

occupy_all() {
  place_begin
  # Without file systems in the plan it is the originals that come back: as they were noted.
  notes_read
  if [[ ${#PLAN_PATH[@]} == 0 && ${#UNITS[@]} == 0 ]]; then
    did 'nothing had been taken from its place on this host'
    return
  fi
  occupy_now
}

# Sets UNITS, and what is to be mounted where the plan does not say it.
notes_read() {
  local lines=() line mine=${#PLAN_PATH[@]}
  UNITS=()
  mapfile -t lines < <(cat "$NOTES" 2>/dev/null || true)
  for line in ${lines[@]+"${lines[@]}"}; do
    case $line in
      unit\ *) UNITS+=("${line#unit }") ;;
      array\ *) plan_line "$line" ;;
      mount\ *) if [[ $mine == 0 ]]; then plan_line "$line"; fi ;;
    esac
  done
}

occupy_now() {
  IN_PLACE=1
  rules_begin "$(volumes_key)"
  disks_wait
  if places_are_taken; then
    did 'everything is in its place already'
  else
    # Of an earlier try, or of a host that has restarted meanwhile.
    ours_read
    mounts_read
    units_of_others
    release_all
    layers_build
    places_mount
  fi
  devices_file_add
  rules_forget
  units_start
}

# Services that use what is in the wrong place, beside those that were noted.
units_of_others() {
  local noted=(${UNITS[@]+"${UNITS[@]}"}) unit
  units_find
  units_stop
  for unit in ${noted[@]+"${noted[@]}"}; do
    if [[ " ${UNITS[*]-} " != *" $unit "* ]]; then UNITS+=("$unit"); fi
  done
}

# Whether all of the plan's file systems are mounted where they belong, off its volumes, with nothing to merge.
places_are_taken() {
  local k i found
  if [[ ${#PLAN_MERGE[@]} != 0 ]]; then return 1; fi
  ours_read
  mounts_read
  for k in "${!PLAN_PATH[@]}"; do
    found=''
    for ((i = 0; i < ${#MOUNT_POINT[@]}; i++)); do
      if [[ ${MOUNT_POINT[$i]} == "${PLAN_PATH[$k]}" && ${MOUNT_HIDDEN[$i]} == 0 ]] && mount_is_ours "$i"; then found=1; fi
    done
    if [[ -z $found ]]; then return 1; fi
  done
}

# Every file system where it was on the original, with the options of fstab where that has it.
places_mount() {
  local order=() k device at type options ro
  mapfile -t order < <(for k in "${!PLAN_PATH[@]}"; do echo "${#PLAN_PATH[$k]} $k"; done | sort -n)
  for k in ${order[@]+"${order[@]}"}; do
    k=${k#* } at=${PLAN_PATH[$k]} type=${PLAN_TYPE[$k]} ro=0
    device_of_filesystem "$k"
    device=/dev/$REPLY
    options=$(findmnt --fstab -n -o OPTIONS --mountpoint "$at" 2>/dev/null | head -n 1) || options=''
    if [[ -z $options ]]; then
      options=rw
      if [[ ,${PLAN_OPTS[$k]}, == *,ro,* ]]; then options=ro; fi
      options_kept "${PLAN_OPTS[$k]}"
      options+=$REPLY
    fi
    (umask 022 && mkdir -p "$at")
    if mountpoint -q "$at"; then
      refuse MountFailed "something else is mounted on $at by now; unmount it, then start the restore again"
    fi
    if ! attempt 600 mount -t "$type" -o "$options" "$device" "$at"; then
      refuse MountFailed "$at ($type on $device) can't be mounted: $COMMAND_OUTPUT"
    fi
    if [[ ,$options, == *,ro,* ]]; then ro=1; fi
    json_object s mount "$at" s at "$at" s device "$device" s type "$type" s uuid "${PLAN_UUID[$k]}" b readOnly "$ro"
    DONE_MOUNTS+=,$REPLY
    did "$at mounted ($options)"
  done
}

# What was stopped last comes first, but for what starts services by itself: a socket refuses to listen for one that runs.
units_start() {
  local unit order=()
  for unit in ${UNITS[@]+"${UNITS[@]}"}; do if [[ $unit == *.service ]]; then order=("$unit" ${order[@]+"${order[@]}"}); fi; done
  for unit in ${UNITS[@]+"${UNITS[@]}"}; do if [[ $unit != *.service ]]; then order=("$unit" ${order[@]+"${order[@]}"}); fi; done
  for unit in ${order[@]+"${order[@]}"}; do
    if systemctl -q is-active "$unit"; then continue; fi
    systemctl reset-failed -- "$unit" 2>/dev/null || true
    if ! attempt 300 systemctl start -- "$unit"; then
      fail ServiceFailed "$unit does not start: $COMMAND_OUTPUT; see journalctl -u $unit"
    fi
    did "$unit started"
  done
}

# A host that lists its physical volumes by serial number would not find the swapped ones after its next boot.
devices_file_add() {
  local pv
  if [[ ! -e /etc/lvm/devices/system.devices ]] || ! command -v lvmdevices >/dev/null; then return; fi
  for pv in ${PVS[@]+"${PVS[@]}"}; do
    if attempt 60 lvmdevices --yes --adddev "$pv"; then
      did "$pv added to the devices file of LVM"
    else
      did "$pv is not in the devices file of LVM, and the next boot will not find it: $COMMAND_OUTPUT"
    fi
  done
}

# A name for the rules of these volumes: those of the originals and those of the copies come and go by themselves.
volumes_key() { printf '%s@%s' "$P_RESTORE" "$(printf '%s\n' "${PLAN_VOLUME[@]}" | sort | cksum | cut -d ' ' -f 1)"; }
