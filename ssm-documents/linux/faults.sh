#!/bin/bash
# shellcheck shell=bash disable=SC2034
# What makes a whole set of the mounted file systems impossible, with what to do about it.
FAULT_CODE=() FAULT_MESSAGE=()

fault_add() {
  FAULT_CODE+=("$1") FAULT_MESSAGE+=("$2")
}

faults_read() {
  FAULT_CODE=() FAULT_MESSAGE=()
  local i k name used=' ' disk
  # Only what lies on EBS at least in part is ours to keep whole.
  for ((i = 0; i < ${#FS_MOUNT[@]}; i++)); do
    for disk in ${FS_DISKS[$i]}; do
      if [[ ${DISK_KIND_OF[$disk]:-} == ebs ]]; then
        used+="${FS_LAYERS[$i]} "
        break
      fi
    done
  done
  for ((k = 0; k < ${#MD_NAME[@]}; k++)); do
    if [[ $used == *" ${MD_NAME[$k]} "* ]]; then array_faults "$k"; fi
  done
  for ((k = 0; k < ${#VG_NAME[@]}; k++)); do
    for name in $used; do
      if [[ ${BLOCK_KIND[$name]:-} == lv && ${BLOCK_UUID[$name]} == "LVM-${VG_UUID[$k]//-/}"* ]]; then
        group_faults "$k"
        break
      fi
    done
  done
  for ((i = 0; i < ${#FS_MOUNT[@]}; i++)); do mixed_disks "file system ${FS_MOUNT[$i]}" "${FS_DISKS[$i]}"; done
}

array_faults() {
  local k=$1 name="array ${MD_NAME[$1]} (${MD_LEVEL[$1]})"
  # RAID0 and linear have no redundancy to lose: their count means nothing.
  if [[ ${MD_DEGRADED[$k]} != 0 ]]; then
    fault_add ArrayDegraded "$name lacks ${MD_DEGRADED[$k]} of its members; replace them (mdadm --manage /dev/${MD_NAME[$k]} --add …) and let it rebuild"
  elif [[ ${MD_LOST[$k]} -gt 0 ]]; then
    fault_add ArrayMemberMissing "$name has lost ${MD_LOST[$k]} of its members; see mdadm --detail /dev/${MD_NAME[$k]}"
  fi
  case ${MD_SYNC[$k]} in
    resync | recover | reshape)
      fault_add ArrayResyncing "$name is in ${MD_SYNC[$k]}; wait until cat /proc/mdstat shows that it has ended"
      ;;
  esac
  mixed_disks "$name" "${MD_DISKS[$k]}"
}

group_faults() {
  local k=$1 name="volume group ${VG_NAME[$1]}"
  case " ${VG_STATE[$k]}" in *' partial '*)
    fault_add GroupPartial "$name lacks ${VG_MISSING[$k]} of its physical volumes; attach them, or vgreduce --removemissing ${VG_NAME[$k]}"
    ;;
  esac
  case " ${VG_STATE[$k]}" in *' exported '*) fault_add GroupExported "$name is exported; vgimport ${VG_NAME[$k]}" ;; esac
  case " ${VG_STATE[$k]}" in *' moving '*)
    fault_add GroupMoving "extents of $name are being moved; let pvmove end, or pvmove --abort"
    ;;
  esac
  mixed_disks "$name" "${VG_DISKS[$k]}"
}

# EBS snapshots of a part are no backup of the whole.
mixed_disks() {
  local disk volumes=0 others=''
  for disk in $2; do
    case ${DISK_KIND_OF[$disk]:-unknown} in
      ebs) volumes=1 ;;
      instance-store) others+=", $disk (instance store)" ;;
      *) others+=", $disk (no EBS volume)" ;;
    esac
  done
  if [[ $volumes == 1 && $others ]]; then
    fault_add InstanceStoreMember "$1 lies in part on ${others#, }, which no EBS snapshot holds; move it to EBS volumes alone"
  fi
}
