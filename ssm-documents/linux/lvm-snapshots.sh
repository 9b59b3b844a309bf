#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# LVM snapshots: taken for the time until the set exists, checked, removed.

# Never under fsfreeze: device-mapper does its own freeze for the instant, and the two together leak a freeze.
lvm_take() {
  local i=$1 lv=${FS_LV[$1]} name code=0 size=() k
  name=ff_${lv#*/}
  for k in ${SNAP_NAME[@]+"${!SNAP_NAME[@]}"}; do if [ "${SNAP_NAME[$k]}" = "${lv%/*}/$name" ]; then return; fi; done
  k=${#SNAP_NAME[@]}
  lv_index "$lv" || return 1
  if is_thin "$REPLY"; then
    size=(-kn)
  else
    cow_extents "$REPLY"
    size=(-l "$REPLY")
  fi
  SNAP_ORIGIN[k]=$lv SNAP_NAME[k]=${lv%/*}/$name
  push_undo "lvm ${SNAP_NAME[$k]}" || return 1
  if [ "${FS_TYPE[$i]}" = btrfs ]; then sync_filesystem "${FS_MOUNT[$i]}" || true; fi
  mark_stalled
  run_until "$WITHIN_AT" lvcreate -y -q -s "${size[@]}" -n "$name" --addtag freezeframe --addtag "$(lvm_tag "${lv%/*}")" "$lv" || code=$?
  now_cs
  if [ "$code" = 0 ]; then
    SNAP_TAKEN[k]=$REPLY
  elif [ "$code" = 124 ]; then
    fault FreezeTimeout "an LVM snapshot of $lv took longer than it may; its disks are too busy for this lease"
    return 1
  else
    fault FreezeFailed "no LVM snapshot of $lv: $COMMAND_OUTPUT"
    return 1
  fi
}

# Whether each snapshot still holds its instant: an overflowed one has lost it.
lvm_check() {
  local k attr used
  for k in ${SNAP_NAME[@]+"${!SNAP_NAME[@]}"}; do
    if [ -z "${SNAP_TAKEN[$k]:-}" ]; then continue; fi
    SNAP_VALID[k]=false
    if read -r attr used _ < <(lvs --noheadings --units b -o lv_attr,data_percent "${SNAP_NAME[$k]}" 2>/dev/null); then
      SNAP_USED[k]=${used:-}
      # Fifth letter of the attributes: I and S are snapshots that overflowed.
      case ${attr:4:1} in
        I | S) note "LVM snapshot ${SNAP_NAME[$k]} overflowed; leave more free extents in the volume group" ;;
        *) if [[ ! ${used:-0} =~ ^100 ]]; then SNAP_VALID[k]=true; fi ;;
      esac
    else
      note "LVM snapshot ${SNAP_NAME[$k]} is gone"
    fi
  done
}

lvm_remove() {
  local k try
  for try in 1 2 3; do
    if lvremove -fy -q "$1" >/dev/null 2>&1 9>&- || ! lvs "$1" >/dev/null 2>&1 9>&-; then
      for k in ${SNAP_NAME[@]+"${!SNAP_NAME[@]}"}; do
        if [ "${SNAP_NAME[$k]}" = "$1" ]; then SNAP_REMOVED[k]=true; fi
      done
      return 0
    fi
    pause 0.$((try * 3))
  done
  note "LVM snapshot $1 can't be removed; remove it with: lvremove $1"
  return 1
}

# Whose an LVM snapshot is: this host's, in this very volume group. A clone or a restored copy has another host or another
# group's uuid, and its LVM snapshot is the very thing that was to be restored.
lvm_tag() {
  local k uuid=''
  for k in ${VG_NAME[@]+"${!VG_NAME[@]}"}; do if [ "${VG_NAME[$k]}" = "$1" ]; then uuid=${VG_UUID[$k]}; fi; done
  echo "freezeframe.$HOST_ID.$uuid"
}

# The instance's id where the agent tells it.
host_id() {
  REPLY=${AWS_SSM_INSTANCE_ID:-}
  if [[ ! $REPLY =~ ^[a-z]+-[0-9a-f]+$ ]]; then
    REPLY=unknown
    { read -r REPLY </etc/machine-id; } 2>/dev/null || true
  fi
}

# Removes LVM snapshots of runs that hold nothing any more: left by a reboot, or by a host that lost both rings.
# Prints their names. The caller knows that no freeze is active.
lvm_sweep() {
  local name uuid tags
  if ! command -v lvs >/dev/null; then return 0; fi
  host_id
  while IFS='|' read -r name uuid tags; do
    name=${name// /}
    # The tag alone would be a thin thread: the name must be ours too.
    if [[ ",$tags," == *",freezeframe.$REPLY.$uuid,"* && $name =~ ^[A-Za-z0-9+_.-]+/ff_[A-Za-z0-9+_.-]+$ ]] &&
      lvremove -fy -q "$name" </dev/null >/dev/null 2>&1; then
      echo "$name"
    fi
  done < <(lvs --noheadings --separator '|' -o lv_full_name,vg_uuid,lv_tags @freezeframe 2>/dev/null)
}
