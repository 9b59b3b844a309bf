#!/bin/bash
# shellcheck shell=bash disable=SC2034
# Block devices and what lies beneath each, from sysfs. Devices go by kernel name (dm-0, md0, nvme1n1p1).

FF_SYS=${FF_SYS:-/sys}
FF_PROC=${FF_PROC:-/proc}
FF_UDEV=${FF_UDEV:-/run/udev/data}

# By kernel name: disk|partition|md|lv|crypt|loop|other; `vg/lv` or RAID level; dm or md uuid; devices right beneath.
declare -gA BLOCK_KIND=() BLOCK_DETAIL=() BLOCK_UUID=() BLOCK_BELOW=()
# major:minor → name; name → major:minor; dm name or uuid → name.
declare -gA BLOCK_AT=() BLOCK_NUMBER=() BLOCK_OF_DM=()
# Whole disks. DISK_KIND: ebs|instance-store|unknown; DISK_VOLUME: vol-…, empty where only EC2 knows it (Xen).
DISK_NAME=() DISK_KIND=() DISK_VOLUME=()
declare -gA DISK_KIND_OF=()

# Sets REPLY to a file's first line without blanks around it; empty when it can't be read.
first_line() {
  REPLY=''
  if [[ -r $1 ]]; then { IFS=$' \t' read -r REPLY <"$1" || true; } 2>/dev/null; fi
}

blocks_read() {
  local path name below
  BLOCK_KIND=() BLOCK_DETAIL=() BLOCK_UUID=() BLOCK_BELOW=() BLOCK_AT=() BLOCK_NUMBER=() BLOCK_OF_DM=()
  DISK_NAME=() DISK_KIND=() DISK_VOLUME=() DISK_KIND_OF=()
  for path in "$FF_SYS"/class/block/*; do
    name=${path##*/}
    first_line "$path/dev"
    if [[ -z $REPLY ]]; then continue; fi
    BLOCK_AT[$REPLY]=$name BLOCK_NUMBER[$name]=$REPLY BLOCK_DETAIL[$name]='' BLOCK_UUID[$name]='' BLOCK_BELOW[$name]=''
    for below in "$path"/slaves/*; do
      if [[ -e $below ]]; then BLOCK_BELOW[$name]+=" ${below##*/}"; fi
    done
    block_classify "$name" "$path"
  done
  # A partition's directory lies in its disk's.
  for path in "$FF_SYS"/class/block/*/*/partition; do
    path=${path%/partition} name=${path##*/}
    if [[ ${BLOCK_KIND[$name]:-} == partition ]]; then
      path=${path%/*}
      BLOCK_BELOW[$name]=" ${path##*/}"
    fi
  done
}

block_classify() {
  local name=$1 path=$2 kind=other
  if [[ -d $path/dm ]]; then
    first_line "$path/dm/uuid"
    BLOCK_UUID[$name]=$REPLY
    if [[ $REPLY ]]; then BLOCK_OF_DM[$REPLY]=$name; fi
    case $REPLY in LVM-*) kind=lv ;; CRYPT-*) kind=crypt ;; esac
    first_line "$path/dm/name"
    BLOCK_OF_DM[$REPLY]=$name
    if [[ $kind == lv ]]; then
      lv_name_of_dm "$REPLY"
      BLOCK_DETAIL[$name]=$REPLY
    fi
  elif [[ -d $path/md ]]; then
    kind=md
    first_line "$path/md/level"
    BLOCK_DETAIL[$name]=$REPLY
    md_uuid "$name" "$path"
    BLOCK_UUID[$name]=$REPLY
  elif [[ -e $path/partition ]]; then
    kind=partition
  elif [[ $name == loop* ]]; then
    kind=loop
  elif [[ -z ${BLOCK_BELOW[$name]} && $name != @(ram|zram|sr|fd)[0-9]* ]]; then
    kind=disk
    disk_read "$name" "$path"
  fi
  BLOCK_KIND[$name]=$kind
}

# device-mapper doubles each hyphen of a name: `my--vg-data` is LV data of VG my-vg.
lv_name_of_dm() {
  local name=${1//--//}
  REPLY=${name%%-*}
  if [[ $REPLY != "$name" ]]; then REPLY+=$'\n'${name#*-}; fi
  REPLY=${REPLY//\//-}
  REPLY=${REPLY/$'\n'//}
}

disk_read() {
  local name=$1 path=$2 kind=unknown volume='' serial model size
  first_line "$path/size"
  size=$REPLY
  first_line "$path/device/serial"
  # A virtio disk has its serial in its own directory.
  if [[ -z $REPLY ]]; then first_line "$path/serial"; fi
  serial=$REPLY
  first_line "$path/device/model"
  model=$REPLY
  first_line "$path/device/devtype"
  if [[ $serial =~ ^vol-?([0-9a-f]{8,17})$ ]]; then
    kind=ebs volume=vol-${BASH_REMATCH[1]}
  elif [[ $model == "Amazon EC2 NVMe Instance Storage" ]]; then
    kind=instance-store
  elif [[ $name == xvd* || $REPLY == vbd ]]; then
    kind=ebs
  fi
  # An empty slot is no disk; nothing can lie on it.
  if [[ $size != 0 ]]; then
    DISK_NAME+=("$name") DISK_KIND+=("$kind") DISK_VOLUME+=("$volume")
    DISK_KIND_OF[$name]=$kind
  fi
}

# Sets REPLY to an array's uuid as mdadm writes it: from sysfs (new kernels), udev or mdadm.
md_uuid() {
  local uuid
  first_line "$2/md/uuid"
  uuid=$REPLY
  if [[ -z $uuid ]]; then
    udev_property "${BLOCK_NUMBER[$1]}" MD_UUID
    uuid=$REPLY
  fi
  if [[ -z $uuid ]] && command -v mdadm >/dev/null; then
    while read -r REPLY; do
      if [[ $REPLY == MD_UUID=* ]]; then uuid=${REPLY#*=}; fi
    done < <(mdadm --detail --export "/dev/$1" 2>/dev/null || true)
  fi
  uuid=${uuid//[-:]/}
  REPLY=$uuid
  if [[ ${#uuid} == 32 ]]; then REPLY=${uuid:0:8}:${uuid:8:8}:${uuid:16:8}:${uuid:24:8}; fi
}

# Sets REPLY to what udev knows of a device (major:minor, property), or to nothing.
udev_property() {
  local line file=$FF_UDEV/b$1
  REPLY=''
  if [[ ! -r $file ]]; then return; fi
  while read -r line; do
    if [[ $line == "E:$2="* ]]; then
      REPLY=${line#*=}
      return
    fi
  done <"$file"
}

# Sets REPLY to the kernel name of a device node, or to nothing.
block_of_node() {
  local name=${1#/dev/}
  REPLY=''
  if [[ ${BLOCK_KIND[$name]:-} ]]; then
    REPLY=$name
  elif [[ $name == mapper/* && ${BLOCK_OF_DM[${name#mapper/}]:-} ]]; then
    REPLY=${BLOCK_OF_DM[${name#mapper/}]}
  elif [[ -e $1 ]]; then
    name=$(readlink -m -- "$1")
    name=${name#/dev/}
    if [[ ${BLOCK_KIND[$name]:-} ]]; then REPLY=$name; fi
  fi
}

# Sets REPLY to the devices from NAME… down to the disks, each once, nearest first.
layers_below() {
  local queue="$*" seen=' ' name
  while [[ $queue ]]; do
    name=${queue%% *}
    if [[ $queue == *' '* ]]; then queue=${queue#* }; else queue=''; fi
    if [[ -z $name || $seen == *" $name "* ]]; then continue; fi
    seen+="$name "
    queue+=" ${BLOCK_BELOW[$name]:-}"
  done
  seen=${seen# }
  REPLY=${seen% }
}
