#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# MySQL 5.7 to 8.4, Percona Server, MariaDB.
#
# The lock lives exactly as long as the session that took it, so the session is held open until the thaw. MariaDB 10.4 and
# newer: BACKUP STAGE BLOCK_COMMIT; MySQL: FLUSH TABLES WITH READ LOCK, which stops DDL too, so that LOCK INSTANCE FOR
# BACKUP and the right it takes are not needed. Lock waits are short and repeated: a lock that waits makes every later
# statement queue behind it.

MYSQL_FILE=mysql.cnf MYSQL_CONNECTION='' MYSQL_LOCK=() MYSQL_UNLOCK=''
# Seconds of one wait for the lock, and the age of a statement behind which it is not worth asking.
MYSQL_LOCK_WAIT=2
MYSQL_LONG_QUERY=2

mysql_detect() {
  local pid socket name
  servers_of mysqld mariadbd
  for pid in ${PIDS[@]+"${PIDS[@]}"}; do
    # The X plugin's socket speaks another protocol.
    unix_socket_of "$pid" '*mysqlx*'
    socket=$REPLY
    { read -r name <"${FF_PROC:-/proc}/$pid/comm"; } 2>/dev/null || continue
    app_found mysql "$name" "$socket"
    mysql_describe "$REPLY" "$pid"
  done
}

# Fills in what the server says of itself, or the problem.
mysql_describe() {
  local i=$1 pid=$2 answer key value version='' comment='' grants='' home=''
  APP_STOPS[i]=1
  # The server works in its data directory, which is known so even of one that does not answer.
  directory_of "$pid"
  APP_DIR[i]=$REPLY
  if app_contained "$i" "$pid" "$REPLY"; then return; fi
  app_lies_on "$i" "${APP_DIR[$i]}"
  home=$REPLY
  if [ -z "${APP_REF[$i]}" ]; then
    APP_PROBLEM[i]="process $pid has no Unix socket; set one with --socket"
    return
  fi
  # As root by the socket; where that is refused, as the user in our own file.
  if ! mysql_ask "${APP_REF[$i]}"; then
    # Only a server that answers refuses, as with 1045, or 3118 and 4151 of an account that is locked; 2000 to 2999 are the
    # client's own, MariaDB's has 5000 to 5999 as well.
    if [[ $REPLY != *'ERROR '[134][0-9][0-9][0-9]' '* ]]; then
      APP_PROBLEM[i]=$REPLY
      return
    fi
    if ! secret_exists "$MYSQL_FILE"; then
      APP_PROBLEM[i]="$REPLY; give root the socket, or put a user with RELOAD into /etc/freezeframe/$MYSQL_FILE"
      return
    fi
    APP_REF[i]="$MYSQL_FILE:${APP_REF[$i]}"
    if ! mysql_ask "${APP_REF[$i]}"; then
      APP_PROBLEM[i]="/etc/freezeframe/$MYSQL_FILE: $REPLY"
      return
    fi
  fi
  answer=$REPLY
  while IFS=$'\t' read -r key value; do
    case $key in
      version) version=$value ;;
      version_comment) comment=$value ;;
      log_bin_basename) if [ -n "$value" ]; then app_lies_on "$i" "${value%/*}"; fi ;;
      innodb_*)
        case $value in /*)
          app_lies_on "$i" "$value"
          # Under the lock InnoDB still flushes pages and moves its checkpoint: data and redo log, taken moments apart, may
          # miss each other.
          if [ "$REPLY" != "$home" ]; then APP_STOPS[i]=0; fi
          ;;
        esac
        ;;
      GRANT*) grants+="$key " ;;
    esac
  done < <(printf '%s\n' "$answer")
  case "$version $comment" in
    *[Mm]aria*) APP_NAME[i]="MariaDB ${version%%-*}" ;;
    *Percona*) APP_NAME[i]="Percona Server ${version%%-*}" ;;
    *) APP_NAME[i]="MySQL ${version%%-*}" ;;
  esac
  case $grants in
    *"ALL PRIVILEGES ON *.*"* | *RELOAD*" ON *.*"* | *FLUSH_TABLES*) APP_READY[i]=1 ;;
    *) APP_PROBLEM[i]="the user lacks the right RELOAD: GRANT RELOAD, PROCESS, REPLICATION CLIENT ON *.* TO it" ;;
  esac
}

mysql_freeze() {
  local i=$1
  if ! mysql_command "${APP_REF[$i]}"; then
    app_refuses "$i" ": $REPLY"
    return
  fi
  CLIENT_LOST='^ERROR (2002|2003|2006|2013|1045|1698|1040|1927) '
  # --force: an error must not end the session, and the lock with it.
  client_open "$i" "${MYSQL[@]}" --force || return 1
  if ! mysql_say "$i" 5 "SET SESSION lock_wait_timeout=$MYSQL_LOCK_WAIT, SESSION wait_timeout=3600" ||
    ! mysql_say "$i" 5 'SELECT CONNECTION_ID()'; then
    app_refuses "$i" ": $REPLY"
    return
  fi
  MYSQL_CONNECTION=$REPLY
  mysql_choose_lock "$i"
  until mysql_lock "$i"; do
    if [[ $REPLY != *1205* ]]; then
      app_refuses "$i" " refused its lock: $REPLY"
      return
    fi
    now_cs
    if [ $((REPLY + MYSQL_LOCK_WAIT * 100)) -ge "$WITHIN_AT" ] || is_buried "$RUN"; then
      mysql_oldest_query "$i"
      app_keeps_waiting "$i" "did not grant its lock in time; in its way: $REPLY. End it, or back up when it is done"
      return
    fi
    pause 0.3
  done
  mysql_position "$i"
}

# On the very session that took the lock: the server drops the lock with the session, and the client never reconnects.
mysql_held() { [ -n "$MYSQL_CONNECTION" ] && mysql_say "$1" 5 'SELECT CONNECTION_ID()' && [ "$REPLY" = "$MYSQL_CONNECTION" ]; }

# Whatever the server does, the lock goes with the client.
mysql_thaw() {
  if [ -n "$MYSQL_UNLOCK" ]; then mysql_say "$1" 5 "$MYSQL_UNLOCK" || true; fi
  client_end "$1" exit
}

# Sets MYSQL_LOCK to the statements that make the lock, MYSQL_UNLOCK to the one that ends it.
mysql_choose_lock() {
  local version=${APP_NAME[$1]##* }
  MYSQL_LOCK=('FLUSH TABLES WITH READ LOCK') MYSQL_UNLOCK='UNLOCK TABLES'
  if [[ ${APP_NAME[$1]} == MariaDB* ]] && { [ "${version%%.*}" -gt 10 ] || [[ $version =~ ^10\.([4-9]|1[01])\. ]]; }; then
    MYSQL_LOCK=('BACKUP STAGE START' 'BACKUP STAGE BLOCK_COMMIT') MYSQL_UNLOCK='BACKUP STAGE END'
  fi
}

# One try. On failure REPLY is what the server said, 1205 when it was not worth asking or took too long.
mysql_lock() {
  local statement said
  # A flush that waits for a long SELECT keeps every later statement on its tables waiting, even after it gave up.
  if [[ ${APP_NAME[$1]} != MariaDB* ]] && mysql_long_query "$1"; then
    REPLY=1205
    return 1
  fi
  mark_stalled
  for statement in "${MYSQL_LOCK[@]}"; do
    if ! mysql_say "$1" $((MYSQL_LOCK_WAIT + 3)) "$statement"; then
      said="\"$statement\": $REPLY"
      mysql_say "$1" 5 "$MYSQL_UNLOCK" || true
      REPLY=$said
      return 1
    fi
  done
}

# Whether a statement runs for so long that the lock would wait for it.
mysql_long_query() {
  mysql_say "$1" 5 "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND IN ('Query', 'Execute')
    AND TIME >= $MYSQL_LONG_QUERY AND ID <> CONNECTION_ID()" && [ "$REPLY" != 0 ]
}

# Sets REPLY to the oldest running statement. Its text stays on the host: it may hold what no log should.
mysql_oldest_query() {
  mysql_say "$1" 5 "SELECT CONCAT('connection ', ID, ' of ', USER, ', running ', LEFT(IFNULL(INFO, '?'), 6), ' for ', TIME, ' s')
    FROM information_schema.PROCESSLIST WHERE COMMAND IN ('Query', 'Execute') AND ID <> CONNECTION_ID() AND USER <> 'system user'
    ORDER BY TIME DESC LIMIT 1" || true
  REPLY=${REPLY:-nothing that the process list shows}
}

# The log position under the lock: what a replica or a point-in-time recovery starts from. Asked for at once, since writers
# wait meanwhile; one of the two that tell it is an error, by version.
mysql_position() {
  local i=$1 line position='' gtid=@@gtid_executed
  if [[ ${APP_NAME[$i]} == MariaDB* ]]; then gtid=@@gtid_binlog_pos; fi
  client_turn
  client_ask "$i" 2 "SHOW MASTER STATUS;"$'\n'"SHOW BINARY LOG STATUS;"$'\n'"SELECT 'gtid', $gtid;"$'\n'"SELECT '$CLIENT_MARK';" || return 0
  local IFS=$'\n'
  set -f
  for line in $REPLY; do
    # The last columns are mostly empty. With an error the client repeats the statement.
    while [[ $line == *$'\t' ]]; do line=${line%$'\t'}; done
    if [[ $line =~ ^[^$'\t']+\.[0-9]+$'\t'[0-9]+ || $line == gtid$'\t'* ]]; then position+="${position:+ }${line//$'\t'/ }"; fi
  done
  set +f
  APP_POSITION[i]=$position
}

# Sets MYSQL to the client with its options for a SOCKET, or FILE:SOCKET; or REPLY to what is missing.
mysql_command() {
  local client
  if ! client=$(command -v mariadb || command -v mysql); then
    REPLY='the client (mysql or mariadb) is not installed'
    return 1
  fi
  MYSQL=("$client")
  if [[ $1 == "$MYSQL_FILE":* ]]; then
    secret_is_safe "$MYSQL_FILE" || return 1
    MYSQL+=("--defaults-file=${FF_ETC:-/etc}/freezeframe/$MYSQL_FILE")
  fi
  MYSQL+=(--socket="${1#"$MYSQL_FILE":}" --protocol=socket --connect-timeout=10 --skip-reconnect --batch --skip-column-names --unbuffered --no-auto-rehash)
}

# Sets REPLY to the last line that statements answer in the session of server I; on failure to the server's first error.
mysql_say() {
  client_turn
  client_ask "$1" "$2" "$3;"$'\n'"SELECT '$CLIENT_MARK';" || return 1
  if [[ $REPLY =~ (^|$'\n')(ERROR\ [0-9][^$'\n']*) ]]; then
    REPLY=${BASH_REMATCH[2]}
    return 1
  fi
  REPLY=${REPLY##*$'\n'}
}

# Sets REPLY to what the server behind a SOCKET, or FILE:SOCKET, says of itself and of our rights; or to why it does not.
mysql_ask() {
  mysql_command "$1" || return 1
  client_once 15 "${MYSQL[@]}" -e "SHOW GLOBAL VARIABLES WHERE Variable_name IN
    ('version', 'version_comment', 'innodb_data_home_dir', 'innodb_log_group_home_dir', 'innodb_undo_directory',
     'log_bin_basename'); SHOW GRANTS" </dev/null && return 0
  REPLY="can't log in: $REPLY"
  return 1
}
