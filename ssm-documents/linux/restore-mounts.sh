#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2154
# From restored devices to mounted file systems, found by the uuid that the topology tells.

mounts_make() {
  local order=() k
  if [[ ${#PLAN_PATH[@]} == 0 ]]; then return; fi
  if [[ -d $ROOT && $(find "$ROOT" -mindepth 1 -print -quit) ]]; then
    refuse MountFailed "$ROOT is not empty; move away what is in it"
  fi
  # What lies deeper has the longer path.
  mapfile -t order < <(for k in "${!PLAN_PATH[@]}"; do echo "${#PLAN_PATH[$k]} $k"; done | sort -n)
  for k in "${order[@]}"; do mount_make "${k#* }"; done
}

mount_make() {
  local k=$1 device at options=$P_ACCESS twin='' readonly=0
  local type=${PLAN_TYPE[$1]} uuid=${PLAN_UUID[$1]}
  device_of_filesystem "$k"
  device=/dev/$REPLY
  at=$ROOT${PLAN_PATH[$k]}
  at=${at%/}
  # A label stays the same even where the uuid is renewed.
  if has_twin "$uuid"; then twin=1 ALIKE=1; fi
  if [[ $P_ACCESS == ro ]]; then readonly=1; fi
  options_kept "${PLAN_OPTS[$k]}"
  options+=$REPLY
  # Databases run as users of their own, and have to get there; what lies in it has the rights of the original.
  (umask 022 && mkdir -p "$at")
  case $type in
    xfs)
      # Mounted once for its log; then it can have a uuid of its own.
      if [[ $twin && $P_ACCESS == rw ]]; then xfs_renew "$device" "$at"; elif [[ $twin ]]; then options+=,nouuid; fi
      ;;
    ext[234]) if [[ $twin && $P_ACCESS == rw ]]; then ext_renew "$device"; fi ;;
    btrfs) if [[ $twin ]]; then refuse MountFailed "${PLAN_PATH[$k]} is btrfs and the original is here: the two would be mixed up; restore it on another instance"; fi ;;
  esac
  if ! attempt 600 mount -t "$type" -o "$options" "$device" "$at"; then
    refuse MountFailed "${PLAN_PATH[$k]} ($type on $device) can't be mounted: $COMMAND_OUTPUT"
  fi
  probe "${device#/dev/}"
  json_object s mount "${PLAN_PATH[$k]}" s at "$at" s device "$device" s type "$type" s uuid "$PROBED_UUID" b readOnly "$readonly"
  DONE_MOUNTS+=,$REPLY
  did "${PLAN_PATH[$k]} mounted on $at ($options)"
}

# Sets REPLY to the restored device with the file system: of several with one uuid, the logical volume by its name.
device_of_filesystem() {
  local k=$1 name lv=${PLAN_LV[$1]#*/} found='' detail
  ours_read
  for name in "${OURS[@]}"; do
    if is_held "$name" && [[ ${BLOCK_KIND[$name]} != lv ]]; then continue; fi
    if [[ $lv != - ]]; then
      detail=${BLOCK_DETAIL[$name]}
      if [[ ${detail#*/} != "$lv" ]]; then continue; fi
    fi
    probe "$name"
    if [[ $PROBED_UUID == "${PLAN_UUID[$k]}" ]]; then found=$name; fi
  done
  if [[ -z $found ]]; then
    refuse FilesystemMissing "no restored device has the file system of ${PLAN_PATH[$k]} (${PLAN_TYPE[$k]}, uuid ${PLAN_UUID[$k]}); is every volume that it lies on in the set?"
  fi
  REPLY=$found
}

# Of the original's options those that are no matter of one kind of file system, with a comma before each.
options_kept() {
  local word out=''
  read_words "${1//,/ }"
  for word in ${WORDS[@]+"${WORDS[@]}"}; do
    case $word in noatime | nodiratime | relatime | strictatime | nosuid | nodev | noexec) out+=,$word ;; esac
  done
  REPLY=$out
}

xfs_renew() {
  need xfs_admin 'an XFS needs a uuid of its own beside the original'
  if ! attempt 600 mount -t xfs -o nouuid "$1" "$2" || ! attempt 120 umount "$2"; then
    refuse MountFailed "the log of the XFS on $1 can't be replayed: $COMMAND_OUTPUT"
  fi
  if ! attempt 120 xfs_admin -U generate "$1"; then refuse MountFailed "the XFS on $1 can't have a uuid of its own: $COMMAND_OUTPUT"; fi
}

ext_renew() {
  local code=0
  need tune2fs 'an ext file system needs a uuid of its own beside the original'
  # tune2fs wants it checked just before. 1: something was mended, as after a crash.
  attempt 600 e2fsck -fp "$1" || code=$?
  if [[ $code -gt 1 ]]; then refuse MountFailed "the file system on $1 has damage that a person has to look at: $COMMAND_OUTPUT"; fi
  if ! attempt 120 tune2fs -U random "$1"; then refuse MountFailed "the file system on $1 can't have a uuid of its own: $COMMAND_OUTPUT"; fi
}
