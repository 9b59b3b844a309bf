# shellcheck shell=bash disable=SC2034,SC2154
# A host without disks of its own, on which drivers meet real servers. Inserted before main.sh, so that everything else
# runs as it ships; what two of these replace goes by the name of shipped_…. WORLD is where it lies: only servers that
# work below it are seen.

prepare_run_directory() { mkdir -p "$FF_RUN/tombstones" "$FF_RUN/receipts" "$FF_RUN/answers"; }

topology_read() {
  mounts_read
  FS_MOUNT=("$WORLD") FS_TYPE=(xfs) FS_DEV=(dm-0) FS_UUID=('') FS_OPTS=('') FS_FREEZABLE=(0) FS_WHY=('') FS_LV=('') FS_LAYERS=('')
  FS_DISKS=('') FS_OWN=('') LV_NAME=() LV_DEV=() LV_SEGTYPE=() LV_SIZE_EXTENTS=() LV_POOL=() VG_NAME=() VG_UUID=() VG_FREE=()
}
topology_hash() { TOPOLOGY_HASH=0; }
mode_possible() { REPLY=''; }
lvm_sweep() { :; }
sync_all() { :; }

pids_of() {
  local pid found=()
  shipped_pids_of "$@"
  for pid in ${PIDS[@]+"${PIDS[@]}"}; do
    if [[ $(readlink "/proc/$pid/cwd") == "$WORLD"/* ]]; then found+=("$pid"); fi
  done
  PIDS=(${found[@]+"${found[@]}"})
}
