#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2154
# MySQL 5.7 to 8.4, Percona Server, MariaDB.
#
# The lock lives exactly as long as the session that took it, so the session is held open on two FIFOs until the thaw.
# MariaDB 10.4 and newer: BACKUP STAGE BLOCK_COMMIT; MySQL: FLUSH TABLES WITH READ LOCK, which stops DDL too, so that LOCK
# INSTANCE FOR BACKUP and the right it takes are not needed. Lock waits are short and repeated: a lock that waits makes
# every later statement queue behind it.

MYSQL_IN=() MYSQL_OUT=() MYSQL_PID=() MYSQL_CONNECTION=() MYSQL_SENTINEL=0
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
  local i=$1 pid=$2 answer key value version='' comment='' grants='' directory='' mounts=''
  APP_STOPS[i]=1
  # The server works in its data directory.
  directory_of "$pid"
  if app_contained "$i" "$pid" "$REPLY"; then return; fi
  if [ -z "${APP_REF[$i]}" ]; then
    APP_PROBLEM[i]="process $pid has no Unix socket; set one with --socket"
    return
  fi
  # As root by the socket; where that is refused, as the user in our own file.
  if ! mysql_ask "${APP_REF[$i]}"; then
    if [ ! -e "$MYSQL_FILE" ]; then
      APP_PROBLEM[i]="$REPLY; give root the socket, or put a user with RELOAD into $MYSQL_FILE"
      return
    fi
    APP_REF[i]="$MYSQL_FILE:${APP_REF[$i]}"
    if ! mysql_ask "${APP_REF[$i]}"; then
      APP_PROBLEM[i]="$MYSQL_FILE: $REPLY"
      return
    fi
  fi
  answer=$REPLY
  while IFS=$'\t' read -r key value; do
    case $key in
      version) version=$value ;;
      version_comment) comment=$value ;;
      datadir)
        directory=${value%/}
        add_mount "$directory"
        ;;
      log_bin_basename) if [ -n "$value" ]; then add_mount "${value%/*}"; fi ;;
      innodb_*) case $value in /*) add_mount "$value" ;; esac ;;
      GRANT*) grants+="$key " ;;
    esac
  done < <(printf '%s\n' "$answer")
  case "$version $comment" in
    *[Mm]aria*) APP_NAME[i]="MariaDB ${version%%-*}" ;;
    *Percona*) APP_NAME[i]="Percona Server ${version%%-*}" ;;
    *) APP_NAME[i]="MySQL ${version%%-*}" ;;
  esac
  APP_DIR[i]=$directory APP_MOUNTS[i]=$mounts
  case $grants in
    *"ALL PRIVILEGES ON *.*"* | *RELOAD*" ON *.*"* | *FLUSH_TABLES*) APP_READY[i]=1 ;;
    *) APP_PROBLEM[i]="the user lacks the right RELOAD: GRANT RELOAD, PROCESS, REPLICATION CLIENT ON *.* TO it" ;;
  esac
}

# Sets REPLY to what the server behind a SOCKET, or FILE:SOCKET, says of itself and of our rights; or to why it does not.
mysql_ask() {
  local answer
  mysql_command "$1" || return 1
  if answer=$(timeout -k 1 10 "${MYSQL[@]}" -e "SHOW GLOBAL VARIABLES WHERE Variable_name IN
    ('version', 'version_comment', 'datadir', 'innodb_data_home_dir', 'innodb_log_group_home_dir', 'innodb_undo_directory',
     'log_bin_basename'); SHOW GRANTS" 2>&1 </dev/null); then
    REPLY=$answer
    return 0
  fi
  answer=${answer##*$'\n'}
  REPLY="can't log in: ${answer:-no answer within 10 s}"
  return 1
}

# Sets MYSQL to the client with its options for a SOCKET, or FILE:SOCKET; or REPLY to what is missing.
MYSQL_FILE=/etc/freezeframe/mysql.cnf
mysql_command() {
  local client
  client=$(command -v mariadb || command -v mysql) || {
    REPLY="the client (mysql or mariadb) is not installed"
    return 1
  }
  MYSQL=("$client")
  if [[ $1 == "$MYSQL_FILE":* ]]; then
    case $(stat -L -c '%u %a' "$MYSQL_FILE") in
      '0 600' | '0 400') MYSQL+=("--defaults-file=$MYSQL_FILE") ;;
      *)
        REPLY="it must belong to root with mode 0600"
        return 1
        ;;
    esac
  fi
  MYSQL+=(--socket="${1##*:}" --protocol=socket --connect-timeout=5 --skip-reconnect --batch --skip-column-names --unbuffered --no-auto-rehash)
}

mysql_freeze() {
  local i=$1 lock=() version=${APP_NAME[$1]##* } major statement long=''
  mysql_open "$i" || return 1
  if ! mysql_say "$i" 5 "SET SESSION lock_wait_timeout=$MYSQL_LOCK_WAIT, SESSION wait_timeout=3600" ||
    ! mysql_say "$i" 5 'SELECT CONNECTION_ID()'; then
    fault ApplicationRefused "${APP_NAME[$i]}: $REPLY"
    return 1
  fi
  MYSQL_CONNECTION[i]=$REPLY
  major=${version%%.*}
  case ${APP_NAME[$i]} in
    MariaDB*)
      if [ "$major" -gt 10 ] || [[ $version =~ ^10\.([4-9]|1[01])\. ]]; then
        lock=('BACKUP STAGE START' 'BACKUP STAGE BLOCK_COMMIT')
        MYSQL_UNLOCK[i]='BACKUP STAGE END'
      else
        lock=('FLUSH TABLES WITH READ LOCK')
        MYSQL_UNLOCK[i]='UNLOCK TABLES'
      fi
      ;;
    *)
      lock=('FLUSH TABLES WITH READ LOCK')
      MYSQL_UNLOCK[i]='UNLOCK TABLES'
      # A flush that waits for a long SELECT keeps every later statement on its tables waiting, even after it gave up.
      long=yes
      ;;
  esac
  while :; do
    if [ -z "$long" ] || ! mysql_long_query "$i"; then
      mark_stalled
      for statement in "${lock[@]}"; do
        mysql_say "$i" $((MYSQL_LOCK_WAIT + 3)) "$statement" || break
      done
      if [ "$MYSQL_ERROR" = '' ]; then break; fi
      if [[ $MYSQL_ERROR != *1205* ]]; then
        fault ApplicationRefused "${APP_NAME[$i]} refused \"$statement\": $MYSQL_ERROR"
        return 1
      fi
      mysql_say "$i" 5 "${MYSQL_UNLOCK[$i]}" || true
    fi
    now_cs
    if [ $((REPLY + MYSQL_LOCK_WAIT * 100)) -ge "$WITHIN_AT" ] || is_buried "$RUN"; then
      mysql_oldest_query "$i"
      fault LockTimeout "${APP_NAME[$i]} did not grant its lock in time; in its way: $REPLY. End it, or back up when it is done"
      return 1
    fi
    sleep 0.3
  done
  mysql_position "$i"
}

# On the very session that took the lock: the server drops the lock with the session, and the client never reconnects.
mysql_held() {
  if [ -z "${MYSQL_CONNECTION[$1]:-}" ]; then return 1; fi
  mysql_say "$1" 5 'SELECT CONNECTION_ID()' && [ "$REPLY" = "${MYSQL_CONNECTION[$1]}" ]
}

mysql_thaw() {
  local i=$1 tries=0
  if [ -z "${MYSQL_PID[$i]:-}" ]; then return 0; fi
  if [ -n "${MYSQL_UNLOCK[$i]:-}" ]; then mysql_say "$i" 5 "${MYSQL_UNLOCK[$i]}" || true; fi
  printf 'exit\n' >&"${MYSQL_IN[$i]}" || true
  # Whatever the server does, the lock goes with the client.
  while kill -0 "${MYSQL_PID[$i]}" 2>/dev/null && [ "$tries" -lt 20 ]; do
    sleep 0.02
    tries=$((tries + 1))
  done
  kill -9 "${MYSQL_PID[$i]}" 2>/dev/null || true
  MYSQL_PID[i]='' MYSQL_CONNECTION[i]=''
}

MYSQL_UNLOCK=()

# Starts the client of server I on FIFOs that only we hold open: it ends when we do.
mysql_open() {
  local i=$1 in=$((20 + 2 * $1)) out=$((21 + 2 * $1)) path=$ACTIVE/mysql-$1
  mysql_command "${APP_REF[$i]}" || {
    fault ApplicationRefused "$REPLY"
    return 1
  }
  mkfifo "$path.in" "$path.out" && eval "exec $in<>\"\$path.in\" $out<>\"\$path.out\"" || return 1
  # --force: an error must not end the session, and the lock with it.
  (spawn "${MYSQL[@]}" --force) <"$path.in" >"$path.out" 2>&1 &
  MYSQL_PID[i]=$! MYSQL_IN[i]=$in MYSQL_OUT[i]=$out HEARD[out]=''
}

# Says statements on the session of server I and waits for the end of what it answers, SECONDS at most. Sets REPLY to
# the last line; on failure REPLY and MYSQL_ERROR to the server's words.
mysql_say() {
  local i=$1 seconds=$2 last='' deadline left
  MYSQL_ERROR=''
  MYSQL_SENTINEL=$((MYSQL_SENTINEL + 1))
  printf "%s;\\nSELECT 'freezeframe-%d';\\n" "$3" "$MYSQL_SENTINEL" >&"${MYSQL_IN[$i]}"
  now_cs
  deadline=$((REPLY + seconds * 100))
  while :; do
    now_cs
    left=$((deadline - REPLY))
    if [ "$left" -le 0 ]; then
      MYSQL_ERROR="no answer to \"$3\" within $seconds s"
      break
    fi
    printf -v left '%d.%02d' $((left / 100)) $((left % 100))
    if ! hear "${MYSQL_OUT[$i]}" "$left"; then continue; fi
    case $LINE in
      "freezeframe-$MYSQL_SENTINEL") break ;;
      freezeframe-*) last='' ;;
      ERROR\ [0-9]*)
        if [ -z "$MYSQL_ERROR" ]; then MYSQL_ERROR=$LINE; fi
        # The session is gone; there will be no end of the answer.
        if [[ $LINE =~ ERROR\ (2002|2003|2006|2013|1045|1698|1040|1927) ]]; then break; fi
        ;;
      *) last=$LINE ;;
    esac
  done
  REPLY=${MYSQL_ERROR:-$last}
  [ -z "$MYSQL_ERROR" ]
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
  if [ -z "$REPLY" ]; then REPLY='nothing that the process list shows'; fi
}

# The log position under the lock: what a replica or a point-in-time recovery starts from.
mysql_position() {
  local i=$1 position='' gtid=''
  if mysql_say "$i" 2 'SHOW MASTER STATUS' || mysql_say "$i" 2 'SHOW BINARY LOG STATUS'; then position=${REPLY//$'\t'/ }; fi
  # The last columns are mostly empty.
  while [[ $position == *' ' ]]; do position=${position% }; done
  case ${APP_NAME[$i]} in
    MariaDB*) if mysql_say "$i" 2 'SELECT @@gtid_binlog_pos'; then gtid=$REPLY; fi ;;
    *) if mysql_say "$i" 2 'SELECT @@gtid_executed'; then gtid=$REPLY; fi ;;
  esac
  APP_POSITION[i]="$position${gtid:+ gtid $gtid}"
  MYSQL_ERROR=''
}
