#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2154
# Servers in containers: what they call /data is not ours. Freezeframe finds their files on this host and does not go in.

# Whether process PID, the server of application I, runs in a container. Then the application is described as one that is
# not quieted: by the mounts of this host that its PATHS, the data directory first, lie on as that process sees them.
app_contained() {
  local i=$1 pid=$2 path
  in_container "$pid" || return 1
  shift 2
  APP_DIR[i]=${1:-}
  for path in "$@"; do
    if host_path "$pid" "$path"; then
      if [ "$path" = "$1" ]; then APP_DIR[i]=$REPLY; fi
      app_lies_on "$i" "$REPLY"
    fi
  done
  APP_READY[i]=0
  APP_PROBLEM[i]="process $pid runs in a container, which Freezeframe does not enter; quiet it by a hook in /etc/freezeframe/hooks.d, and leave the rest out with the tag freezeframe:apps"
}

# Told by its own numbering of processes; one that shares the host's has at least a root directory of its own.
# One that ends while it is looked at is in none: it would be an application that is gone when the freeze looks again.
in_container() {
  local proc=${FF_PROC:-/proc}
  is_another "$proc/$1/ns/pid" "$proc/self/ns/pid" || is_another "$proc/$1/root/." "$proc/self/root/."
}
is_another() { ! [ "$1" -ef "$2" ] && [ -e "$1" ]; }

# Sets REPLY to this host's path of a PATH that process PID sees; fails when there is none.
host_path() {
  local pid=$1 path=$2 row at='' over='' from='' behind='' i
  rows_of "${FF_PROC:-/proc}/$pid/mountinfo" || return 1
  for row in ${ROWS[@]+"${ROWS[@]}"}; do
    read_words "$row"
    unescape "${WORDS[4]}"
    # Of two mounts at one place the later is on top.
    if [[ $path/ == "${REPLY%/}"/* && ${#REPLY} -ge ${#over} ]]; then
      at=${WORDS[2]} over=$REPLY behind="${WORDS[*]:5}"
      unescape "${WORDS[3]}"
      from=$REPLY
    fi
  done
  path=${path#"${over%/}"}
  for ((i = 0; i < ${#MOUNT_POINT[@]}; i++)); do
    if [[ ${MOUNT_NUMBER[$i]} == "$at" && ${MOUNT_HIDDEN[$i]} == 0 && $from/ == "${MOUNT_ROOT[$i]%/}"/* ]]; then
      REPLY=${MOUNT_POINT[$i]%/}${from#"${MOUNT_ROOT[$i]%/}"}
      REPLY=${REPLY%/}$path
      return 0
    fi
  done
  # The container's own layer: a directory of this host beneath an overlay.
  if [[ $behind == *upperdir=* ]]; then
    at=${behind#*upperdir=}
    unescape "${at%%,*}"
    REPLY+=$path
    return 0
  fi
  return 1
}
