#!/bin/bash
# shellcheck shell=bash disable=SC2034
# What every role shares: the run directory, the boot clock, children that hold nothing of ours, tombstones.
#
# All state is in /run/freezeframe, a tmpfs: a frozen disk can't block us, and a reboot (which thaws everything)
# forgets it.
#   active/      the freeze that holds now; there is at most one
#   tombstones/  runs that were thawed: a freeze that comes late for one of them refuses
#   receipts/    what was proven about past freezes, so that a thaw asked for twice answers twice
#   answers/     the holder's answer to Freeze
#   thaw         for an operator: lets go of everything at once

FF_RUN=${FF_RUN:-/run/freezeframe}
ACTIVE=$FF_RUN/active

# Host tools by fixed places: the agent's PATH is not ours to trust, and mysql wants a HOME.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME=/root LC_ALL=C LVM_SUPPRESS_FD_WARNINGS=1
umask 077
cd /

# Sets REPLY to the boot clock in centiseconds. It is monotonic: setting the wall clock changes no deadline.
now_cs() {
  local up
  read -r up _ <"${FF_PROC:-/proc}/uptime"
  REPLY=$((10#${up/./}))
}

# Sets REPLY to seconds with two digits, as JSON wants them; an empty argument becomes null.
seconds_of_cs() {
  if [ -z "$1" ]; then REPLY=null; else printf -v REPLY '%d.%02d' $(($1 / 100)) $(($1 % 100)); fi
}

# Waits for a line on descriptor FD for some SECONDS, sets LINE to it. Bash tells the time by the wall clock: set forward,
# it ends a read in the middle of a line. What came of the line by then is kept for the next call.
HEARD=()
hear() {
  # Into REPLY, which takes the line as it is: a trap that interrupts `IFS= read` would run without separators.
  local REPLY='' code=0
  read -r -t "$2" -u "$1" || code=$?
  HEARD[$1]=${HEARD[$1]:-}$REPLY
  if [ "$code" != 0 ]; then return "$code"; fi
  LINE=${HEARD[$1]} HEARD[$1]=''
}

log() { printf '%s\n' "freezeframe: $*" >&2 || true; }

boot_id() { read -r REPLY <"${FF_PROC:-/proc}/sys/kernel/random/boot_id"; }

# A process that may outlive us must not hold the holder's lock, a mount point or the agent's pipes.
close_descriptors() {
  local fd
  for fd in "/proc/$BASHPID/fd"/*; do
    fd=${fd##*/}
    if [ "$fd" -gt 2 ] && [ "$fd" != 255 ]; then eval "exec $fd>&-"; fi
  done
}

# Runs a command in place of this shell, a background one. Its standard streams are the caller's to redirect.
spawn() {
  close_descriptors
  exec "$@"
}

# Never the OOM killer's choice: the process that thaws must outlive the memory shortage.
protect_from_oom() { echo -1000 >/proc/self/oom_score_adj 2>/dev/null || true; }

# Whether somebody holds the lock file: its holder is alive, even if stopped. Needs no pid that could be another's by now.
is_locked() { [ -e "$1" ] && ! flock -n "$1" true; }

prepare_run_directory() {
  if [ "$(id -u)" != 0 ]; then fail HostUnfit "must run as root; the SSM agent's Run Command does"; fi
  local type
  type=$(stat -f -c %T /run 2>/dev/null) || type=unknown
  if [ "$type" != tmpfs ] && [ "$type" != ramfs ]; then
    fail HostUnfit "/run is $type, not a tmpfs; Freezeframe keeps its state where no freeze can reach it"
  fi
  # All of it on this tmpfs, or nothing: a full /run is found here, before anything is frozen.
  if ! mkdir -p "$FF_RUN/tombstones" "$FF_RUN/receipts" "$FF_RUN/answers" 2>/dev/null; then
    fail HostUnfit "can't write to $FF_RUN; make room in /run"
  fi
}

# A file of the run's own name: the name was checked by its pattern.
bury() { : >"$FF_RUN/tombstones/$1"; }
is_buried() { [ -e "$FF_RUN/tombstones/$1" ]; }

# Keeps the newest files of a directory of small ones.
keep_newest() {
  local file
  # shellcheck disable=SC2012 # names are run ids: letters, digits, - and _
  ls -t "$1" 2>/dev/null | tail -n +"$(($2 + 1))" | while read -r file; do rm -f "$1/$file"; done
}

# Applications are quieted by drivers, apps/<driver>.sh, each with detect, freeze, held and thaw.
APP_DRIVERS=(hooks mysql postgresql redis etcd mongodb oracle hana db2 iris sqlserver cassandra elasticsearch)

# Finds running applications: LIST is auto, none, or drivers separated by commas.
apps_detect() {
  local driver list=",$1,"
  apps_forget
  if [ "$1" = none ]; then return; fi
  for driver in "${APP_DRIVERS[@]}"; do
    if [ "$1" = auto ] || [[ $list == *",$driver,"* ]]; then "${driver}_detect"; fi
  done
}

# What is known of each: driver, product and version, data directory, mount points (separated by commas), 1 if it can be
# quieted or 0 and the problem, the driver's own reference, 1 if the driver can prove that it stayed quiet (0: an engine
# without a lock worth the name), and 1 if its lock stops every write, so that it makes one instant of LVM snapshots that
# are moments apart.
apps_forget() {
  APP_DRIVER=() APP_NAME=() APP_DIR=() APP_MOUNTS=() APP_READY=() APP_PROBLEM=() APP_REF=() APP_PROVABLE=() APP_STOPS=()
  PROCESS_NAME=()
}
apps_forget

# Adds an application of DRIVER by its NAME and REF, not ready and all else unknown; sets REPLY to its index.
app_found() {
  REPLY=${#APP_DRIVER[@]}
  APP_DRIVER+=("$1") APP_NAME+=("$2") APP_DIR+=('') APP_MOUNTS+=('') APP_READY+=(0) APP_PROBLEM+=('') APP_REF+=("$3")
  APP_PROVABLE+=(1) APP_STOPS+=(0)
}

# Forgets the application that was found last.
app_drop() {
  local k=$((${#APP_DRIVER[@]} - 1)) name
  for name in APP_DRIVER APP_NAME APP_DIR APP_MOUNTS APP_READY APP_PROBLEM APP_REF APP_PROVABLE APP_STOPS; do unset "${name}[$k]"; done
}

# Forgets the found applications whose driver is not in LIST: none, or drivers separated by commas.
apps_keep() {
  local i list=",$1," name
  for i in ${APP_DRIVER[@]+"${!APP_DRIVER[@]}"}; do
    if [[ $list == *",${APP_DRIVER[$i]},"* ]]; then continue; fi
    for name in APP_DRIVER APP_NAME APP_DIR APP_MOUNTS APP_READY APP_PROBLEM APP_REF APP_PROVABLE APP_STOPS; do unset "${name}[$i]"; done
  done
  # The indexes begin at 0 again.
  APP_DRIVER=(${APP_DRIVER[@]+"${APP_DRIVER[@]}"}) APP_NAME=(${APP_NAME[@]+"${APP_NAME[@]}"})
  APP_DIR=(${APP_DIR[@]+"${APP_DIR[@]}"}) APP_MOUNTS=(${APP_MOUNTS[@]+"${APP_MOUNTS[@]}"})
  APP_READY=(${APP_READY[@]+"${APP_READY[@]}"}) APP_PROBLEM=(${APP_PROBLEM[@]+"${APP_PROBLEM[@]}"})
  APP_REF=(${APP_REF[@]+"${APP_REF[@]}"}) APP_PROVABLE=(${APP_PROVABLE[@]+"${APP_PROVABLE[@]}"})
  APP_STOPS=(${APP_STOPS[@]+"${APP_STOPS[@]}"})
}

# Sets PIDS to the processes of these names whose parent has none of them: servers without their workers.
servers_of() {
  local pid key value name found=()
  pids_of "$@"
  for pid in ${PIDS[@]+"${PIDS[@]}"}; do
    key=''
    while read -r key value; do
      if [ "$key" = PPid: ]; then break; fi
    done 2>/dev/null <"${FF_PROC:-/proc}/$pid/status" || continue
    # It has ended meanwhile, as short-lived workers do.
    if [ "$key" != PPid: ]; then continue; fi
    { read -r name <"${FF_PROC:-/proc}/$value/comm"; } 2>/dev/null || name=''
    if [[ -z $name || " $* " != *" $name "* ]]; then found+=("$pid"); fi
  done
  PIDS=(${found[@]+"${found[@]}"})
}

# Sets REPLY to the working directory of a process, as it sees it: the data directory of most servers.
directory_of() { REPLY=$(readlink "${FF_PROC:-/proc}/$1/cwd" 2>/dev/null) || REPLY=''; }

# Sets REPLY to the Unix socket that a process listens on: told by the kernel, whatever the configuration says.
unix_socket_of() {
  local proc=${FF_PROC:-/proc}/$1 except=${2:-} flags type inode path sockets
  sockets=$(ls -l "$proc/fd" 2>/dev/null) || true
  while read -r _ _ _ flags type _ inode path; do
    # 00010000: it accepts connections.
    # shellcheck disable=SC2053 # a pattern on purpose
    if [[ $flags == 00010000 && $type == 0001 && $sockets == *"socket:[$inode]"* && -n $path && $path != $except ]]; then
      REPLY=$path
      return
    fi
  done < <(grep ' 00010000 0001 ' "$proc/net/unix" 2>/dev/null)
  REPLY=''
}

# Whether a process runs in a container: what it calls /data is not ours.
in_container() {
  local proc=${FF_PROC:-/proc}
  [ "$(readlink "$proc/$1/ns/pid" 2>/dev/null)" != "$(readlink "$proc/self/ns/pid" 2>/dev/null)" ]
}

# Whether process PID, the server of application I, runs in a container. Then the application is described as one that is
# not quieted: by the mounts of this host that its PATHS, the data directory first, lie on as that process sees them.
app_contained() {
  local i=$1 pid=$2 path mounts=''
  in_container "$pid" || return 1
  shift 2
  APP_DIR[i]=${1:-}
  for path in "$@"; do
    if host_path "$pid" "$path"; then
      if [ "$path" = "$1" ]; then APP_DIR[i]=$REPLY; fi
      add_mount "$REPLY"
    fi
  done
  APP_MOUNTS[i]=$mounts APP_READY[i]=0
  APP_PROBLEM[i]="process $pid runs in a container, which Freezeframe does not enter; quiet it by a hook in /etc/freezeframe/hooks.d, and leave the rest out with the tag freezeframe:apps"
}

# Sets REPLY to this host's path of a PATH that process PID sees; fails when there is none.
host_path() {
  local pid=$1 path=$2 number root point rest at='' over='' from='' behind='' i
  while read -r _ _ number root point rest; do
    unescape "$point"
    # Of two mounts at one place the later is on top.
    if [[ $path/ == "${REPLY%/}"/* && ${#REPLY} -ge ${#over} ]]; then
      at=$number over=$REPLY behind=$rest
      unescape "$root"
      from=$REPLY
    fi
  done 2>/dev/null <"${FF_PROC:-/proc}/$pid/mountinfo" || return 1
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

# Appends the mount point of a path to the caller's `mounts`.
add_mount() {
  mount_of "$1"
  if [[ ",$mounts," != *",$REPLY,"* ]]; then mounts+="${mounts:+,}$REPLY"; fi
}

# The same for a directory and all that is mounted below it.
add_tree() {
  local i directory
  directory=$(readlink -m -- "$1")
  add_mount "$directory"
  for ((i = 0; i < ${#MOUNT_POINT[@]}; i++)); do
    if [[ ${MOUNT_POINT[$i]} == "${directory%/}"/* ]]; then add_mount "${MOUNT_POINT[$i]}"; fi
  done
}
