#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# PostgreSQL 12 to 18, each cluster an application.
#
# PostgreSQL has no lock worth the name, and needs none: an image of one instant of its data directory, its WAL and its
# tablespaces is what its manual asks for ("the snapshots must be simultaneous"), and recovery comes to the last commit
# that was acknowledged. The instant is made by the frozen file systems, one LVM snapshot or one volume, never by us: so
# APP_STOPS is 0. What is ours is to see that the image recovers (fsync and full_page_writes are on), that recovery is
# short (a checkpoint, before anybody waits), and that the server at the release is the one that was looked at.
#
# Weighed and left: backup mode (pg_backup_start) stops no write, and its label is good only beside the archived WAL up to
# its end, which no image of several instants has. A standby that nobody can reach in synchronous_standby_names would stop
# commits, but it is written to postgresql.auto.conf and would outlive us. Locks on every table stop neither WAL nor
# checkpointer. The cgroup freezer does stop all, and is not a driver's to use.

POSTGRESQL_FILE=pgpass
POSTGRESQL_SERVER=''
# Seconds that the checkpoint may take: without it the image is as good, its recovery longer.
POSTGRESQL_CHECKPOINT=60

postgresql_detect() {
  local pid directory lines
  servers_of postgres postmaster
  for pid in ${PIDS[@]+"${PIDS[@]}"}; do
    # The server works in its data directory.
    directory_of "$pid"
    directory=$REPLY
    lines=()
    mapfile -t lines 2>/dev/null <"${FF_PROC:-/proc}/$pid/root$directory/postmaster.pid" || continue
    # A negative pid: initdb, or a server for one user.
    if [[ ! ${lines[0]:-} =~ ^\ *[0-9]+\ *$ ]]; then continue; fi
    app_found postgresql PostgreSQL "$pid"
    postgresql_describe "$REPLY" "$pid" "$directory" "${lines[4]:-}" "${lines[3]:-}"
  done
}

postgresql_describe() {
  local i=$1 pid=$2 directory=$3 socket=$4 port=$5 root=${FF_PROC:-/proc}/$2/root version='' owner client path paths k
  APP_DIR[i]=$directory
  { read -r version <"$root$directory/PG_VERSION"; } 2>/dev/null || true
  APP_NAME[i]="PostgreSQL $version"
  paths=("$directory" "$directory/pg_wal")
  for path in "$root$directory/pg_tblspc"/*; do paths+=("$directory/pg_tblspc/${path##*/}"); done
  for ((k = 1; k < ${#paths[@]}; k++)); do
    # A link leads where it leads in the server's own view.
    if REPLY=$(readlink "$root${paths[$k]}"); then
      case $REPLY in /*) paths[k]=$REPLY ;; *) paths[k]=${paths[$k]%/*}/$REPLY ;; esac
    fi
  done
  if app_contained "$i" "$pid" "${paths[@]}"; then return; fi
  for path in "${paths[@]}"; do app_lies_below "$i" "$path"; done
  if [ -z "$socket" ]; then
    APP_PROBLEM[i]="it has no Unix socket; set unix_socket_directories"
    return
  fi
  owner=$(stat -c %U "$directory" 2>/dev/null) || owner=UNKNOWN
  if ! postgresql_client "$pid"; then
    APP_PROBLEM[i]=$REPLY
    return
  fi
  client=$REPLY
  # As the owner, whom peer authentication lets in; where it does not, with our own file.
  APP_REF[i]="$owner|$port|$client|$socket"
  if ! postgresql_ask "${APP_REF[$i]}"; then
    APP_PROBLEM[i]=$REPLY
    if ! secret_exists "$POSTGRESQL_FILE"; then
      APP_PROBLEM[i]+="; let its owner $owner in by peer, or put a superuser into /etc/freezeframe/$POSTGRESQL_FILE"
      return
    fi
    APP_REF[i]="|$port|$client|$socket"
    if ! secret_is_safe "$POSTGRESQL_FILE" || ! postgresql_ask "${APP_REF[$i]}"; then
      APP_PROBLEM[i]=$REPLY
      return
    fi
  fi
  postgresql_judge "$i" "$REPLY"
}

# Takes what the server says of itself: version, standby, fsync, full_page_writes, right to a checkpoint.
postgresql_judge() {
  local i=$1 version number standby sync pages right
  IFS='|' read -r version number standby sync pages right < <(printf '%s\n' "$2")
  APP_NAME[i]="PostgreSQL ${version%% *}"
  if [ "$standby" = t ]; then APP_NAME[i]+=' (standby)'; fi
  if [ "${number:-0}" -lt 120000 ]; then
    APP_PROBLEM[i]="version ${version%% *} is older than 12, the oldest that is known here"
  elif [ "$sync $pages" != 'on on' ]; then
    APP_PROBLEM[i]="fsync is $sync and full_page_writes is $pages; with less than on and on no image of its files is sure to recover"
  elif [ "$right" != t ]; then
    APP_PROBLEM[i]="the user may not make a checkpoint; GRANT pg_checkpoint TO it, or use a superuser"
  else
    APP_READY[i]=1
  fi
}

postgresql_freeze() {
  local i=$1 seconds
  if ! postgresql_command "${APP_REF[$i]}"; then
    app_refuses "$i" ": $REPLY"
    return
  fi
  client_open "$i" "${PSQL[@]}" || return 1
  now_cs
  seconds=$(((WITHIN_AT - REPLY) / 200))
  if [ "$seconds" -gt "$POSTGRESQL_CHECKPOINT" ]; then seconds=$POSTGRESQL_CHECKPOINT; fi
  if [ "$seconds" -lt 1 ]; then seconds=1; fi
  if ! postgresql_say "$i" 8 "SET client_min_messages = error; SET lock_timeout = '5s'; SET statement_timeout = '${seconds}s';
SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'idle_session_timeout'"; then
    app_refuses "$i" ": $REPLY"
    return
  fi
  # On a standby a restartpoint.
  if ! postgresql_say "$i" $((seconds + 3)) CHECKPOINT; then
    if [[ $REPLY != *'statement timeout'* ]]; then
      app_refuses "$i" " refused the checkpoint: $REPLY"
      return
    fi
    note "${APP_NAME[$i]} did not end its checkpoint within $seconds s; a restore recovers, but takes longer"
  fi
  if ! postgresql_say "$i" 5 "$POSTGRESQL_IDENTITY" || [[ $REPLY != *' on on' ]]; then
    app_refuses "$i" ": fsync and full_page_writes must be on: $REPLY"
    return
  fi
  POSTGRESQL_SERVER=$REPLY
  if postgresql_say "$i" 2 "SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_flush_lsn() END
    || ' timeline ' || (SELECT timeline_id FROM pg_control_checkpoint())"; then APP_POSITION[i]=$REPLY; fi
}

# A server that was started anew, or a session that is another, has another answer; so has one whose settings were changed.
POSTGRESQL_IDENTITY="SELECT concat_ws(' ', pg_backend_pid(), extract(epoch FROM pg_postmaster_start_time()), current_setting('fsync'), current_setting('full_page_writes'))"

postgresql_held() { [ -n "$POSTGRESQL_SERVER" ] && postgresql_say "$1" 2 "$POSTGRESQL_IDENTITY" && [ "$REPLY" = "$POSTGRESQL_SERVER" ]; }

postgresql_thaw() { client_end "$1" '\q'; }

# Sets REPLY to psql: the one beside the server, else the one on the PATH.
postgresql_client() {
  REPLY=$(readlink "${FF_PROC:-/proc}/$1/exe") || REPLY=''
  REPLY=${REPLY%/*}/psql
  if [ -x "$REPLY" ] || REPLY=$(command -v psql); then return 0; fi
  REPLY='the client (psql) is not installed'
  return 1
}

# Sets PSQL to the client with its options for OWNER|PORT|CLIENT|SOCKET DIRECTORY; without an owner it runs as root with
# the user and database of our file's line for that port.
postgresql_command() {
  local owner port client socket user='' base=postgres host other
  IFS='|' read -r owner port client socket < <(printf '%s\n' "$1")
  PSQL=("PGAPPNAME=freezeframe" PGCONNECT_TIMEOUT=10)
  if [ -n "$owner" ]; then
    PSQL=(runuser -u "$owner" -- env "${PSQL[@]}")
  else
    secret_is_safe "$POSTGRESQL_FILE" || return 1
    while IFS=: read -r host other base user _; do
      if [ "$other" = "$port" ] || [ "$other" = '*' ]; then break; fi
      user=''
    done <"${FF_ETC:-/etc}/freezeframe/$POSTGRESQL_FILE"
    if [ -z "$user" ] || [ "$user" = '*' ]; then
      REPLY="/etc/freezeframe/$POSTGRESQL_FILE has no line with a user for port $port (host:port:database:user:password)"
      return 1
    fi
    if [ "$base" = '*' ]; then base=postgres; fi
    PSQL=(env "${PSQL[@]}" "PGPASSFILE=${FF_ETC:-/etc}/freezeframe/$POSTGRESQL_FILE")
  fi
  PSQL+=("$client" -XqAtw -h "$socket" -p "$port" -d "$base")
  if [ -n "$user" ]; then PSQL+=(-U "$user"); fi
}

# Sets REPLY to the last line that the session of server I answers; fails with the server's words.
postgresql_say() {
  client_turn
  client_ask "$1" "$2" "$3; SELECT '$CLIENT_MARK';" || return 1
  if [[ $REPLY =~ (^|$'\n')((ERROR:|FATAL:|PANIC:|psql:)[^$'\n']*) ]]; then
    REPLY=${BASH_REMATCH[2]}
    return 1
  fi
  REPLY=${REPLY##*$'\n'}
}

POSTGRESQL_QUESTION="SELECT concat_ws('|', current_setting('server_version'), current_setting('server_version_num'), pg_is_in_recovery(),
  current_setting('fsync'), current_setting('full_page_writes'), EXISTS (SELECT FROM pg_roles r WHERE
  CASE WHEN r.rolname = current_user THEN r.rolsuper ELSE r.rolname = 'pg_checkpoint' AND pg_has_role(r.oid, 'MEMBER') END))"

# Sets REPLY to the server's answer, or to why there is none.
postgresql_ask() {
  postgresql_command "$1" || return 1
  client_once 15 "${PSQL[@]}" -c "$POSTGRESQL_QUESTION" </dev/null && return 0
  # psql says what went wrong first, and hints behind it.
  if [[ $CLIENT_SAID =~ FATAL:\ +([^$'\n']*) ]]; then REPLY=${BASH_REMATCH[1]}; fi
  REPLY="can't log in: $REPLY"
  return 1
}
