#!/bin/bash
# shellcheck shell=bash disable=SC2034
# LVM: groups and volumes as lvm tells them, joined with sysfs by uuid, since a cloned group has the name of the first.

# VG_DISKS: whole disks of its PVs, in words. VG_STATE: partial, exported, shared, moving (pvmove), in words.
VG_NAME=() VG_UUID=() VG_DISKS=() VG_EXTENT=() VG_FREE=() VG_MISSING=() VG_STATE=()
# LV_NAME: vg/lv. LV_DEV: dm-N, empty when inactive. LV_POOL: vg/pool of a thin LV. LV_DATA, LV_META: percent used of a
# thin pool. LV_PLAIN: 1 when lvcreate -s can take its snapshot. LV_VG: index of its group.
LV_NAME=() LV_DEV=() LV_SEGTYPE=() LV_SIZE_EXTENTS=() LV_POOL=() LV_DATA=() LV_META=() LV_PLAIN=() LV_VG=()

groups_read() {
  VG_NAME=() VG_UUID=() VG_DISKS=() VG_EXTENT=() VG_FREE=() VG_MISSING=() VG_STATE=()
  LV_NAME=() LV_DEV=() LV_SEGTYPE=() LV_SIZE_EXTENTS=() LV_POOL=() LV_DATA=() LV_META=() LV_PLAIN=() LV_VG=()
  if [[ " ${BLOCK_KIND[*]} " != *' lv '* ]]; then return; fi
  if ! command -v vgs >/dev/null || ! command -v lvs >/dev/null; then
    log 'there are logical volumes but no lvm tools; they are frozen without LVM snapshots'
    return
  fi
  # Side by side: each takes half a second on a slow host.
  local rows=() volumes row
  exec {volumes}< <(lvm_rows vg_uuid,lv_uuid,vg_name,lv_name,lv_attr,segtype,lv_size,pool_lv,data_percent,metadata_percent lvs -a)
  mapfile -t rows < <(lvm_rows vg_uuid,vg_name,vg_attr,vg_extent_size,vg_free_count,vg_missing_pv_count,pv_name vgs)
  for row in ${rows[@]+"${rows[@]}"}; do group_row "$row"; done
  mapfile -t rows <&"$volumes"
  exec {volumes}<&-
  for row in ${rows[@]+"${rows[@]}"}; do volume_row "$row"; done
}

# Prints the rows of a report: COLUMNS COMMAND [OPTION…].
lvm_rows() {
  local columns=$1 code=0
  shift
  local report=(timeout 20 "$@" --noheadings --separator '|' --units b --nosuffix -o "$columns")
  # The hints file can hide a duplicate of a PV for a while. Old lvm2 has neither hints nor the option (exit code 3).
  "${report[@]}" --nohints || code=$?
  if [[ $code == 3 ]]; then
    code=0
    "${report[@]}" || code=$?
  fi
  if [[ $code != 0 ]]; then log "$1 ended with code $code"; fi
}

# Splits a row into FIELD, empty fields too.
split_row() {
  local row="${1#"${1%%[! ]*}"}|"
  FIELD=()
  while [[ $row ]]; do
    FIELD+=("${row%%|*}")
    row=${row#*|}
  done
}

# A group has one row for each of its PVs.
group_row() {
  split_row "$1"
  if [[ ${#FIELD[@]} -lt 7 ]]; then return; fi
  local uuid=${FIELD[0]} attr=${FIELD[2]} k
  for ((k = 0; k < ${#VG_UUID[@]}; k++)); do if [[ ${VG_UUID[$k]} == "$uuid" ]]; then break; fi; done
  VG_UUID[k]=$uuid VG_NAME[k]=${FIELD[1]} VG_EXTENT[k]=${FIELD[3]} VG_FREE[k]=${FIELD[4]} VG_MISSING[k]=${FIELD[5]:-0}
  VG_STATE[k]=''
  if [[ ${attr:2:1} == x ]]; then VG_STATE[k]+='exported '; fi
  if [[ ${attr:3:1} == p || ${VG_MISSING[$k]} != 0 ]]; then VG_STATE[k]+='partial '; fi
  if [[ ${attr:5:1} == [cs] ]]; then VG_STATE[k]+='shared '; fi
  block_of_node "${FIELD[6]}"
  if [[ $REPLY ]]; then disks_below "$REPLY"; fi
  for uuid in $REPLY; do
    if [[ " ${VG_DISKS[$k]:-} " != *" $uuid "* ]]; then VG_DISKS[k]=${VG_DISKS[$k]:-}${VG_DISKS[$k]:+ }$uuid; fi
  done
  VG_DISKS[k]=${VG_DISKS[$k]:-}
}

# A volume has one row for each of its segments; the first speaks for it, unless another can't have a snapshot.
volume_row() {
  split_row "$1"
  if [[ ${#FIELD[@]} -lt 10 ]]; then return; fi
  local vg name=${FIELD[3]} attr=${FIELD[4]} type=${FIELD[5]} dm k
  for ((vg = 0; vg < ${#VG_UUID[@]}; vg++)); do if [[ ${VG_UUID[$vg]} == "${FIELD[0]}" ]]; then break; fi; done
  if [[ $vg == "${#VG_UUID[@]}" ]]; then return; fi
  if [[ $name == \[pvmove* || ${attr:0:1} == p ]]; then VG_STATE[vg]+='moving '; fi
  # Hidden parts of other volumes.
  if [[ $name == \[* ]]; then return; fi
  for ((k = 0; k < ${#LV_NAME[@]}; k++)); do
    if [[ ${LV_NAME[$k]} == "${FIELD[2]}/$name" && ${LV_VG[$k]} == "$vg" ]]; then
      if ! snapshot_possible "$type" "$attr"; then LV_PLAIN[k]=0; fi
      return
    fi
  done
  dm=LVM-${FIELD[0]//-/}${FIELD[1]//-/}
  LV_NAME[k]=${FIELD[2]}/$name LV_DEV[k]=${BLOCK_OF_DM[$dm]:-} LV_SEGTYPE[k]=$type LV_VG[k]=$vg
  LV_SIZE_EXTENTS[k]=$(((FIELD[6] + VG_EXTENT[vg] - 1) / VG_EXTENT[vg]))
  LV_POOL[k]=${FIELD[7]:+${FIELD[2]}/${FIELD[7]}}
  LV_DATA[k]=${FIELD[8]} LV_META[k]=${FIELD[9]} LV_PLAIN[k]=0
  if snapshot_possible "$type" "$attr"; then LV_PLAIN[k]=1; fi
}

# Not of a snapshot, an origin being merged, a locked volume, or an old mirror (deadlocks).
snapshot_possible() {
  case $1 in linear | striped | raid* | thin | cache) ;; *) return 1 ;; esac
  [[ ${2:0:1} != [sSOpv] && ${2:2:1} != [A-Z] ]]
}

# Sets REPLY to the index of vg/lv in LV_NAME; an active one before an inactive one of a cloned group.
lv_index() {
  local k
  REPLY=''
  for ((k = 0; k < ${#LV_NAME[@]}; k++)); do
    if [[ ${LV_NAME[$k]} == "$1" && (-z $REPLY || ${LV_DEV[$k]}) ]]; then REPLY=$k; fi
  done
  [[ $REPLY ]]
}
