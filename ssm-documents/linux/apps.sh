#!/bin/bash
# shellcheck shell=bash disable=SC2034
# The applications that run here, as their drivers find them. A driver is apps/<driver>.sh, with detect, freeze, held, thaw.

APP_DRIVERS=(hooks mysql postgresql redis etcd mongodb oracle hana db2 iris sqlserver cassandra elasticsearch)

# What is known of each: driver, product and version, data directory, mount points (separated by commas), 1 if it can be
# quieted or 0 and the problem, the driver's own reference, 1 if the driver can prove that it stayed quiet (0: an engine
# without a lock worth the name), and 1 if its lock stops every write, so that it makes one instant of LVM snapshots that
# are moments apart.
APP_COLUMNS=(APP_DRIVER APP_NAME APP_DIR APP_MOUNTS APP_READY APP_PROBLEM APP_REF APP_PROVABLE APP_STOPS)
apps_forget() {
  APP_DRIVER=() APP_NAME=() APP_DIR=() APP_MOUNTS=() APP_READY=() APP_PROBLEM=() APP_REF=() APP_PROVABLE=() APP_STOPS=()
  PROCESS_NAME=()
}
apps_forget

# Finds running applications: LIST is auto, none, or drivers separated by commas.
apps_detect() {
  local driver list=",$1,"
  apps_forget
  if [ "$1" = none ]; then return; fi
  for driver in "${APP_DRIVERS[@]}"; do
    if [ "$1" = auto ] || [[ $list == *",$driver,"* ]]; then "${driver}_detect"; fi
  done
}

# Adds an application of DRIVER by its NAME and REF, not ready and all else unknown; sets REPLY to its index.
app_found() {
  REPLY=${#APP_DRIVER[@]}
  APP_DRIVER+=("$1") APP_NAME+=("$2") APP_DIR+=('') APP_MOUNTS+=('') APP_READY+=(0) APP_PROBLEM+=('') APP_REF+=("$3")
  APP_PROVABLE+=(1) APP_STOPS+=(0)
}

# Forgets the found applications whose driver is not in LIST: none, or drivers separated by commas.
apps_keep() {
  local i list=",$1,"
  for i in ${APP_DRIVER[@]+"${!APP_DRIVER[@]}"}; do
    if [[ $list != *",${APP_DRIVER[$i]},"* ]]; then app_drop "$i"; fi
  done
  local name
  # The indexes begin at 0 again.
  for name in "${APP_COLUMNS[@]}"; do eval "$name=(\${${name}[@]+\"\${${name}[@]}\"})"; done
}

# Forgets application I; the indexes of the others stay.
app_drop() {
  local name
  for name in "${APP_COLUMNS[@]}"; do unset "${name}[$1]"; done
}

# Adds the mount point of a PATH to those of application I; sets REPLY to it.
app_lies_on() {
  mount_of "$2"
  if [[ ",${APP_MOUNTS[$1]}," != *",$REPLY,"* ]]; then APP_MOUNTS[$1]+="${APP_MOUNTS[$1]:+,}$REPLY"; fi
}

# The same for a DIRECTORY and all that is mounted below it.
app_lies_below() {
  local k directory
  real_path "$2"
  directory=$REPLY
  app_lies_on "$1" "$directory"
  for ((k = 0; k < ${#MOUNT_POINT[@]}; k++)); do
    if [[ ${MOUNT_POINT[$k]} == "${directory%/}"/* ]]; then app_lies_on "$1" "${MOUNT_POINT[$k]}"; fi
  done
}

# The same for a DIRECTORY and what the links in it lead to: other disks, mostly.
app_lies_in() {
  local path
  app_lies_on "$1" "$2"
  for path in "$2"/*; do if [ -L "$path" ]; then app_lies_on "$1" "$path"; fi; done
}

# How a driver's freeze ends without its lock: `app_refuses I TEXT; return`. The text follows the application's name.
app_refuses() {
  fault ApplicationRefused "${APP_NAME[$1]}$2"
  return 1
}
app_keeps_waiting() {
  fault LockTimeout "${APP_NAME[$1]} $2"
  return 1
}

# Whole seconds until a freeze has to be done, one at least: for the longest wait for a lock.
seconds_left() {
  now_cs
  REPLY=$(((WITHIN_AT - REPLY) / 100))
  if [ "$REPLY" -lt 1 ]; then REPLY=1; fi
}

# What this run took of application I where that outlives session and keeper: marked before the act.
taken_mark() {
  if ! { : >"$ACTIVE/taken-$1"; } 2>/dev/null; then
    fault HostUnfit "/run is full; make room in it"
    return 1
  fi
}
taken_forget() { rm -f "$ACTIVE/taken-$1"; }
is_taken() { [ -e "$ACTIVE/taken-$1" ]; }
