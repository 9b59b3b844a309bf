#!/bin/bash
# shellcheck shell=bash disable=SC2034
# Which file systems are never frozen, and which devices are silent when the others are.

# Frozen, these would hang the agent, its commands, the log, or us. Those that are no mount of their own count as what
# they lie on.
NEVER_FROZEN=(/ /usr /etc /var /var/log /var/lib /var/lib/amazon /var/log/amazon /tmp /var/tmp /run /dev /boot /bin /sbin
  /lib /lib64 /root /var/lib/systemd /var/log/journal)
TOOLS_IN_USE=(bash sh fsfreeze sync flock lvcreate lvremove lvs mdadm systemd-run systemctl setsid timeout mysql mariadb
  amazon-ssm-agent)

declare -gA SWAP_DEVICE=()

swaps_read() {
  local row type
  SWAP_DEVICE=()
  if ! rows_of "$FF_PROC/swaps"; then return; fi
  for row in ${ROWS[@]+"${ROWS[@]}"}; do
    read_words "$row"
    type=${WORDS[1]:-}
    unescape "${WORDS[0]:-}"
    if [[ $type == partition ]]; then
      block_of_node "$REPLY"
      if [[ $REPLY ]]; then SWAP_DEVICE[$REPLY]=1; fi
    elif [[ $type == file ]]; then
      never_freeze_holder "$REPLY" "holds the swap file $REPLY"
    fi
  done
}

# The first reason stands.
never_freeze() {
  FS_FREEZABLE[$1]=0
  if [[ -z ${FS_WHY[$1]} ]]; then FS_WHY[$1]=$2; fi
}

# The file system that a real path lies on, if it is one of ours.
never_freeze_holder() {
  mount_index_of "$1"
  if [[ $REPLY && ${FS_AT[${MOUNT_NUMBER[$REPLY]}]:-} ]]; then never_freeze "${FS_AT[${MOUNT_NUMBER[$REPLY]}]}" "$2"; fi
}

freezable_decide() {
  local i k tool paths=("${NEVER_FROZEN[@]}") real=() disk name
  # Bash's table of commands tells a path without a process.
  for tool in "${TOOLS_IN_USE[@]}"; do
    if hash "$tool" 2>/dev/null && [[ ${BASH_CMDS[$tool]:-} ]]; then paths+=("${BASH_CMDS[$tool]}"); fi
  done
  mapfile -t real < <(readlink -m -- "${paths[@]}")
  for ((k = 0; k < ${#paths[@]}; k++)); do
    never_freeze_holder "${real[$k]}" "holds ${paths[$k]}, without which the host can't be thawed"
  done
  # From the outermost in: an image file's file system is decided before what lies in the image.
  for ((i = ${#FS_MOUNT[@]} - 1; i >= 0; i--)); do
    if [[ ${FS_READONLY[$i]} == 1 ]]; then never_freeze "$i" 'read-only'; fi
    case ${FS_TYPE[$i]} in
      ext2 | ext3 | ext4 | xfs | btrfs | f2fs | jfs | nilfs2 | reiserfs) ;;
      *) never_freeze "$i" "${FS_TYPE[$i]} can't be frozen" ;;
    esac
    if [[ -z ${FS_DISKS[$i]} ]]; then never_freeze "$i" "the disks under ${FS_DEV[$i]} can't be told"; fi
    for disk in ${FS_DISKS[$i]}; do
      case ${DISK_KIND_OF[$disk]:-unknown} in
        instance-store) never_freeze "$i" "$disk is instance store, which no EBS snapshot holds" ;;
        unknown) never_freeze "$i" "$disk is no EBS volume" ;;
      esac
    done
    for name in ${FS_LAYERS[$i]}; do
      if [[ ${BLOCK_KIND[$name]:-} == loop ]]; then image_decide "$i" "$name"; fi
    done
  done
}

image_decide() {
  local k below=${BLOCK_BELOW[$2]:-}
  below=${below# }
  for ((k = $1 + 1; k < ${#FS_MOUNT[@]}; k++)); do
    if [[ ${FS_DEV[$k]} == "${below%% *}" && ${FS_FREEZABLE[$k]} == 0 ]]; then
      never_freeze "$1" "its image file lies on ${FS_MOUNT[$k]}, which is never frozen"
    fi
  done
}

# A device is written by others when a file system that isn't frozen, swap, or a device that nobody has mounted (a raw
# user may have it open) lies above it. What goes through a loop device's image file is stopped by the file's own
# file system.
own_devices() {
  local i name foreign=' ' held=' ' top
  for name in "${!BLOCK_BELOW[@]}"; do
    if [[ ${BLOCK_KIND[$name]} != loop ]]; then held+="${BLOCK_BELOW[$name]} "; fi
  done
  for ((i = 0; i < ${#FS_MOUNT[@]}; i++)); do
    held+="${FS_LAYERS[$i]} "
    if [[ ${FS_FREEZABLE[$i]} == 0 && ${FS_READONLY[$i]} == 0 ]]; then foreign+="${FS_LAYERS[$i]} "; fi
  done
  for top in "${!BLOCK_BELOW[@]}"; do
    # LVM keeps a thin pool's own device open for nobody.
    if [[ ${SWAP_DEVICE[$top]:-} || ($held != *" $top "* && ${BLOCK_KIND[$top]} != loop && ${BLOCK_UUID[$top]} != LVM-*-pool) ]]; then
      layers_below "$top"
      foreign+="$REPLY "
    fi
  done
  for ((i = 0; i < ${#FS_MOUNT[@]}; i++)); do
    if [[ ${FS_FREEZABLE[$i]} == 0 ]]; then continue; fi
    for name in ${FS_LAYERS[$i]}; do
      if [[ $foreign != *" $name "* ]]; then FS_OWN[i]+=" $name"; fi
    done
    FS_OWN[i]=${FS_OWN[$i]# }
  done
}
