#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# SQL Server on Linux, 2022 and newer.
#
# The server suspends the writes of all its user databases for a snapshot backup; one session asks for it, is told as the
# owner, and ends it. What becomes of it when that session is lost is not written down: the loss counts as a loss of the
# lock, and the keeper's death as one to be taken back. 2019 and older know no such thing.

SQLSERVER_FILE=sqlserver.conf SQLSERVER_SESSION=''

sqlserver_detect() {
  local pid at seen=' '
  pids_of sqlservr
  for pid in ${PIDS[@]+"${PIDS[@]}"}; do
    addresses_of "$pid"
    # A server is two processes; one of them listens.
    at=${REPLY%% *}
    if [ -z "$at" ] || [[ $seen == *" $at "* ]]; then continue; fi
    seen+="$at "
    app_found sqlserver 'SQL Server' "${at/:/,}"
    sqlserver_describe "$REPLY" "$pid"
  done
  if [ "${#PIDS[@]}" -gt 0 ] && [ "$seen" = ' ' ]; then
    app_found sqlserver 'SQL Server' ''
    APP_PROBLEM[REPLY]="process ${PIDS[0]} listens on no TCP port"
    app_contained "$REPLY" "${PIDS[0]}" /var/opt/mssql || true
  fi
}

sqlserver_describe() {
  local i=$1 kind value major=0 suspended=0
  APP_STOPS[i]=1
  if app_contained "$i" "$2" /var/opt/mssql; then return; fi
  if ! sqlserver_ask "$i" "SELECT 'version ' + CAST(SERVERPROPERTY('ProductVersion') AS varchar(30)); SELECT 'path ' + physical_name FROM sys.master_files;"; then
    APP_PROBLEM[i]=$REPLY
    return
  fi
  while read -r kind value; do
    case $kind in
      version)
        APP_NAME[i]="SQL Server $value"
        major=${value%%.*}
        ;;
      path)
        if [[ $value == /* ]]; then
          app_lies_on "$i" "$value"
          APP_DIR[i]=${APP_DIR[$i]:-${value%/*}}
        fi
        ;;
    esac
  done < <(printf '%s\n' "$REPLY")
  if [[ ! $major =~ ^[0-9]+$ ]] || [ "$major" -lt 16 ]; then
    APP_READY[i]=1 APP_PROVABLE[i]=0 APP_STOPS[i]=0
    APP_NAME[i]+=" (older than 2022: no snapshot backup)"
    return
  fi
  if ! sqlserver_ask "$i" "SELECT 'suspended ' + CAST(COUNT(*) AS varchar(9)) FROM sys.dm_server_suspend_status;"; then
    APP_PROBLEM[i]="$REPLY; the login needs CONTROL SERVER"
    return
  fi
  suspended=${REPLY##* }
  if [ "$suspended" != 0 ]; then
    APP_PROBLEM[i]="$suspended databases are suspended by somebody else's snapshot backup; wait for it, or end it in its session"
    return
  fi
  APP_READY[i]=1
}

sqlserver_freeze() {
  local i=$1
  if [[ ${APP_NAME[$i]} == *'older than 2022'* ]]; then
    SQLSERVER_SESSION=none
    note "${APP_NAME[$i]}: a restore recovers it as after a power failure"
    return 0
  fi
  if ! sqlserver_command "$i"; then
    app_refuses "$i" ": $REPLY"
    return
  fi
  # The password goes by the environment of this one child: sqlcmd has no file for it, and -P is seen by all.
  SQLCMDPASSWORD=$SQLSERVER_PASSWORD client_open "$i" "${SQLSERVER[@]}" || return 1
  SQLSERVER_PASSWORD=''
  if ! sqlserver_say "$i" 10 "SET NOCOUNT ON; SELECT CAST(@@SPID AS varchar(9)) + ' ' + (SELECT CAST(COUNT(*) AS varchar(9)) FROM sys.dm_server_suspend_status);"; then
    app_refuses "$i" ": $REPLY"
    return
  fi
  if [[ ! $REPLY =~ ^([0-9]+)\ 0$ ]]; then
    app_refuses "$i" " is suspended by somebody else's snapshot backup; wait for it"
    return
  fi
  SQLSERVER_SESSION=${BASH_REMATCH[1]}
  taken_mark "$i" || return 1
  mark_stalled
  seconds_left
  # Copy only: the differential backups of others keep their base.
  if ! sqlserver_say "$i" "$REPLY" 'ALTER SERVER CONFIGURATION SET SUSPEND_FOR_SNAPSHOT_BACKUP = ON (MODE = COPY_ONLY);' waits; then
    if [ -n "$CLIENT_STATUS" ]; then
      app_refuses "$i" " refused to suspend its databases: $REPLY"
    else
      app_keeps_waiting "$i" "did not suspend its databases in time; see sys.dm_exec_requests for a backup that runs"
    fi
    return 1
  fi
  if sqlserver_say "$i" 2 "SELECT COALESCE(MAX(CAST(DB_NAME(database_id) AS varchar(128)) + ' ' + CAST(redo_start_lsn AS varchar(40))), '') FROM sys.master_files WHERE redo_start_lsn IS NOT NULL;"; then
    APP_POSITION[i]=${REPLY##*$'\n'}
  fi
}

# Every suspended database is this session's, and none of them writes. Asked only at the release.
sqlserver_held() {
  if [ "${2:-}" = idle ]; then return 0; fi
  case $SQLSERVER_SESSION in
    '') return 1 ;;
    none) return 0 ;;
  esac
  sqlserver_say "$1" 2 "SELECT CASE WHEN @@SPID = $SQLSERVER_SESSION AND COUNT(*) > 0 AND COUNT(*) = SUM(CASE WHEN suspend_session_id IN (@@SPID, @@SPID % 256) AND is_write_io_frozen = 1 THEN 1 ELSE 0 END) THEN 'held' ELSE 'lost' END FROM sys.dm_server_suspend_status;" &&
    [ "$REPLY" = held ]
}

SQLSERVER_OFF='ALTER SERVER CONFIGURATION SET SUSPEND_FOR_SNAPSHOT_BACKUP = OFF;'

sqlserver_thaw() {
  if is_taken "$1" && sqlserver_say "$1" 5 "$SQLSERVER_OFF"; then taken_forget "$1"; fi
  client_end "$1" exit
  if is_taken "$1"; then sqlserver_take_back "$1"; fi
}

# Whatever the server keeps suspended without the session that asked for it.
sqlserver_take_back() {
  if ! is_taken "$1"; then return 0; fi
  if sqlserver_ask "$1" "IF EXISTS (SELECT * FROM sys.dm_server_suspend_status) $SQLSERVER_OFF"; then taken_forget "$1"; fi
}

# Sets SQLSERVER to sqlcmd for the server at APP_REF, and SQLSERVER_PASSWORD.
sqlserver_command() {
  local client user
  client=$(command -v sqlcmd) || for client in /opt/mssql-tools18/bin/sqlcmd /opt/mssql-tools/bin/sqlcmd; do
    if [ -x "$client" ]; then break; fi
  done
  if ! [ -x "$client" ]; then
    REPLY='the client (sqlcmd) is not installed'
    return 1
  fi
  if ! secret_exists "$SQLSERVER_FILE"; then
    REPLY="put a login with CONTROL SERVER into /etc/freezeframe/$SQLSERVER_FILE (user = …, password = …)"
    return 1
  fi
  secret_is_safe "$SQLSERVER_FILE" || return 1
  secret_of "$SQLSERVER_FILE" user || true
  user=$REPLY
  secret_of "$SQLSERVER_FILE" password || true
  SQLSERVER_PASSWORD=$REPLY
  SQLSERVER=("$client" -S "tcp:${APP_REF[$1]}" -U "$user" -l 8 -h -1 -W -w 4000)
  # Newer ones ask for a certificate that no server on its own host has; older ones don't know the option.
  if [[ $client == */mssql-tools18/* ]] || "$client" '-?' 2>/dev/null </dev/null | grep -q -e '-C '; then SQLSERVER+=(-C); fi
}

# Sets REPLY to what a batch answers in the session of server I, or to the error.
sqlserver_say() {
  client_turn
  client_ask "$1" "$2" "$3
GO
PRINT 'freezeframe' + '${CLIENT_MARK#freezeframe} done'
GO" "${4:-}" && ! sqlserver_failed "$REPLY"
}

# The same in a client of its own.
sqlserver_ask() {
  local why
  sqlserver_command "$1" || return 1
  SQLCMDPASSWORD=$SQLSERVER_PASSWORD client_once 15 "${SQLSERVER[@]}" \
    < <(printf '%s\n' 'SET NOCOUNT ON;' GO "$2" GO "PRINT 'freezeframe' + ': done'" GO exit) || true
  SQLSERVER_PASSWORD='' why=$REPLY
  if sqlserver_failed "$CLIENT_SAID"; then return 1; fi
  REPLY=${CLIENT_SAID%%$'\n'freezeframe:*}
  if [[ $CLIENT_SAID == *freezeframe:* ]]; then return 0; fi
  REPLY="can't log in: $why"
  return 1
}

# Whether an answer has an error of the server's or the client's; sets REPLY to it, or leaves the answer in it.
sqlserver_failed() {
  if [[ $1 =~ (^|$'\n')(Msg\ [0-9]+[^$'\n']*($'\n'[^$'\n']*)?|Sqlcmd:\ Error[^$'\n']*) ]]; then
    REPLY=${BASH_REMATCH[2]//$'\n'/ }
  else
    REPLY=$1
    return 1
  fi
}
