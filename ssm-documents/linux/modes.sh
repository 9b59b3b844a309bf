#!/bin/bash
# shellcheck shell=bash
# Which modes of quieting the host can have, and why not the others.

# Whether a MODE can be had. Sets REPLY to the reason against it, else to nothing.
mode_possible() {
  case $1 in
    lvm-snapshot) lvm_snapshot_possible ;;
    fs-freeze) fs_freeze_possible ;;
    app-only) REPLY='' ;;
    *)
      REPLY="there is no mode $1"
      return 1
      ;;
  esac
}

fs_freeze_possible() {
  local i reasons=''
  REPLY=''
  for ((i = 0; i < ${#FS_MOUNT[@]}; i++)); do
    if [[ ${FS_FREEZABLE[$i]} == 1 ]]; then
      if command -v fsfreeze >/dev/null; then return; fi
      REPLY='fsfreeze is missing; install util-linux'
      return 1
    fi
    if [[ ${#reasons} -lt 300 ]]; then reasons+="; ${FS_MOUNT[$i]}: ${FS_WHY[$i]}"; fi
  done
  REPLY="no file system can be frozen${reasons:+ (${reasons#; })}"
  return 1
}

lvm_snapshot_possible() {
  local i k any=0
  if ! command -v lvcreate >/dev/null; then
    REPLY='no LVM tools on this host'
    return 1
  fi
  for ((i = 0; i < ${#FS_MOUNT[@]}; i++)); do
    if [[ ${FS_FREEZABLE[$i]} != 1 ]]; then continue; fi
    any=1
    if [[ -z ${FS_LV[$i]} ]]; then
      REPLY="${FS_MOUNT[$i]} does not lie right on a logical volume that can have a snapshot"
      return 1
    fi
    lv_index "${FS_LV[$i]}"
    k=$REPLY
    if ! group_takes_snapshots "${LV_VG[$k]}"; then return 1; fi
    if is_thin "$k"; then
      if ! pool_has_room "$k"; then return 1; fi
    elif ! group_has_room "$k"; then
      return 1
    fi
  done
  REPLY='no file system that can be frozen lies on a logical volume'
  if [[ $any == 1 ]]; then REPLY=''; fi
  [[ -z $REPLY ]]
}

group_takes_snapshots() {
  local k namesakes=0 state=${VG_STATE[$1]} name=${VG_NAME[$1]}
  for ((k = 0; k < ${#VG_NAME[@]}; k++)); do if [[ ${VG_NAME[$k]} == "$name" ]]; then namesakes=$((namesakes + 1)); fi; done
  REPLY=''
  if [[ $state ]]; then
    REPLY="volume group $name is ${state%% *}"
  elif [[ $namesakes -gt 1 ]]; then
    REPLY="there are $namesakes volume groups $name; rename the copy with vgimportclone, or detach it"
  elif [[ ! -d $FF_SYS/module/dm_snapshot ]] && ! modprobe -n -q dm-snapshot 2>/dev/null; then
    REPLY='the kernel has no module dm-snapshot; install it or use freezeframe:mode=fs-freeze'
  fi
  [[ -z $REPLY ]]
}

# A full thin pool would stop the origin itself.
pool_has_room() {
  local pool=${LV_POOL[$1]} data meta
  lv_index "$pool" || return 1
  data=${LV_DATA[$REPLY]%%.*} meta=${LV_META[$REPLY]%%.*}
  REPLY=''
  if [[ ${data:-0} -ge 80 || ${meta:-0} -ge 80 ]]; then
    REPLY="thin pool $pool is full to ${data:-0} % (metadata ${meta:-0} %); extend it below 80 % or use freezeframe:mode=fs-freeze"
    return 1
  fi
}

# A twentieth of the origin is the least that a snapshot of some seconds may have.
group_has_room() {
  local k=$1 group=${LV_NAME[$1]%%/*} least
  least=$(((LV_SIZE_EXTENTS[k] + 19) / 20))
  cow_extents "$k"
  if [[ $REPLY -lt $least || $REPLY == 0 ]]; then
    vg_free "$group"
    REPLY="volume group $group has $REPLY free extents, and an LVM snapshot of ${LV_NAME[$k]} needs $least; add a volume or use freezeframe:mode=fs-freeze"
    return 1
  fi
  REPLY=''
}

# Whether the LV of this index is a thin one: its snapshots need no size.
is_thin() { [[ ${LV_SEGTYPE[$1]} == thin ]]; }

# Sets REPLY to the extents of a classic snapshot of the LV with this index: its share of the group's free extents,
# but not more than the origin, nor more than the larger of a fifth of the origin and half of the share.
cow_extents() {
  local k=$1 group=${LV_NAME[$1]%%/*} i j total=0 share=0 want classic=0 counted=' '
  for ((i = 0; i < ${#FS_MOUNT[@]}; i++)); do
    if [[ ${FS_FREEZABLE[$i]} != 1 || ${FS_LV[$i]} != "$group"/* || $counted == *" ${FS_LV[$i]} "* ]]; then continue; fi
    counted+="${FS_LV[$i]} "
    lv_index "${FS_LV[$i]}"
    j=$REPLY
    if ! is_thin "$j"; then total=$((total + LV_SIZE_EXTENTS[j])) classic=$((classic + 1)); fi
  done
  vg_free "$group"
  # One extent for each before the rest is shared out by size, so that a small LV beside a large one gets any.
  if [[ $total == 0 ]]; then share=$REPLY; elif [[ $REPLY -ge $classic ]]; then
    share=$((1 + (REPLY - classic) * LV_SIZE_EXTENTS[k] / total))
  fi
  want=$(((LV_SIZE_EXTENTS[k] + 4) / 5))
  if [[ $want -lt $((share / 2)) ]]; then want=$((share / 2)); fi
  # One more for the exception store: a snapshot of a full origin's size then can't overflow.
  if [[ $want -gt $((LV_SIZE_EXTENTS[k] + 1 + LV_SIZE_EXTENTS[k] / 100)) ]]; then want=$((LV_SIZE_EXTENTS[k] + 1 + LV_SIZE_EXTENTS[k] / 100)); fi
  REPLY=$((want < share ? want : share))
}

vg_free() {
  local k
  REPLY=0
  for ((k = 0; k < ${#VG_NAME[@]}; k++)); do
    if [[ ${VG_NAME[$k]} == "$1" ]]; then
      REPLY=${VG_FREE[$k]}
      return
    fi
  done
}
