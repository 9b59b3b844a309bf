#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# Redis 6.2 and newer, Valkey; each server an application.
#
# The lock is CLIENT PAUSE … WRITE: writes wait, reads go on. It is the server's, not the session's, and has an end of its
# own, that of the lease. That it held without a gap is proven by a second connection, the probe, whose PUBLISH the pause
# holds back: were the pause over for a moment, the probe would have its answer. Under the pause the files are brought up
# to date: the append-only file has what was acknowledged as soon as the server's buffer is empty; without one the data
# are in the last dump, which is renewed.

REDIS_FILE=redis.conf
REDIS_SERVER='' REDIS_PROBE=''
# Seconds that a dump may take while writers wait.
REDIS_DUMP=3
# The probes' sessions are numbered behind the servers'.
REDIS_PROBES=100

redis_detect() {
  local pid
  servers_of redis-server valkey-server
  for pid in ${PIDS[@]+"${PIDS[@]}"}; do
    app_found redis Redis "$pid"
    redis_describe "$REPLY" "$pid"
    # A cache that never writes is no application to quiet.
    if [ "$REPLY" = nothing ]; then app_drop $((${#APP_DRIVER[@]} - 1)); fi
  done
}

redis_describe() {
  local i=$1 pid=$2 directory client at addresses port problem=''
  directory_of "$pid"
  directory=$REPLY APP_DIR[i]=$directory
  if app_contained "$i" "$pid" "$directory"; then
    REPLY=''
    return
  fi
  app_lies_below "$i" "$directory"
  redis_client "$pid" || {
    APP_PROBLEM[i]=$REPLY
    return
  }
  client=$REPLY
  addresses_of "$pid"
  # The lowest port is the clients'; that of a cluster's bus is 10000 above it.
  addresses=$(printf '%s\n' "$REPLY" | tr ' ' '\n' | sort -t : -k 2n)
  port=${addresses%%$'\n'*} port=${port##*:}
  unix_socket_of "$pid"
  for at in ${REPLY:+"$REPLY"} $addresses; do
    APP_REF[i]="$client|${port:-0}|$at"
    if redis_ask "${APP_REF[$i]}" "INFO" "CONFIG GET save" "CONFIG GET dbfilename"; then
      redis_judge "$i" "$REPLY"
      return
    fi
    problem=${problem:-$REPLY}
  done
  APP_PROBLEM[i]=${problem:-it listens on nothing that can be reached without TLS}
  REPLY=''
}

# Takes what the server says of itself. Sets REPLY to `nothing` where it keeps nothing on disk.
redis_judge() {
  local i=$1 said=$2 version mode role append took save dump='' line key=''
  redis_field redis_version "$said" && version=$REPLY
  APP_NAME[i]="Redis $version"
  if redis_field valkey_version "$said"; then APP_NAME[i]="Valkey $REPLY" version=$REPLY; fi
  redis_field redis_mode "$said" && mode=$REPLY
  redis_field role "$said" && role=$REPLY
  redis_field aof_enabled "$said" && append=$REPLY
  redis_field rdb_last_bgsave_time_sec "$said" && took=$REPLY
  # CONFIG GET answers name and value in two lines; an empty value means that nothing is dumped.
  save=unknown
  while read -r line; do
    case $key in
      save) save=$line ;;
      dbfilename) dump=$line ;;
    esac
    key=$line
  done < <(printf '%s\n' "$said")
  REPLY=nothing
  if [ "${mode:-}" = sentinel ]; then return; fi
  if [ "${append:-0}" != 1 ] && [ -z "$save" ] && [ ! -e "${APP_DIR[$i]}/$dump" ]; then return; fi
  REPLY=''
  if [ "$role" = slave ]; then APP_NAME[i]+=' (replica)'; fi
  if [[ ! $version =~ ^([7-9]|[1-9][0-9]|6\.[2-9])(\.|$) ]]; then
    APP_PROBLEM[i]="${APP_NAME[$i]} can't pause writes alone; Redis 6.2 is the oldest that can"
    return
  fi
  # Redis 7 tells what the user may do.
  if redis_ask "${APP_REF[$i]}" 'ACL WHOAMI' && redis_ask "${APP_REF[$i]}" "ACL DRYRUN ${REPLY##*$'\n'} CLIENT PAUSE 1 WRITE" && [[ $REPLY == *'no permissions'* ]]; then
    APP_PROBLEM[i]="the user may not CLIENT PAUSE; ACL SETUSER it +client +info +publish +bgsave &freezeframe"
    REPLY=''
    return
  fi
  REPLY=''
  APP_READY[i]=1 APP_STOPS[i]=1
  if [ "$append" != 1 ] && [ "${took:--1}" -ge "$REDIS_DUMP" ]; then
    # Too large to be dumped while its writers wait.
    APP_NAME[i]+=' (dumps only)' APP_PROVABLE[i]=0 APP_STOPS[i]=0
  fi
}

redis_freeze() {
  local i=$1 probe=$((REDIS_PROBES + $1)) append
  if ! redis_command "${APP_REF[$i]}"; then
    app_refuses "$i" ": $REPLY"
    return
  fi
  client_open "$i" "${REDIS[@]}" && client_open "$probe" "${REDIS[@]}" || return 1
  if ! redis_say "$i" 5 "$REDIS_LOGIN" || ! redis_say "$probe" 5 "$REDIS_LOGIN" || ! redis_say "$probe" 5 'CLIENT ID'; then
    app_refuses "$i" ": $REPLY"
    return
  fi
  REDIS_PROBE=$REPLY
  if ! redis_identity "$i" || ! REDIS_SERVER=$REPLY || ! redis_info "$i" aof_enabled; then
    app_refuses "$i" ": $REPLY"
    return
  fi
  append=$REPLY
  redis_settle "$i" || return 1
  if [ "$append" != 1 ] && ! redis_dump "$i" 600; then return 1; fi

  now_cs
  # Pushed first: the pause stands even if its answer is lost.
  taken_mark "$i" || return 1
  mark_stalled
  if ! redis_say "$i" 5 "CLIENT PAUSE $(((UNTIL - REPLY) * 10)) WRITE"; then
    app_refuses "$i" " refused the pause: $REPLY"
    return
  fi
  redis_hold_back "$i" || return 1
  if [ "$append" = 1 ]; then redis_flushed "$i"; else redis_dumped "$i"; fi || return 1
  if redis_info "$i" master_replid; then
    APP_POSITION[i]=$REPLY
    # A replica's own offset comes under another name.
    redis_info "$i" slave_repl_offset || redis_info "$i" master_repl_offset || true
    APP_POSITION[i]+=" $REPLY"
  fi
}

# The same server, the same connection to it, and the probe still waits.
redis_held() { [ -n "$REDIS_SERVER" ] && redis_identity "$1" && [ "$REPLY" = "$REDIS_SERVER" ] && redis_is_held_back "$1"; }

redis_thaw() {
  if is_taken "$1"; then
    if redis_say "$1" 2 'CLIENT UNPAUSE'; then taken_forget "$1"; else redis_take_back "$1"; fi
  fi
  client_end "$1" QUIT
  client_end $((REDIS_PROBES + $1)) QUIT
}

# By a connection of its own. A pause that is not ours must not be ended.
redis_take_back() {
  if is_taken "$1" && redis_ask "${APP_REF[$1]}" 'CLIENT UNPAUSE'; then taken_forget "$1"; fi
}

# Sets REPLY to the server's and the connection's own numbers.
redis_identity() {
  local run
  redis_info "$1" run_id && run=$REPLY && redis_say "$1" 2 'CLIENT ID' && REPLY=$run-$REPLY
}

# A child that writes a dump or rewrites the file slows everything, and ends soon.
redis_settle() {
  local i=$1 deadline
  now_cs
  deadline=$((REPLY + (WITHIN_AT - REPLY) / 3))
  while redis_info "$i" rdb_bgsave_in_progress && [ "$REPLY" = 0 ] && redis_info "$i" aof_rewrite_in_progress && [ "$REPLY" = 0 ] || [ "$REPLY" = 1 ]; do
    if [ "$REPLY" = 0 ]; then return 0; fi
    now_cs
    if [ "$REPLY" -ge "$deadline" ] || is_buried "$RUN"; then
      note "${APP_NAME[$i]} rewrites a file and was not waited for any longer; a restore finds the one before it"
      return 0
    fi
    pause 0.2
  done
  app_refuses "$i" ": $REPLY"
}

# Sends the probe's PUBLISH and waits until the pause holds it back.
redis_hold_back() {
  local i=$1 probe=$((REDIS_PROBES + $1)) tries=0
  client_tell "$probe" 'PUBLISH freezeframe frozen' || true
  while [ "$tries" -lt 100 ]; do
    if redis_is_held_back "$i"; then return 0; fi
    tries=$((tries + 1))
    pause 0.02
  done
  redis_say "$probe" 1 PING || true
  app_refuses "$i" " says that it paused, but does not hold back a write: $REPLY"
}

redis_is_held_back() { redis_say "$1" 2 "CLIENT LIST ID $REDIS_PROBE" && [[ $REPLY =~ ^id=$REDIS_PROBE\ .*\ flags=[A-Za-z]*b ]]; }

# Writes a dump, within SECONDS and the time there is.
redis_dump() {
  local i=$1 deadline
  now_cs
  deadline=$((REPLY + $2 * 100))
  if [ "$deadline" -gt $((WITHIN_AT - 200)) ]; then deadline=$((WITHIN_AT - 200)); fi
  if ! redis_say "$i" 5 'BGSAVE SCHEDULE'; then
    app_refuses "$i" " refused to write a dump: $REPLY"
    return
  fi
  while :; do
    pause 0.05
    redis_info "$i" rdb_bgsave_in_progress || break
    if [ "$REPLY" = 0 ]; then
      if redis_info "$i" rdb_last_bgsave_status && [ "$REPLY" = ok ]; then return 0; fi
      break
    fi
    now_cs
    if [ "$REPLY" -ge "$deadline" ] || is_buried "$RUN"; then
      # The one before it is whole.
      note "${APP_NAME[$i]} did not end its dump in time"
      return 0
    fi
  done
  app_refuses "$i" " could not write its dump: $REPLY; see its log"
}

# Without an append-only file what was acknowledged is in the last dump, if that is renewed.
redis_dumped() {
  local i=$1
  redis_info "$i" rdb_changes_since_last_save
  if [ "$REPLY" != 0 ]; then redis_dump "$i" "$REDIS_DUMP" || true; fi
  redis_info "$i" rdb_changes_since_last_save
  if [ "$REPLY" != 0 ]; then
    note "${APP_NAME[$i]} has $REPLY writes since its last dump, and no append-only file: they are not in the set"
    REDIS_SERVER=''
  fi
}

# What was acknowledged is in the file when nothing is left to write to it.
redis_flushed() {
  local i=$1
  while :; do
    if redis_info "$i" aof_last_write_status && [ "$REPLY" != ok ]; then
      app_refuses "$i" " can't write to its append-only file: $REPLY; see its log"
      return
    fi
    if redis_info "$i" aof_buffer_length && [ "$REPLY" = 0 ] && redis_info "$i" aof_pending_bio_fsync && [ "$REPLY" = 0 ]; then return 0; fi
    now_cs
    if [ "$REPLY" -ge "$WITHIN_AT" ] || is_buried "$RUN"; then
      app_keeps_waiting "$i" "did not write its append-only file in time; its disk is too busy"
      return
    fi
    pause 0.02
  done
}

redis_client() {
  local directory name
  directory=$(readlink "${FF_PROC:-/proc}/$1/exe") || directory=''
  for name in redis-cli valkey-cli; do
    REPLY=${directory%/*}/$name
    if [ -x "$REPLY" ] || REPLY=$(command -v "$name"); then return 0; fi
  done
  REPLY='the client (redis-cli or valkey-cli) is not installed'
  return 1
}

# Sets REDIS to the client for CLIENT|PORT|ADDRESS, and REDIS_LOGIN to what logs in, which goes over its standard input.
redis_command() {
  local client port at line key user word
  IFS='|' read -r client port at < <(printf '%s\n' "$1")
  REDIS=("$client") REDIS_LOGIN='ECHO nobody'
  case $at in
    /*) REDIS+=(-s "$at") ;;
    *) REDIS+=(-h "${at%:*}" -p "${at##*:}") ;;
  esac
  # shellcheck disable=SC2206 # no blanks in it
  REDIS=(${REDIS[@]//[\[\]]/})
  if ! secret_exists "$REDIS_FILE"; then return 0; fi
  secret_is_safe "$REDIS_FILE" || return 1
  # PORT|default [USER] PASSWORD
  for line in "$port" default; do
    while read -r key user word || [ -n "$key" ]; do
      if [ "$key" = "$line" ]; then
        if [ -z "$word" ]; then word=$user user=default; fi
        word=${word//\\/\\\\}
        REDIS_LOGIN="AUTH $user \"${word//\"/\\\"}\""
        return 0
      fi
    done <"${FF_ETC:-/etc}/freezeframe/$REDIS_FILE"
  done
}

# Sets REPLY to the last line that session S answers; fails with the server's words.
redis_say() {
  client_turn
  client_ask "$1" "$2" "$3"$'\n'"ECHO $CLIENT_MARK" || return 1
  CLIENT_SAID=$REPLY
  if [[ $REPLY =~ (^|$'\n')((ERR|NO[A-Z]*|WRONG[A-Z]*|MISCONF|LOADING)\ [^$'\n']*|(Error:|Could\ not\ connect)[^$'\n']*) ]]; then
    REPLY=${BASH_REMATCH[2]}
    return 1
  fi
  REPLY=${REPLY##*$'\n'}
}

# Sets REPLY to a field of INFO as session S has it; an old server that lacks it says nothing.
redis_info() {
  local section=persistence
  # Only the section that the field is in: the whole is two hundred lines, read while writers wait.
  case $2 in
    run_id) section=server ;;
    *repl*) section=replication ;;
  esac
  redis_say "$1" 2 "INFO $section" && redis_field "$2" "$CLIENT_SAID"
}

# Sets REPLY to a field of INFO.
redis_field() {
  if [[ $'\n'$2 =~ $'\n'"$1":([^$'\n']*) ]]; then
    REPLY=${BASH_REMATCH[1]}
    return 0
  fi
  REPLY=''
  return 1
}

# Sets REPLY to what the server at CLIENT|PORT|ADDRESS answers to COMMANDS, or to why it does not.
redis_ask() {
  redis_command "$1" || return 1
  shift
  client_once 10 "${REDIS[@]}" < <(printf '%s\n' "$REDIS_LOGIN" "$@" 'ECHO freezeframe-end') || true
  CLIENT_SAID=${CLIENT_SAID//$'\r'/}
  if [[ $CLIENT_SAID =~ (^|$'\n')((NOAUTH|WRONGPASS|ERR\ AUTH)[^$'\n']*) ]]; then
    REPLY="can't log in: ${BASH_REMATCH[2]} Put user and password into /etc/freezeframe/$REDIS_FILE"
  elif [[ $CLIENT_SAID == *freezeframe-end* ]]; then
    REPLY=${CLIENT_SAID%$'\n'freezeframe-end*}
    return 0
  else
    REPLY="can't be reached: ${REPLY:-no answer}"
  fi
  return 1
}
