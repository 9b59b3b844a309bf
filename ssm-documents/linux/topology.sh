#!/bin/bash
# shellcheck shell=bash disable=SC2034
# The topology of the host. After topology_read these are filled, one element a thing, beginning at 0:
#   FS_*    mounted file systems in freezing order                 filesystems.sh, freezable.sh
#   MD_*    md arrays                                              arrays.sh
#   VG_* LV_*  volume groups and logical volumes                   volume-groups.sh
#   DISK_*  whole disks                                            blocks.sh
#   FAULT_* what makes a whole set impossible                      faults.sh
# Reads only; names, layers and states come from sysfs and procfs, what only LVM knows from vgs and lvs.

topology_read() {
  blocks_read
  mounts_read
  arrays_read
  groups_read
  filesystems_read
  faults_read
}

# Sets TOPOLOGY_HASH over all that a freeze depends on, the applications that apps_detect found, and the hook that is carried
# here. Nothing in it changes while a host just works: no free extents, no array state. A quarter of it is that of each of
# TOPOLOGY_PARTS, so that what has changed can be named.
TOPOLOGY_PARTS=('file systems' disks applications 'the hook document')
topology_hash() {
  local i name text='' line part=('' '' '' '')
  for ((i = 0; i < ${#FS_MOUNT[@]}; i++)); do
    text+="0|${FS_MOUNT[$i]}|${FS_TYPE[$i]}|${FS_DEV[$i]}|${FS_UUID[$i]}|${FS_FREEZABLE[$i]}|${FS_LV[$i]}|${FS_LAYERS[$i]}"$'\n'
    for name in ${FS_LAYERS[$i]}; do
      text+="0|layer|$name|${BLOCK_KIND[$name]:-}|${BLOCK_DETAIL[$name]:-}|${BLOCK_UUID[$name]:-}|${BLOCK_BELOW[$name]:-}"$'\n'
    done
  done
  for ((i = 0; i < ${#DISK_NAME[@]}; i++)); do
    text+="1|${DISK_NAME[$i]}|${DISK_KIND[$i]}|${DISK_VOLUME[$i]}"$'\n'
  done
  for ((i = 0; i < ${#APP_DRIVER[@]}; i++)); do text+="2|${APP_DRIVER[$i]}|${APP_DIR[$i]}"$'\n'; done
  text+="3|${P_HOOK:-none}"$'\n'
  # Whatever the order of mounts and processes. One sort and one sha256sum for all parts: a busy host starts processes slowly.
  while IFS= read -r line; do
    # A path may have line ends.
    case $line in [0-3]\|*) i=${line:0:1} ;; *) i=0 ;; esac
    part[i]+=$line$'\n'
  done < <(printf '%s' "$text" | sort)
  TOPOLOGY_HASH=''
  while read -r line; do
    TOPOLOGY_HASH+=${line:0:16}
  done < <(sha256sum <(printf '%s' "${part[0]}") <(printf '%s' "${part[1]}") <(printf '%s' "${part[2]}") <(printf '%s' "${part[3]}"))
}

# Sets REPLY to the TOPOLOGY_PARTS in which HASH is another than TOPOLOGY_HASH.
topology_changes() {
  local k changed=''
  for k in "${!TOPOLOGY_PARTS[@]}"; do
    if [ "${1:k*16:16}" != "${TOPOLOGY_HASH:k*16:16}" ]; then changed+="${changed:+, }${TOPOLOGY_PARTS[$k]}"; fi
  done
  REPLY=$changed
}
