#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# The proof that nothing is written while file systems are frozen: arrays that have settled, counters that stand still.

# A frozen array turns `clean` on disk about 0.2 s after its last write; a copy taken then needs no resync.
arrays_settle() {
  local i j state deadline
  now_cs
  deadline=$((REPLY + 200))
  for i in "${!FS_MOUNT[@]}"; do
    if [ -z "${FS_FROZEN[$i]:-}" ]; then continue; fi
    for j in ${FS_LAYERS[$i]}; do
      if [ ! -e "/sys/block/$j/md/array_state" ] || [[ " ${ARRAY_NAME[*]:-} " == *" $j "* ]]; then continue; fi
      while :; do
        read -r state <"/sys/block/$j/md/array_state" || state=unknown
        now_cs
        case $state in clean | readonly | read-auto) break ;; esac
        if [ "$REPLY" -ge "$deadline" ]; then break; fi
        pause 0.02
      done
      ARRAY_NAME+=("$j")
      case $state in
        clean | readonly | read-auto) ARRAY_CLEAN+=(true) ;;
        *)
          ARRAY_CLEAN+=(false)
          note "array $j is $state, not clean, two seconds after the freeze; something else writes to it"
          ;;
      esac
    done
  done
}

# Devices that only frozen file systems lie on: from the freeze to the thaw nothing may be written to them.
counters_choose() {
  local i device
  for i in "${!FS_MOUNT[@]}"; do
    if [ -z "${FS_FROZEN[$i]:-}" ]; then continue; fi
    for device in ${FS_OWN[$i]}; do
      if [[ " ${WRITE_DEVICE[*]:-} " != *" $device "* ]]; then WRITE_DEVICE+=("$device"); fi
    done
  done
}

# Reads every counter in one pass, without a fork: sectors written are the tenth field of /proc/diskstats. Not the writes that
# were completed: a flush of the disk's cache is one of these, and an fsync of a file that has nothing to write makes one.
counters_read() {
  local when=$1 row k IFS=$' \t\n'
  local -A at=()
  for k in ${WRITE_DEVICE[@]+"${!WRITE_DEVICE[@]}"}; do at[${WRITE_DEVICE[$k]}]=$k; done
  rows_of "$FF_PROC/diskstats"
  for row in ${ROWS[@]+"${ROWS[@]}"}; do
    # shellcheck disable=SC2086 # the kernel's words are numbers and names of devices
    set -- $row
    if [ "$#" -lt 10 ]; then continue; fi
    k=${at[$3]:-}
    if [ -z "$k" ]; then continue; fi
    if [ "$when" = freeze ]; then WRITE_FREEZE[k]=${10}; else WRITE_THAW[k]=${10}; fi
  done
}
