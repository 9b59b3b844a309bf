#!/bin/bash
# shellcheck shell=bash disable=SC2034
# Mounts of this namespace, and which of them a path lies on.

# One element a mount, in the order of mountinfo. MOUNT_NUMBER: major:minor of the superblock. MOUNT_HIDDEN: 1 when
# another mount lies over it, so that its path leads elsewhere.
MOUNT_POINT=() MOUNT_NUMBER=() MOUNT_ROOT=() MOUNT_TYPE=() MOUNT_SOURCE=() MOUNT_OPTS=() MOUNT_SUPER=() MOUNT_HIDDEN=()
MOUNT_PARENT=()
declare -gA MOUNT_INDEX=() MOUNT_CHILDREN=() MOUNT_BY_PATH=()

mounts_read() {
  local row id k i=0
  MOUNT_POINT=() MOUNT_NUMBER=() MOUNT_ROOT=() MOUNT_TYPE=() MOUNT_SOURCE=() MOUNT_OPTS=() MOUNT_SUPER=() MOUNT_HIDDEN=()
  MOUNT_PARENT=() MOUNT_INDEX=() MOUNT_CHILDREN=() MOUNT_BY_PATH=()
  rows_of "$FF_PROC/self/mountinfo"
  for row in ${ROWS[@]+"${ROWS[@]}"}; do
    read_words "$row"
    MOUNT_INDEX[${WORDS[0]}]=$i MOUNT_PARENT[i]=${WORDS[1]} MOUNT_NUMBER[i]=${WORDS[2]} MOUNT_OPTS[i]=${WORDS[5]}
    MOUNT_CHILDREN[${WORDS[1]}]+=" $i"
    unescape "${WORDS[3]}"
    MOUNT_ROOT[i]=$REPLY
    unescape "${WORDS[4]}"
    MOUNT_POINT[i]=$REPLY
    # Optional fields end at a lone hyphen; type, source and the superblock's options follow.
    k=6
    while [[ ${WORDS[k]:--} != - ]]; do k=$((k + 1)); done
    MOUNT_TYPE[i]=${WORDS[k + 1]:-} MOUNT_SUPER[i]=${WORDS[k + 3]:-}
    unescape "${WORDS[k + 2]:-}"
    MOUNT_SOURCE[i]=$REPLY
    i=$((i + 1))
  done
  for id in "${!MOUNT_INDEX[@]}"; do
    i=${MOUNT_INDEX[$id]}
    if mount_is_hidden "$id"; then
      MOUNT_HIDDEN[i]=1
    else
      MOUNT_HIDDEN[i]=0
      MOUNT_BY_PATH[${MOUNT_POINT[$i]}]=$i
    fi
  done
}

# Undoes the kernel's octal escapes in paths.
unescape() {
  REPLY=$1
  if [[ $REPLY == *\\* ]]; then
    REPLY=${REPLY//\\040/ }
    REPLY=${REPLY//\\011/$'\t'}
    REPLY=${REPLY//\\012/$'\n'}
    REPLY=${REPLY//\\043/#}
    REPLY=${REPLY//\\134/\\}
  fi
}

# A mount is hidden by one stacked upon it, or by one over a path that leads to it or to a mount it hangs on.
mount_is_hidden() {
  local id=$1 i=${MOUNT_INDEX[$1]} other point parent
  for other in ${MOUNT_CHILDREN[$id]:-}; do
    if [[ $other != "$i" && ${MOUNT_POINT[$other]} == "${MOUNT_POINT[$i]}" ]]; then return 0; fi
  done
  while :; do
    parent=${MOUNT_PARENT[$i]} point=${MOUNT_POINT[$i]}
    if [[ -z ${MOUNT_INDEX[$parent]:-} || ${MOUNT_INDEX[$parent]} == "$i" ]]; then return 1; fi
    for other in ${MOUNT_CHILDREN[$parent]}; do
      # Later mounts only: of two at one place the later is on top.
      if [[ $other -gt $i && $point/ == "${MOUNT_POINT[$other]%/}"/* ]]; then return 0; fi
    done
    i=${MOUNT_INDEX[$parent]}
  done
}

# Sets REPLY to PATH without links. Only one that has some costs a process, which a busy host starts slowly.
real_path() {
  if may_lead_elsewhere "$1"; then REPLY=$(readlink -m -- "$1"); else REPLY=$1; fi
}
may_lead_elsewhere() {
  local at=$1
  case $1/ in
    //) return 1 ;;
    [!/]* | *//* | */./* | */../*) return 0 ;;
  esac
  while [[ $at ]]; do
    if [ -L "$at" ]; then return 0; fi
    at=${at%/*}
  done
  return 1
}

# Sets REPLY to the index of the mount that a real path lies on.
mount_index_of() {
  local path=$1
  while [[ $path && -z ${MOUNT_BY_PATH[$path]:-} ]]; do path=${path%/*}; done
  REPLY=${MOUNT_BY_PATH[${path:-/}]:-}
}

# Sets REPLY to the mount point under which the file system of PATH is listed (FS_MOUNT), or, when it lies on no block
# device, to its own mount point.
mount_of() {
  local i
  real_path "$1"
  mount_index_of "$REPLY"
  i=$REPLY
  if [[ -z $i ]]; then
    REPLY=/
  elif [[ ${FS_AT[${MOUNT_NUMBER[$i]}]:-} ]]; then
    REPLY=${FS_MOUNT[${FS_AT[${MOUNT_NUMBER[$i]}]}]}
  else
    REPLY=${MOUNT_POINT[$i]}
  fi
}
