#!/bin/bash
# shellcheck shell=bash disable=SC2034
# md arrays. MD_DISKS: whole disks, in words. MD_SYNC: sync_action, empty where there is none (RAID0). MD_LOST: members
# that the array has lost.
MD_NAME=() MD_UUID=() MD_LEVEL=() MD_DISKS=() MD_DEGRADED=() MD_SYNC=() MD_STATE=() MD_LOST=()

arrays_read() {
  local name md member k=0
  MD_NAME=() MD_UUID=() MD_LEVEL=() MD_DISKS=() MD_DEGRADED=() MD_SYNC=() MD_STATE=() MD_LOST=()
  for md in "$FF_SYS"/class/block/*/md; do
    name=${md%/md} name=${name##*/}
    if [[ ${BLOCK_KIND[$name]:-} != md ]]; then continue; fi
    MD_NAME[k]=$name MD_UUID[k]=${BLOCK_UUID[$name]} MD_LEVEL[k]=${BLOCK_DETAIL[$name]}
    disks_below "$name"
    MD_DISKS[k]=$REPLY
    first_line "$md/degraded"
    MD_DEGRADED[k]=${REPLY:-0}
    first_line "$md/sync_action"
    MD_SYNC[k]=$REPLY
    first_line "$md/array_state"
    MD_STATE[k]=$REPLY
    first_line "$md/raid_disks"
    MD_LOST[k]=${REPLY:-0}
    for member in "$md"/dev-*/state; do
      first_line "$member"
      if [[ ,$REPLY, == *,in_sync,* && ,$REPLY, != *,faulty,* ]]; then MD_LOST[k]=$((MD_LOST[k] - 1)); fi
    done
    k=$((k + 1))
  done
}

# Sets REPLY to the whole disks under NAME….
disks_below() {
  local name disks=''
  layers_below "$@"
  for name in $REPLY; do
    if [[ ${BLOCK_KIND[$name]:-} == disk ]]; then disks+=" $name"; fi
  done
  REPLY=${disks# }
}
