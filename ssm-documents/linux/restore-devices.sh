#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2154
# The restored volumes on this host, what lies on them, and how to let go of it.

# OURS: kernel names of all devices that lie on restored volumes and on nothing else, disks first. OURS_DISKS: the disks.
OURS=() OURS_DISKS=()
# Seconds until a volume that EC2 calls attached has to be there.
DISKS_WITHIN=${FF_DISKS_WITHIN:-120}

# Sets OURS. What lies on restored volumes and on others as well would be the end of the original: nothing is touched then.
ours_read() {
  local name leaf k ours=' ' foreign
  blocks_read
  OURS=() OURS_DISKS=()
  for ((k = 0; k < ${#DISK_NAME[@]}; k++)); do
    if [[ ${DISK_VOLUME[$k]} && " ${PLAN_VOLUME[*]} " == *" ${DISK_VOLUME[$k]} "* ]]; then
      OURS_DISKS+=("${DISK_NAME[$k]}")
      ours+="${DISK_NAME[$k]} "
    fi
  done
  OURS=(${OURS_DISKS[@]+"${OURS_DISKS[@]}"})
  for name in "${!BLOCK_KIND[@]}"; do
    if [[ ${BLOCK_KIND[$name]} == disk ]]; then continue; fi
    disks_below "$name"
    leaf='' foreign=''
    for k in $REPLY; do if [[ $ours == *" $k "* ]]; then leaf=$k; else foreign=$k; fi; done
    if [[ $leaf && $foreign ]]; then
      fail ForeignDevice "$name lies on the restored $leaf and on $foreign, which is not of this restore: take $leaf out of it by hand (lsblk shows how they hang together); nothing was changed"
    fi
    if [[ $leaf ]]; then OURS+=("$name"); fi
  done
}

# Whether a device of this host that is not of this restore bears the uuid: the original is here.
has_twin() {
  local other
  while read -r other; do
    block_of_node "$other"
    if [[ " ${OURS[*]} " != *" ${REPLY:-none} "* ]]; then return 0; fi
  done < <(blkid -c /dev/null -o device -t "UUID=$1" 2>/dev/null || true)
  return 1
}

# Waits until every volume is there, whatever name the kernel gave it.
disks_wait() {
  local until volume missing
  now_cs
  until=$((REPLY + DISKS_WITHIN * 100))
  while :; do
    blocks_read
    missing=''
    for volume in "${PLAN_VOLUME[@]}"; do
      if [[ " ${DISK_VOLUME[*]} " != *" $volume "* ]]; then missing+=" $volume"; fi
    done
    if [[ -z $missing ]]; then break; fi
    now_cs
    if [[ $REPLY -ge $until ]]; then
      refuse DeviceMissing "the host does not see$missing, $DISKS_WITHIN s after EC2 called the attachment done; only NVMe disks tell which volume they are: look at lsblk -o NAME,SERIAL"
    fi
    sleep 0.5
  done
  udevadm settle --timeout=30 || true
}

# Unmounts and takes apart whatever lies on the restored volumes, from the top down. Asked twice it does no harm.
release_all() {
  local round name top kind left
  unmount_all
  for ((round = 0; round < 40; round++)); do
    ours_read
    left='' top=''
    for name in ${OURS[@]+"${OURS[@]}"}; do
      kind=${BLOCK_KIND[$name]}
      if [[ $kind == disk || $kind == partition ]]; then continue; fi
      left+=" $name"
      if ! is_held "$name"; then top+=" $name"; fi
    done
    if [[ -z $left ]]; then break; fi
    for name in $top; do device_close "$name" || sleep 0.5; done
  done
  if [[ $left ]]; then
    fail RestoreInUse "$left of restore $P_RESTORE can't be taken apart ($COMMAND_OUTPUT): end what uses it (lsblk, fuser -vm /dev/NAME), then release again"
  fi
}

# Whether another device lies on this one.
is_held() {
  local other
  for other in "${!BLOCK_BELOW[@]}"; do
    if [[ $other != "$1" && " ${BLOCK_BELOW[$other]} " == *" $1 "* && ${BLOCK_KIND[$other]:-} != partition ]]; then return 0; fi
  done
  return 1
}

# By device-mapper's own tool and the name of this very device: to LVM, a copy and its original are one.
device_close() {
  if [[ -d $FF_SYS/class/block/$1/dm ]]; then
    first_line "$FF_SYS/class/block/$1/dm/name"
    attempt 60 dmsetup remove --retry "$REPLY"
  elif [[ ${BLOCK_KIND[$1]} == md ]]; then
    array_stop "$1"
  fi
}

# Whoever opens an array's node just when it has gone, udev above all, makes the kernel set up an empty one of its name.
array_stop() {
  local try
  attempt 60 mdadm --stop "/dev/$1" || return 1
  for try in 1 2 3; do
    udevadm settle --timeout=30 || true
    if [[ ! -e $FF_SYS/class/block/$1 ]]; then return 0; fi
    attempt 60 mdadm --stop "/dev/$1" || true
  done
}

unmount_all() {
  local i name ours=' ' try
  ours_read
  for name in ${OURS[@]+"${OURS[@]}"}; do ours+="${BLOCK_NUMBER[$name]} "; done
  mounts_read
  for ((i = 0; i < ${#MOUNT_POINT[@]}; i++)); do
    if [[ ${MOUNT_POINT[$i]} == / && $ours == *" ${MOUNT_NUMBER[$i]} "* ]]; then
      fail ForeignDevice "this host runs off one of the volumes of restore $P_RESTORE: nothing was changed"
    fi
  done
  for try in 1 2 3; do
    mounts_read
    name=''
    for ((i = ${#MOUNT_POINT[@]} - 1; i >= 0; i--)); do
      block_of_node "${MOUNT_SOURCE[$i]}"
      if [[ $ours != *" ${MOUNT_NUMBER[$i]} "* && " ${OURS[*]-} " != *" ${REPLY:-none} "* ]]; then continue; fi
      attempt 120 umount "${MOUNT_POINT[$i]}" || name=${MOUNT_POINT[$i]}
    done
    if [[ -z $name ]]; then break; fi
    sleep "$try"
  done
  if [[ $name ]]; then
    fail RestoreInUse "$name of restore $P_RESTORE can't be unmounted ($COMMAND_OUTPUT): end what uses it (fuser -vm $name), then release again"
  fi
  if [[ -d $ROOT ]]; then find "$ROOT" -xdev -depth -type d -empty -delete 2>/dev/null || true; fi
}

# udev's rules for the restored volumes. Left to itself, udev would assemble an array or a group of theirs under the
# original's name, add a member to an original that lacks one, and let /dev/disk/by-label lead to the copy.
RULES_DIR=${FF_RULES:-/run/udev/rules.d}

# For the volumes of the plan, in files of this name.
rules_begin() {
  local volume
  RULES=$1
  mkdir -p "$RULES_DIR"
  for volume in "${PLAN_VOLUME[@]}"; do
    printf 'SUBSYSTEM=="block", ATTRS{serial}=="%s*", ENV{UDEV_DISABLE_PERSISTENT_STORAGE_RULES_FLAG}="1", ENV{SYSTEMD_READY}="0"\n' "${volume/-/}"
  done >"$RULES_DIR/59-freezeframe-$RULES.rules"
  rm -f "$RULES_DIR"/{12,60,68}-freezeframe-"$RULES".rules
  udevadm control --reload || true
}

# The same rules for a boot, which would find two of each: until all is mounted, and beside an original until it is let go of.
KEPT_RULES=${FF_ETC:-/etc}/udev/rules.d

rules_keep() {
  local name=59-freezeframe-$RULES.rules
  # On the disk, not only in its cache: a host may be reset at any moment. An old sync takes no names and syncs everything.
  if ! { mkdir -p "$KEPT_RULES" && cp "$RULES_DIR/$name" "$KEPT_RULES/" && sync "$KEPT_RULES/$name" "$KEPT_RULES"; } 2>/dev/null; then
    log "$KEPT_RULES can't be written to: a boot before this restore is mounted may take its disks for the original's"
  fi
}

rules_unkeep() { rm -f "$KEPT_RULES/59-freezeframe-$P_RESTORE.rules"; }

# For a device that is made next, by a udev match: no link leads to its file system, and LVM leaves it alone. Device-mapper's
# rules make no links where they don't scan: rules 12 come before those of Red Hat and SUSE, rules 60-f before those of
# Debian. An array's links give way to the original's; udev before 253 knows no SYMLINK-= and skips that line alone.
rules_add() {
  local before
  for before in 12 60; do
    printf 'SUBSYSTEM=="block", ENV{DM_NAME}=="?*", %s, ENV{DM_NOSCAN}="1"\n' "$1" >>"$RULES_DIR/$before-freezeframe-$RULES.rules"
  done
  # shellcheck disable=SC2016 # for udev to put in
  printf '%s\n' 'OPTIONS+="link_priority=-1000", ENV{ID_FS_TYPE}="", ENV{SYSTEMD_READY}="0"' \
    'SYMLINK-="disk/by-label/$env{ID_FS_LABEL_ENC}", SYMLINK-="disk/by-uuid/$env{ID_FS_UUID_ENC}"' |
    while read -r; do printf 'SUBSYSTEM=="block", %s, %s\n' "$1" "$REPLY"; done >>"$RULES_DIR/68-freezeframe-$RULES.rules"
  udevadm control --reload || true
}

# Those of the disks stay until the next boot: taken apart, they would be put together again before they are detached.
rules_end() {
  udevadm settle --timeout=30 || true
  rm -f "$RULES_DIR"/{12,60,68}-freezeframe-"$P_RESTORE".rules
  rules_unkeep
  udevadm control --reload || true
}

# What stays in its place is a device like any other from here on, with links and units of its own.
rules_forget() {
  local name
  udevadm settle --timeout=30 || true
  rm -f "$RULES_DIR"/*-freezeframe-"$P_RESTORE".rules "$RULES_DIR"/*-freezeframe-"$P_RESTORE"@*.rules
  rules_unkeep
  udevadm control --reload || true
  ours_read
  for name in ${OURS[@]+"${OURS[@]}"}; do udevadm trigger --action=change "$FF_SYS/class/block/$name" || true; done
  udevadm settle --timeout=30 || true
}
