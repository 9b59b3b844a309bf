#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2154
# What the kernel tells of an application's process.

# Sets PIDS to the processes whose name (15 characters of it) fits one of the patterns. The names are read once for all
# drivers of one apps_detect.
pids_of() {
  local pid pattern
  PIDS=()
  if [ "${#PROCESS_NAME[@]}" = 0 ]; then processes_read; fi
  for pid in ${PROCESS_NAME[@]+"${!PROCESS_NAME[@]}"}; do
    for pattern in "$@"; do
      # shellcheck disable=SC2053 # a pattern on purpose
      if [[ ${PROCESS_NAME[$pid]} == $pattern ]]; then
        PIDS+=("$pid")
        break
      fi
    done
  done
}

# By pid.
PROCESS_NAME=()
processes_read() {
  local proc name
  for proc in "${FF_PROC:-/proc}"/[0-9]*; do
    { IFS= read -r name <"$proc/comm"; } 2>/dev/null || continue
    PROCESS_NAME[${proc##*/}]=$name
  done
}

# Sets PIDS to the processes of these names whose parent has none of them: servers without their workers.
servers_of() {
  local pid row parent name servers=()
  pids_of "$@"
  for pid in ${PIDS[@]+"${PIDS[@]}"}; do
    rows_of "${FF_PROC:-/proc}/$pid/status" || continue
    parent=''
    for row in ${ROWS[@]+"${ROWS[@]}"}; do
      if [[ $row == PPid:* ]]; then
        parent=${row##*[[:blank:]]}
        break
      fi
    done
    # It has ended meanwhile, as short-lived workers do: in its last moment it has none any more.
    if [ "${parent:-0}" = 0 ]; then continue; fi
    { read -r name <"${FF_PROC:-/proc}/$parent/comm"; } 2>/dev/null || name=''
    if [[ -z $name || " $* " != *" $name "* ]]; then servers+=("$pid"); fi
  done
  PIDS=(${servers[@]+"${servers[@]}"})
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

# Sets REPLY to a process's words, separated by line ends: its arguments (cmdline) or its environment (environ).
words_of() {
  local word
  REPLY=''
  while IFS= read -r -d '' word; do REPLY+="$word"$'\n'; done 2>/dev/null <"${FF_PROC:-/proc}/$1/$2" || true
}

# Sets REPLY to a variable of a process's environment.
variable_of() {
  local word
  words_of "$1" environ
  while read -r word; do
    if [[ $word == "$2="* ]]; then
      REPLY=${word#*=}
      return 0
    fi
  done < <(printf '%s' "$REPLY")
  REPLY=''
  return 1
}

owner_of() { REPLY=$(stat -c %U "${FF_PROC:-/proc}/$1" 2>/dev/null) || REPLY=''; }

# Sets REPLY to the addresses that a process listens on, as a client on this host reaches them, separated by blanks.
addresses_of() {
  local proc=${FF_PROC:-/proc}/$1 sockets at state inode found=''
  sockets=$(ls -l "$proc/fd" 2>/dev/null) || true
  while read -r _ at _ state _ _ _ _ _ inode _; do
    if [ "$state" != 0A ] || [[ $sockets != *"socket:[$inode]"* ]]; then continue; fi
    address_of "$at"
    if [[ " $found " != *" $REPLY "* ]]; then found+=" $REPLY"; fi
    # Listeners alone: for each line that bash reads from such a file, the kernel walks it from its beginning.
  done < <(grep -h ' 0A ' "$proc/net/tcp" "$proc/net/tcp6" 2>/dev/null)
  REPLY=${found# }
}

# Sets REPLY to host:port of an address in the kernel's hexadecimal writing. All addresses of the host include 127.0.0.1.
address_of() {
  local ip=${1%:*} port=$((16#${1##*:}))
  case $ip in
    00000000 | 00000000000000000000000000000000) ip=127.0.0.1 ;;
    ????????) ip=$((16#${ip:6:2})).$((16#${ip:4:2})).$((16#${ip:2:2})).$((16#${ip:0:2})) ;;
    00000000000000000000000001000000) ip='[::1]' ;;
    0000000000000000FFFF0000*)
      address_of "${ip:24}:0"
      ip=${REPLY%:*}
      ;;
    *) ip=localhost ;;
  esac
  REPLY=$ip:$port
}
