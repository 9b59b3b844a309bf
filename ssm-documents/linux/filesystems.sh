#!/bin/bash
# shellcheck shell=bash disable=SC2034
# Mounted file systems on block devices, in freezing order: one on an image file before the one that holds the file
# (the other way round its freeze hangs), then the last mounted first.

# FS_FREEZABLE: 1|0 with FS_WHY not. FS_LV: vg/lv when it lies right on an LV that can have a snapshot. FS_LAYERS:
# devices from its own down to the disks. FS_DISKS: whole disks. FS_OWN: devices that nothing but freezable file systems
# is written through; none of them may count a write while frozen. FS_READONLY: 1|0. FS_AT: major:minor → index.
FS_MOUNT=() FS_TYPE=() FS_DEV=() FS_UUID=() FS_OPTS=() FS_FREEZABLE=() FS_WHY=() FS_LV=() FS_LAYERS=() FS_DISKS=() FS_OWN=()
FS_READONLY=()
declare -gA FS_AT=()

filesystems_read() {
  local i pattern depth deepest=0 kept=() lowers=() depths=()
  local -A chosen=()
  FS_MOUNT=() FS_TYPE=() FS_DEV=() FS_UUID=() FS_OPTS=() FS_FREEZABLE=() FS_WHY=() FS_LV=() FS_LAYERS=() FS_DISKS=() FS_OWN=()
  FS_READONLY=() FS_AT=()
  # Of several mounts of a file system the first whose path leads to it, its root rather than a part of it.
  for pattern in '0 /' '0 *' '1 *'; do
    for ((i = 0; i < ${#MOUNT_POINT[@]}; i++)); do
      # shellcheck disable=SC2053 # a pattern on purpose
      if [[ -z ${chosen[${MOUNT_NUMBER[$i]}]:-} && "${MOUNT_HIDDEN[$i]} ${MOUNT_ROOT[$i]}" == $pattern ]]; then
        chosen[${MOUNT_NUMBER[$i]}]=$i
      fi
    done
  done
  loops_join
  for ((i = ${#MOUNT_POINT[@]} - 1; i >= 0; i--)); do
    if [[ ${chosen[${MOUNT_NUMBER[$i]}]} != "$i" || ${MOUNT_TYPE[$i]} == squashfs ]]; then continue; fi
    devices_of_mount "$i"
    if [[ -z $REPLY ]]; then continue; fi
    lowers+=("$REPLY") kept+=("$i")
    loops_among_layers "$REPLY"
    depths+=("$REPLY")
    if [[ $REPLY -gt $deepest ]]; then deepest=$REPLY; fi
  done
  for ((depth = deepest; depth >= 0; depth--)); do
    for ((i = 0; i < ${#kept[@]}; i++)); do
      if [[ ${depths[$i]} == "$depth" ]]; then filesystem_add "${kept[$i]}" "${lowers[$i]}"; fi
    done
  done
  uuids_from_blkid
  swaps_read
  freezable_decide
  own_devices
}

# Sets REPLY to the devices that a mount lies on, its own first; to nothing when it lies on none.
devices_of_mount() {
  local i=$1 own member peer
  REPLY=${BLOCK_AT[${MOUNT_NUMBER[$i]}]:-}
  if [[ $REPLY || ${MOUNT_TYPE[$i]} != btrfs ]]; then return; fi
  # btrfs shows a device number of its own, and may have several members.
  block_of_node "${MOUNT_SOURCE[$i]}"
  own=$REPLY
  for member in "$FF_SYS"/fs/btrfs/*/devices/"$own"; do
    if [[ -z $own || ! -e $member ]]; then continue; fi
    for peer in "${member%/*}"/*; do
      if [[ ${peer##*/} != "$own" ]]; then REPLY+=" ${peer##*/}"; fi
    done
  done
}

# A loop device lies on the file system of its image file.
loops_join() {
  local path name i
  for path in "$FF_SYS"/class/block/loop*/loop/backing_file; do
    first_line "$path"
    if [[ -z $REPLY ]]; then continue; fi
    name=${path%/loop/backing_file}
    mount_index_of "${REPLY% (deleted)}"
    i=$REPLY
    if [[ $i ]]; then
      devices_of_mount "$i"
      BLOCK_BELOW[${name##*/}]=" $REPLY"
    fi
  done
}

loops_among_layers() {
  local name count=0
  # shellcheck disable=SC2086 # words
  layers_below $1
  for name in $REPLY; do if [[ ${BLOCK_KIND[$name]:-} == loop ]]; then count=$((count + 1)); fi; done
  REPLY=$count
}

filesystem_add() {
  local mount=$1 nodes=$2 i=${#FS_MOUNT[@]}
  FS_AT[${MOUNT_NUMBER[$mount]}]=$i
  FS_MOUNT[i]=${MOUNT_POINT[$mount]} FS_TYPE[i]=${MOUNT_TYPE[$mount]} FS_DEV[i]=${nodes%% *}
  # shellcheck disable=SC2086 # words
  layers_below $nodes
  FS_LAYERS[i]=$REPLY
  # shellcheck disable=SC2086
  disks_below $nodes
  FS_DISKS[i]=$REPLY
  FS_READONLY[i]=0
  if [[ ,${MOUNT_SUPER[$mount]}, == *,ro,* ]]; then FS_READONLY[i]=1; fi
  options_merge "${MOUNT_OPTS[$mount]},${MOUNT_SUPER[$mount]}"
  FS_OPTS[i]=$REPLY
  FS_FREEZABLE[i]=1 FS_WHY[i]='' FS_LV[i]='' FS_OWN[i]=''
  if [[ ${MOUNT_HIDDEN[$mount]} == 1 ]]; then never_freeze "$i" 'another mount lies over it'; fi
  if lv_index "${BLOCK_DETAIL[${FS_DEV[$i]}]:-}" && [[ ${LV_DEV[$REPLY]} == "${FS_DEV[$i]}" && ${LV_PLAIN[$REPLY]} == 1 ]]; then
    FS_LV[i]=${LV_NAME[$REPLY]}
  fi
  filesystem_uuid "$i"
  FS_UUID[i]=$REPLY
}

# Mount options and those of the superblock, each once.
options_merge() {
  local word out=,
  read_words "${1//,/ }"
  for word in "${WORDS[@]}"; do if [[ $out != *",$word,"* ]]; then out+=$word,; fi; done
  out=${out#,} REPLY=${out%,}
}

filesystem_uuid() {
  local member
  if [[ ${FS_TYPE[$1]} == btrfs ]]; then
    for member in "$FF_SYS"/fs/btrfs/*/devices/"${FS_DEV[$1]}"; do
      if [[ -e $member ]]; then
        member=${member%/devices/*}
        REPLY=${member##*/}
        return
      fi
    done
  fi
  udev_property "${BLOCK_NUMBER[${FS_DEV[$1]}]}" ID_FS_UUID
}

# Where udev doesn't know, one blkid for all.
uuids_from_blkid() {
  local i line device='' nodes=()
  for ((i = 0; i < ${#FS_MOUNT[@]}; i++)); do if [[ -z ${FS_UUID[$i]} ]]; then nodes+=("/dev/${FS_DEV[$i]}"); fi; done
  if [[ ${#nodes[@]} == 0 ]] || ! command -v blkid >/dev/null; then return; fi
  while read -r line; do
    case $line in
      DEVNAME=*) device=${line#*=/dev/} ;;
      UUID=*)
        for ((i = 0; i < ${#FS_MOUNT[@]}; i++)); do
          if [[ ${FS_DEV[$i]} == "$device" && -z ${FS_UUID[$i]} ]]; then FS_UUID[i]=${line#*=}; fi
        done
        ;;
    esac
  done < <(blkid -c /dev/null -o export "${nodes[@]}" 2>/dev/null || true)
}
