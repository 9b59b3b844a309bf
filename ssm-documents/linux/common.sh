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

# Sets ROWS to the lines of a FILE of the kernel's, read in one piece. `read` seeks back to the end of each line that it
# takes, and the kernel writes the file anew: where a line before has become longer or shorter, others are cut or missed.
ROWS=()
rows_of() { { mapfile -t ROWS <"$1"; } 2>/dev/null; }

# Splits into WORDS at blanks, without globbing.
read_words() {
  local IFS=$' \t\n'
  set -f
  # shellcheck disable=SC2206 # splitting is the purpose
  WORDS=($1)
  set +f
}

# Waits for a line on descriptor FD for some SECONDS, sets LINE to it. Bash tells the time by the wall clock: set forward,
# it ends a read in the middle of a line. What came of the line by then is kept for the next call.
HEARD=() LINE=''
hear() {
  # Into REPLY, which takes the line as it is: a trap that interrupts `IFS= read` would run without separators.
  local REPLY='' code=0
  read -r -t "$2" -u "$1" || code=$?
  HEARD[$1]=${HEARD[$1]:-}$REPLY
  if [ "$code" != 0 ]; then return "$code"; fi
  LINE=${HEARD[$1]} HEARD[$1]=''
}

# The same from the process PID: fails with 1 when it has ended and was heard out, with 2 when it only says nothing yet.
hear_from() {
  if hear "$2" "$3"; then return 0; fi
  if kill -0 "$1" 2>/dev/null; then return 2; fi
  # Its last words may have come between the two.
  hear "$2" 0.01 || return 1
}

# Waits some SECONDS, at most, without a process of its own: who looks out for the holder must not take its processor.
PAUSE_FD=''
pause() {
  local REPLY code=0
  # A pipe that nobody writes to.
  if [ -z "$PAUSE_FD" ]; then exec {PAUSE_FD}<> <(:); fi
  { read -r -t "$1" -u "$PAUSE_FD" || code=$?; } 2>/dev/null
  # Only above 128 it is time that is up.
  if [ "$code" -le 128 ]; then sleep "$1"; fi
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
  # Its number may soon be another's, whose words a pause would swallow.
  PAUSE_FD=''
}

# Runs a command in place of this shell, a background one. Its standard streams are the caller's to redirect.
spawn() {
  close_descriptors
  exec "$@"
}

# Never the OOM killer's choice: the process that thaws must outlive the memory shortage.
protect_from_oom() { echo -1000 >/proc/self/oom_score_adj 2>/dev/null || true; }

# Whether somebody holds the lock file: its holder is alive, even if stopped. Needs no pid that could be another's by now.
# One that can't be opened or asked is held: nothing may be cleared away under a living holder.
is_locked() { [ -e "$1" ] && ! flock -n 3 3<"$1"; }

prepare_run_directory() {
  if [ "$EUID" != 0 ]; then fail HostUnfit "must run as root; the SSM agent's Run Command does"; fi
  local type
  type=$(stat -f -c %T /run 2>/dev/null) || type=unknown
  if [ "$type" != tmpfs ] && [ "$type" != ramfs ]; then
    fail HostUnfit "/run is $type, not a tmpfs; Freezeframe keeps its state where no freeze can reach it"
  fi
  if [ -d "$FF_RUN/tombstones" ] && [ -d "$FF_RUN/receipts" ] && [ -d "$FF_RUN/answers" ]; then return; fi
  # All of it on this tmpfs, or nothing: a full /run is found here, before anything is frozen.
  if ! mkdir -p "$FF_RUN/tombstones" "$FF_RUN/receipts" "$FF_RUN/answers" 2>/dev/null; then
    fail HostUnfit "can't write to $FF_RUN; make room in /run"
  fi
}

active_is() {
  local run=''
  if [ ! -d "$ACTIVE" ]; then return 1; fi
  { read -r run <"$ACTIVE/run"; } 2>/dev/null || true
  [ "$run" = "$1" ]
}

# Whole or not at all, like its making: one that is killed in the middle would leave something that nobody knows how to end.
clear_active() { mv -T "$ACTIVE" "$FF_RUN/over-$BASHPID" && rm -rf "$FF_RUN/over-$BASHPID"; }

# A file of the run's own name: the name was checked by its pattern.
bury() { : >"$FF_RUN/tombstones/$1"; }
is_buried() { [ -e "$FF_RUN/tombstones/$1" ]; }

# Keeps the newest files of a directory of small ones.
keep_newest() {
  local file files=("$1"/*)
  if [ "${#files[@]}" -le "$2" ]; then return; fi
  # shellcheck disable=SC2012 # names are run ids: letters, digits, - and _
  ls -t "$1" 2>/dev/null | tail -n +"$(($2 + 1))" | while read -r file; do rm -f "$1/$file"; done
}
