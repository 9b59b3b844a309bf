#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# IBM Db2 10.5 to 12.1, one application for each active database, as the owner of its instance.
#
# Write suspend stops all writes of the database, the log's too. It outlives its connection, and while it holds a new
# connection may hang: the one that suspended is kept, in a shell of the instance's owner, and resumes.

db2_detect() {
  local pid owner name path why
  pids_of db2sysc
  for pid in ${PIDS[@]+"${PIDS[@]}"}; do
    owner_of "$pid"
    owner=$REPLY
    if [[ ! $owner =~ ^[a-z_][a-z0-9_-]*$ ]]; then continue; fi
    if ! db2_ask "$owner" 'db2 list active databases'; then
      why=$REPLY
      app_found db2 "Db2 ($owner)" "$owner:"
      APP_PROBLEM[REPLY]="as $owner: $why"
      app_contained "$REPLY" "$pid" /database || true
      continue
    fi
    while read -r name; do
      case $name in
        'Database name'*) path=${name##* } ;;
        'Database path'*)
          app_found db2 "Db2 $path ($owner)" "$owner:$path"
          db2_describe "$REPLY" "$pid" "${name##* }"
          ;;
      esac
    done < <(printf '%s\n' "$REPLY")
  done
}

db2_describe() {
  local i=$1 owner=${APP_REF[$1]%%:*} name=${APP_REF[$1]#*:} line suspended=''
  APP_STOPS[i]=1 APP_DIR[i]=${3%/}
  if app_contained "$i" "$2" /database; then return; fi
  app_lies_on "$i" "$3"
  if [[ ! $name =~ ^[A-Za-z0-9_@#\$]{1,8}$ ]]; then
    APP_PROBLEM[i]="its name can't be told"
    return
  fi
  if ! db2_ask "$owner" "db2 -o- connect to $name; db2 -x \"select 'path ' || path from sysibmadm.dbpaths union all select 'suspended ' || value from sysibmadm.dbcfg where name = 'suspend_io'\""; then
    APP_PROBLEM[i]=$REPLY
    return
  fi
  while read -r line; do
    case $line in
      'path '/*) app_lies_on "$i" "${line#path }" ;;
      'suspended '*) suspended=${line#suspended } ;;
    esac
  done < <(printf '%s\n' "$REPLY")
  if [[ $suspended == YES* ]]; then
    APP_PROBLEM[i]="its writes are suspended by somebody else; wait for that backup, or SET WRITE RESUME FOR DATABASE"
    return
  fi
  APP_READY[i]=1
}

db2_freeze() {
  local i=$1 owner=${APP_REF[$1]%%:*} name=${APP_REF[$1]#*:}
  if ! db2_command "$owner"; then
    app_refuses "$i" ": $REPLY"
    return
  fi
  client_open "$i" "${DB2[@]}" || return 1
  if ! db2_say "$i" 15 ". ~/sqllib/db2profile && db2 -o- connect to $name" ||
    ! db2_say "$i" 5 "db2 -x \"select value from sysibmadm.dbcfg where name = 'suspend_io'\""; then
    app_refuses "$i" ": $REPLY"
    return
  fi
  if [[ $REPLY != NO* ]]; then
    app_refuses "$i" " is suspended by somebody else's backup; wait for it, or SET WRITE RESUME FOR DATABASE"
    return
  fi
  taken_mark "$i" || return 1
  mark_stalled
  seconds_left
  if ! db2_say "$i" "$REPLY" 'db2 set write suspend for database' waits; then
    if [ -n "$CLIENT_STATUS" ]; then
      taken_forget "$i"
      app_refuses "$i" " refused to suspend its writes: $REPLY"
    else
      app_keeps_waiting "$i" "did not suspend its writes in time"
    fi
    return 1
  fi
  if db2_say "$i" 2 "db2pd -db $name -logs | grep -i 'current lsn\\|current log number'"; then APP_POSITION[i]=${REPLY//$'\n'/ }; fi
}

# Asked only at the release: a query may wait for the pages that may not be written.
db2_held() {
  if [ "${2:-}" = idle ]; then return 0; fi
  is_taken "$1" && db2_say "$1" 2 "db2 -x \"select value from sysibmadm.dbcfg where name = 'suspend_io'\"" && [[ $REPLY == YES* ]]
}

db2_thaw() {
  if is_taken "$1" && db2_say "$1" 5 'db2 set write resume for database'; then taken_forget "$1"; fi
  client_end "$1" exit
  if is_taken "$1"; then db2_take_back "$1"; fi
}

# A new connection may hang; RESTART is what the makers give for a database whose connection is lost.
db2_take_back() {
  local owner=${APP_REF[$1]%%:*} name=${APP_REF[$1]#*:}
  if ! is_taken "$1"; then return 0; fi
  if db2_ask "$owner" "db2 -o- connect to $name && db2 set write resume for database" ||
    db2_ask "$owner" "db2 restart database $name write resume"; then
    taken_forget "$1"
  fi
}

# Sets DB2 to a shell of the instance's owner, which keeps one connection for all that is run in it.
db2_command() {
  local home
  home=$(getent passwd "$1" | cut -d: -f6) || home=''
  if ! [ -r "$home/sqllib/db2profile" ]; then
    REPLY="the client (sqllib of $1) is not installed"
    return 1
  fi
  DB2=(runuser -u "$1" -- env "HOME=$home" bash --norc --noprofile)
}

# Sets REPLY to what a command of the owner's shell prints; fails when it ends with 4 or more, as db2 does on errors.
db2_say() {
  client_turn
  client_ask "$1" "$2" "$3; echo \"freezeframe\"\"${CLIENT_MARK#freezeframe} \$?\"" "${4:-}" || return 1
  [ "${CLIENT_STATUS:-8}" -lt 4 ]
}

# The same in a shell of its own. On failure REPLY says why.
db2_ask() {
  db2_command "$1" || return 1
  client_once 15 "${DB2[@]}" < <(printf '%s\n' '. ~/sqllib/db2profile' "$2" '[ $? -lt 4 ]') && return 0
  REPLY="can't be asked: $REPLY"
  return 1
}
