#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2154
# From restored disks up to logical volumes: whatever can be opened is opened, until nothing new turns up. No order of
# devices is trusted, and no depth: what a device holds is read off it.

# Devices that were looked into; those of an array or group that is not complete yet, in words, by its uuid.
# Groups: name, absent physical volumes and devices by uuid. PVS: physical volumes of all groups.
declare -gA SEEN=() MEMBERS=() MEMBERS_NEEDED=() GROUP_NAME=() GROUP_MISSING=() GROUP_OF=() GROUP_OPEN=()
PVS=()

layers_build() {
  local name progress=1
  while [[ $progress == 1 ]]; do
    progress=0
    ours_read
    for name in ${OURS[@]+"${OURS[@]}"}; do
      if [[ ${SEEN[$name]:-} ]]; then continue; fi
      SEEN[$name]=1 progress=1
      layer_open "$name"
    done
    # Only when all that can be opened beneath is open.
    if [[ $progress == 0 ]] && groups_open; then progress=1; fi
  done
  for name in "${!MEMBERS[@]}"; do
    refuse ArrayIncomplete "array $name has $(wc -w <<<"${MEMBERS[$name]}") of ${MEMBERS_NEEDED[$name]} members among the restored volumes; restore a set that holds them all"
  done
}

# Sets PROBED_TYPE and PROBED_UUID to what a device holds, as its own bytes say.
probe() {
  local line
  PROBED_TYPE='' PROBED_UUID=''
  while read -r line; do
    case $line in TYPE=*) PROBED_TYPE=${line#*=} ;; UUID=*) PROBED_UUID=${line#*=} ;; esac
  done < <(blkid -p -o export "/dev/$1" 2>/dev/null || true)
}

layer_open() {
  probe "$1"
  case $PROBED_TYPE in
    linux_raid_member) array_member "$1" ;;
    crypto_LUKS) luks_open "$1" "$PROBED_UUID" ;;
    LVM2_member) PVS+=("/dev/$1") ;;
  esac
}

array_member() {
  local line uuid='' needed=''
  need mdadm 'the set has an md array'
  while read -r line; do
    case $line in MD_UUID=*) uuid=${line#*=} ;; MD_DEVICES=*) needed=${line#*=} ;; esac
  done < <(mdadm --examine --export "/dev/$1" 2>/dev/null || true)
  if [[ -z $uuid || -z $needed ]]; then refuse ArrayIncomplete "the md superblock of $1 can't be read"; fi
  MEMBERS[$uuid]+=" /dev/$1"
  MEMBERS_NEEDED[$uuid]=$needed
  if [[ $(wc -w <<<"${MEMBERS[$uuid]}") -ge $needed ]]; then array_assemble "$uuid"; fi
}

# Under a uuid of its own where the original is here too.
array_assemble() {
  local uuid=$1 number=99 present='' k options=(--homehost=any) members=()
  if [[ $IN_PLACE ]]; then
    array_place "$uuid"
    return
  fi
  arrays_read
  for k in ${MD_UUID[@]+"${MD_UUID[@]}"}; do if [[ ${k//:/} == "${uuid//:/}" ]]; then present=1; fi; done
  if [[ $present ]]; then options+=(--update=uuid); fi
  while [[ -e $FF_SYS/class/block/md$number || -e /dev/md$number ]]; do number=$((number - 1)); done
  rules_add "KERNEL==\"md$number\""
  read_words "${MEMBERS[$uuid]}"
  members=("${WORDS[@]}")
  if ! attempt 120 mdadm --assemble --config=none "/dev/md$number" "${options[@]}" "${members[@]}"; then
    refuse ArrayIncomplete "array $uuid does not assemble: $COMMAND_OUTPUT"
  fi
  unset "MEMBERS[$uuid]"
  node_wait "/dev/md$number"
  json_object s uuid "$uuid" s device "/dev/md$number" b newUuid "${present:-0}"
  DONE_ARRAYS+=,$REPLY
  did "array $uuid assembled as md$number${present:+ under a new uuid, for the original is here}"
}

# As at a boot, so that it gets the name that the configuration knows it by; or by the name that it had until now.
array_place() {
  local uuid=$1 member noted=${PLAN_ARRAY[$1]:-} name members=()
  rules_add "ENV{MD_UUID}==\"$uuid\""
  read_words "${MEMBERS[$uuid]}"
  members=("${WORDS[@]}")
  # Not --run, which would start a mirror with its first half alone.
  for member in "${members[@]}"; do attempt 120 mdadm --incremental "$member" || true; done
  array_of "$uuid"
  name=$REPLY
  if [[ $noted && $name != "$noted" ]]; then
    if [[ $name ]]; then array_stop "$name" || true; fi
    attempt 120 mdadm --assemble --config=none "/dev/$noted" --homehost=any "${members[@]}" || true
    array_of "$uuid"
    name=$REPLY
  fi
  if [[ -z $name ]]; then refuse ArrayIncomplete "array $uuid does not assemble: $COMMAND_OUTPUT"; fi
  unset "MEMBERS[$uuid]"
  node_wait "/dev/$name"
  json_object s uuid "$uuid" s device "/dev/$name" b newUuid 0
  DONE_ARRAYS+=,$REPLY
  did "array $uuid assembled as $name"
}

# Sets REPLY to the name of the array with this uuid that runs, or to nothing.
array_of() {
  local k
  REPLY=''
  blocks_read
  arrays_read
  for k in ${MD_UUID[@]+"${!MD_UUID[@]}"}; do
    if [[ ${MD_UUID[$k]//:/} == "${1//:/}" && ${MD_STATE[$k]} != inactive ]]; then REPLY=${MD_NAME[$k]}; fi
  done
}

# The key is on the host or nowhere: named for this uuid in crypttab, or put into /etc/freezeframe/keys.
luks_open() {
  local device=$1 uuid=$2 etc=${FF_ETC:-/etc} key='' known='' row name
  need cryptsetup 'the set is encrypted with LUKS'
  if [[ -r $etc/freezeframe/keys/$uuid ]]; then key=$etc/freezeframe/keys/$uuid; fi
  ROWS=()
  rows_of "$etc/crypttab" || true
  for row in ${ROWS[@]+"${ROWS[@]}"}; do
    read_words "${row//\"/}"
    case ${WORDS[1]:-} in "UUID=$uuid" | "/dev/disk/by-uuid/$uuid") ;; *) continue ;; esac
    known=${WORDS[0]} name=${WORDS[2]:-}
    if [[ -z $key && $name == /* && -f $name ]]; then key=$name; fi
  done
  if [[ -z $key ]]; then
    refuse KeyMissing "$device is encrypted with LUKS ($uuid) and this host has no key for it: put the key file at /etc/freezeframe/keys/$uuid (root, mode 0400), then restore again"
  fi
  name=freezeframe-$device-${uuid%%-*}
  if [[ $IN_PLACE && $known ]]; then name=$known; fi
  # Its uuid is what the key is found by, and stays the same.
  if [[ -z $IN_PLACE ]] && has_twin "$uuid"; then ALIKE=1; fi
  rules_add "ENV{DM_NAME}==\"$name\""
  if ! attempt 120 cryptsetup open --type luks --key-file "$key" "/dev/$device" "$name"; then
    refuse KeyMissing "the key $key does not open $device: $COMMAND_OUTPUT"
  fi
  node_wait "/dev/mapper/$name"
  did "$device opened with $key"
}

# Opens the groups whose physical volumes are there; 1 when there is nothing to open.
groups_open() {
  local row uuid opened=1 rows=()
  GROUP_NAME=() GROUP_MISSING=() GROUP_OF=()
  if [[ ${#PVS[@]} == 0 ]]; then return 1; fi
  need vgimportclone 'the set has a volume group'
  lvm_config
  mapfile -t rows < <(ours_only vg_uuid,vg_name,vg_missing_pv_count,pv_name vgs)
  for row in ${rows[@]+"${rows[@]}"}; do
    split_row "$row"
    uuid=${FIELD[0]}
    GROUP_NAME[$uuid]=${FIELD[1]} GROUP_MISSING[$uuid]=${FIELD[2]:-0}
    if [[ ${FIELD[3]} == /dev/* ]]; then GROUP_OF[$uuid]+=" ${FIELD[3]}"; fi
  done
  for uuid in "${!GROUP_NAME[@]}"; do
    if [[ ${GROUP_OPEN[$uuid]:-} ]]; then continue; fi
    if [[ ${GROUP_MISSING[$uuid]} != 0 ]]; then
      refuse GroupIncomplete "volume group ${GROUP_NAME[$uuid]} lacks ${GROUP_MISSING[$uuid]} of its physical volumes among the restored volumes; restore a set that holds them all"
    fi
    group_open "$uuid"
    opened=0
  done
  return "$opened"
}

# Under a name and uuids of its own where the original, or another group of its name, is here too.
group_open() {
  local uuid=$1 name=${GROUP_NAME[$1]} as=${GROUP_NAME[$1]} row clash='' number=0 taken=' ' pvs=()
  while read -r row; do
    split_row "$row"
    taken+="${FIELD[1]} "
    if [[ ${FIELD[0]} == "$uuid" || ${FIELD[1]} == "$name" ]]; then clash=1; fi
  done < <(lvm_rows vg_uuid,vg_name vgs --config "$LVM_OTHERS")
  if [[ $clash && $IN_PLACE ]]; then
    refuse GroupIncomplete "another volume group $name is on this host, in the place that is to be taken; export or rename it, then restore again"
  fi
  if [[ $clash ]]; then
    while [[ $taken == *" $as "* ]]; do
      number=$((number + 1))
      as=${name}_restored$number
    done
    read_words "${GROUP_OF[$uuid]}"
    pvs=("${WORDS[@]}")
    if ! attempt 120 vgimportclone --config "$LVM_ALL" --basevgname "$as" "${pvs[@]}"; then
      refuse GroupIncomplete "volume group $name can't be given a name of its own beside the original: $COMMAND_OUTPUT"
    fi
    read_words "$(ours_only vg_name pvs "${pvs[0]}")"
    as=${WORDS[0]}
    GROUP_OPEN[$(ours_only vg_uuid vgs "$as" | tr -d ' ')]=1
  fi
  GROUP_OPEN[$uuid]=1
  rules_add "ENV{DM_VG_NAME}==\"$as\""
  if ! attempt 300 vgchange --config "$LVM_OURS" -ay -K "$as"; then
    refuse GroupIncomplete "volume group $as can't be activated: $COMMAND_OUTPUT"
  fi
  udevadm settle --timeout=30 || true
  snapshots_merge "$name" "$as"
  json_object s uuid "$uuid" s name "$name" s as "$as"
  DONE_GROUPS+=,$REPLY
  did "volume group $name activated${clash:+ as $as, for the original is here}"
}

# A set made in mode lvm-snapshot has its good instant in the LVM snapshots: merged before anything is mounted.
snapshots_merge() {
  local name=$1 as=$2 merge origin snapshot until attr why
  for merge in ${PLAN_MERGE[@]+"${PLAN_MERGE[@]}"}; do
    origin=${merge% *} snapshot=${merge#* }
    if [[ ${origin%/*} != "$name" ]]; then continue; fi
    read -r attr < <(ours_only lv_attr lvs "$as/$snapshot") || attr=''
    why=''
    case ${attr:4:1} in '') why='is not there' ;; I | S) why=overflowed ;; esac
    if [[ $why ]]; then
      refuse MergeFailed "the LVM snapshot $snapshot of $origin, which holds the state of this set, $why; restore another set"
    fi
    if ! attempt 780 lvconvert --config "$LVM_OURS" -y -i1 --merge "$as/$snapshot"; then
      refuse MergeFailed "the LVM snapshot $snapshot can't be merged into $origin: $COMMAND_OUTPUT"
    fi
    now_cs
    until=$((REPLY + 78000))
    while [[ $(ours_only lv_name lvs -a -S "lv_merging=1 || lv_name=$snapshot" "$as") == *[a-z]* ]]; do
      now_cs
      if [[ $REPLY -ge $until ]]; then
        refuse MergeFailed "the LVM snapshot $snapshot is not merged into $origin after 780 s: its volumes may still be read from S3; restore again"
      fi
      sleep 0.5
    done
    did "LVM snapshot $snapshot merged into $origin"
  done
}

# Prints rows of a report over the restored devices alone: COLUMNS COMMAND [ARGUMENT…].
ours_only() {
  local columns=$1 command=$2
  shift 2
  lvm_rows "$columns" "$command" --config "$LVM_OURS" "$@"
}

# LVM_OURS: LVM sees the restored devices alone; LVM_OTHERS: all but them. No daemon and no devices file has a say.
lvm_config() {
  local node others=()
  LVM_ALL="devices { use_devicesfile=0 } $LVM_ALONE"
  lvm_sees "${PVS[@]}"
  LVM_OURS=$REPLY
  # By what is let in, both times: a device that is kept out by one of its names gets in by another.
  while read -r node; do
    block_of_node "$node"
    if [[ $REPLY && " ${OURS[*]} " != *" $REPLY "* ]]; then others+=("/dev/$REPLY"); fi
  done < <(blkid -c /dev/null -o device -t TYPE=LVM2_member 2>/dev/null || true)
  lvm_sees ${others[@]+"${others[@]}"}
  LVM_OTHERS=$REPLY
}

LVM_ALONE='global { use_lvmetad=0 use_lvmpolld=0 } activation { monitoring=0 }'

# Sets REPLY to the configuration of an LVM that sees these devices alone.
lvm_sees() {
  local node accept=''
  for node in "$@"; do accept+="\"a|^$node\$|\","; done
  REPLY="devices { use_devicesfile=0 filter=[${accept}\"r|.*|\"] global_filter=[${accept}\"r|.*|\"] } $LVM_ALONE"
}

node_wait() {
  local until
  now_cs
  until=$((REPLY + 3000))
  udevadm settle --timeout=30 || true
  while [[ ! -b $1 ]]; do
    now_cs
    if [[ $REPLY -ge $until ]]; then refuse DeviceMissing "$1 was made and does not show; look at udev (systemctl status systemd-udevd)"; fi
    sleep 0.1
  done
}
