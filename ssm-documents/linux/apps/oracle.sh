#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# Oracle Database 11g to 23ai, one application for each instance (SID), by OS authentication as the owner of its processes.
#
# Backup mode is a state of the database, not of a session: it stops no writer, and a dead keeper leaves it on. What it
# gives is that recovery knows where to begin. One session is held from before the freeze, for a login of SYSDBA writes an
# audit file, on a disk that may be frozen.

ORACLE_BARE=''

oracle_detect() {
  local pid sid comm
  pids_of 'ora_pmon_*'
  for pid in ${PIDS[@]+"${PIDS[@]}"}; do
    { IFS= read -r comm <"${FF_PROC:-/proc}/$pid/comm"; } 2>/dev/null || continue
    # A long SID does not fit into comm.
    words_of "$pid" cmdline
    sid=${REPLY%%$'\n'*}
    if [[ $sid != ora_pmon_* ]]; then sid=$comm; fi
    app_found oracle "Oracle ${sid#ora_pmon_}" "$pid"
    oracle_describe "$REPLY" "$pid"
  done
}

oracle_describe() {
  local i=$1 kind value mode='' role='' open='' busy='' asm=''
  if app_contained "$i" "$2" /opt/oracle/oradata; then return; fi
  if ! oracle_command "$2"; then
    APP_PROBLEM[i]=$REPLY
    return
  fi
  if ! oracle_ask "select 'version '||version from v\$instance;
select 'mode '||log_mode||chr(10)||'role '||database_role||chr(10)||'open '||open_mode from v\$database;
select 'path '||name from v\$datafile; select 'path '||member from v\$logfile; select 'path '||name from v\$controlfile;
select 'busy '||count(*) from v\$backup where status = 'ACTIVE';"; then
    APP_PROBLEM[i]=$REPLY
    return
  fi
  while read -r kind value; do
    case $kind in
      version) APP_NAME[i]="Oracle $value (${APP_NAME[$i]#Oracle })" ;;
      mode) mode=$value ;;
      role) role=$value ;;
      open) open=$value ;;
      busy) busy=$value ;;
      path)
        if [[ $value == +* ]]; then asm=$value; fi
        if [[ $value == /* ]]; then
          app_lies_on "$i" "$value"
          APP_DIR[i]=${APP_DIR[$i]:-${value%/*}}
        fi
        ;;
    esac
  done < <(printf '%s\n' "$REPLY")
  APP_DIR[i]=${APP_DIR[$i]:-${asm:-${APP_NAME[$i]}}}
  if [ "${busy:-0}" != 0 ]; then
    APP_PROBLEM[i]="$busy data files are in somebody else's backup (V\$BACKUP is ACTIVE); wait for it, or ALTER DATABASE END BACKUP"
    return
  fi
  APP_READY[i]=1
  # Without backup mode the set is what a power failure leaves: instance recovery opens it.
  if [ "$mode" != ARCHIVELOG ]; then
    APP_PROVABLE[i]=0 APP_NAME[i]+=" (NOARCHIVELOG: no backup mode)"
  elif [ "$role" != PRIMARY ] || [[ $open != 'READ WRITE'* ]]; then
    APP_PROVABLE[i]=0 APP_NAME[i]+=" (${role:-?}, ${open:-not open}: no backup mode)"
  elif [ -n "$asm" ]; then
    APP_PROVABLE[i]=0 APP_NAME[i]+=" (ASM $asm: no file system to freeze)"
  fi
}

oracle_freeze() {
  local i=$1
  if ! oracle_command "${APP_REF[$i]}"; then
    app_refuses "$i" ": $REPLY"
    return
  fi
  client_open "$i" "${ORACLE[@]}" || return 1
  if ! oracle_say "$i" 15 "$ORACLE_SETTINGS
select log_mode||' '||database_role||' '||open_mode||' '||(select count(*) from v\$backup where status = 'ACTIVE') from v\$database;"; then
    app_refuses "$i" ": $REPLY"
    return
  fi
  case $REPLY in
    'ARCHIVELOG PRIMARY READ WRITE 0') ;;
    'ARCHIVELOG PRIMARY READ WRITE '*)
      app_refuses "$i" " is in somebody else's backup mode; wait for it, or ALTER DATABASE END BACKUP"
      return
      ;;
    *)
      note "${APP_NAME[$i]} has no backup mode; a restore opens it by instance recovery"
      ORACLE_BARE=yes
      oracle_position "$i"
      return 0
      ;;
  esac
  taken_mark "$i" || return 1
  seconds_left
  if ! oracle_say "$i" "$REPLY" 'alter system archive log current;
alter database begin backup;' waits; then
    if [ -n "$CLIENT_STATUS" ]; then
      # One file may be in backup mode and the next refused: the end is the same for all.
      app_refuses "$i" " refused backup mode: $REPLY"
    else
      app_keeps_waiting "$i" "did not come to backup mode in time; its checkpoint takes longer than that"
    fi
    return 1
  fi
  oracle_position "$i"
}

# Backup mode of every data file, told by the session that began it. Asked only at the release: what SYSDBA does may be
# audited to a frozen disk.
oracle_held() {
  if [ "${2:-}" = idle ]; then return 0; fi
  if [ -n "$ORACLE_BARE" ]; then
    oracle_say "$1" 2 "select 'here' from dual;" && [ "$REPLY" = here ]
    return
  fi
  is_taken "$1" || return 1
  oracle_say "$1" 2 "select count(*) from v\$backup b join v\$datafile d on d.file# = b.file# where b.status <> 'ACTIVE' and d.enabled = 'READ WRITE' and d.status in ('ONLINE', 'SYSTEM');" && [ "$REPLY" = 0 ]
}

oracle_thaw() {
  # For RECOVER … SNAPSHOT TIME (12c): any moment after the set was taken, in the database's time zone.
  if [ "${THAWED_BY:-}" = asked ] && oracle_say "$1" 2 "select to_char(sysdate, 'YYYY-MM-DD HH24:MI:SS') from dual;"; then
    note "${APP_NAME[$1]}: released after SNAPSHOT TIME '$REPLY'"
  fi
  if is_taken "$1" && oracle_say "$1" 8 'alter database end backup;'; then
    taken_forget "$1"
    # The redo up to the end of the backup, which a recovery needs, goes to the archive.
    oracle_say "$1" 2 'alter system archive log current;' || true
  fi
  client_end "$1" exit
  if is_taken "$1"; then oracle_take_back "$1"; fi
}

# Ended once it is ended for all; an error says that it was.
oracle_take_back() {
  if ! is_taken "$1" || ! oracle_command "${APP_REF[$1]}"; then return 0; fi
  if oracle_ask 'alter database end backup;' || [[ $REPLY == *ORA-01142* ]]; then taken_forget "$1"; fi
}

ORACLE_SETTINGS='set heading off feedback off pagesize 0 linesize 1000 trimout on tab off echo off verify off define off sqlprompt ""'

# Sets ORACLE to sqlplus for the instance of a pmon process, as its owner.
oracle_command() {
  local owner home sid
  owner_of "$1"
  owner=$REPLY
  if [ -z "$owner" ] || ! variable_of "$1" ORACLE_HOME; then
    REPLY="the process $1 and its ORACLE_HOME can't be read: it has ended"
    return 1
  fi
  home=$REPLY
  variable_of "$1" ORACLE_SID || true
  sid=$REPLY
  if ! [ -x "$home/bin/sqlplus" ]; then
    REPLY="the client $home/bin/sqlplus is not installed"
    return 1
  fi
  ORACLE=(runuser -u "$owner" -- env "ORACLE_HOME=$home" "ORACLE_SID=$sid" "LD_LIBRARY_PATH=$home/lib" NLS_LANG=AMERICAN_AMERICA
    "$home/bin/sqlplus" -S -L / as sysdba)
}

# Sets REPLY to what statements answer in the session of instance I, or to the first error.
oracle_say() {
  client_turn
  client_ask "$1" "$2" "$3
prompt $CLIENT_MARK done" "${4:-}" && ! oracle_failed "$REPLY"
}

# The same in a client of its own.
oracle_ask() {
  client_once 15 "${ORACLE[@]}" < <(printf '%s\n' "$ORACLE_SETTINGS" "$1" 'prompt freezeframe: done' exit) || true
  local why=$REPLY
  if oracle_failed "$CLIENT_SAID"; then return 1; fi
  REPLY=${CLIENT_SAID%%$'\n'freezeframe:*}
  if [[ $CLIENT_SAID == *freezeframe:* ]]; then return 0; fi
  REPLY="can't log in: $why"
  return 1
}

# Whether an answer has an error; sets REPLY to the first one, or leaves the answer in it.
oracle_failed() {
  if [[ $1 =~ (ORA-[0-9]+|SP2-[0-9]+)[^$'\n']* ]]; then REPLY=${BASH_REMATCH[0]}; else
    REPLY=$1
    return 1
  fi
}

# Where recovery may end, and the newest redo.
oracle_position() {
  if oracle_say "$1" 2 "select 'scn '||current_scn||' log '||(select max(sequence#) from v\$log where status = 'CURRENT') from v\$database;"; then
    APP_POSITION[$1]=$REPLY
  fi
}
