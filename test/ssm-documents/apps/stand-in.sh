#!/bin/bash
# shellcheck shell=bash
# Stand-ins of the clients of engines that can't be had here, one program by many names. The server is a directory,
# $WORLD/server, that outlives them: `locks` (how many hold), `foreign` (somebody else's), `down`, `refuse` (no login),
# `stuck` (a lock is never granted). What each does and refuses is backed by a section of the project's collected facts,
# named beside it (facts/host.md); it is not the real engine.
S=$WORLD/server
has() { [ -e "$S/$1" ]; }
value() { if has "$1"; then cat "$S/$1"; else echo "${2-0}"; fi; }
put() { printf '%s\n' "$2" >"$S/.$BASHPID" && mv -f "$S/.$BASHPID" "$S/$1"; }
drop() { rm -f "$S/$1"; }
locks() { echo $(($(value locks) + $(value foreign))); }
# A password among the words is seen by every user of the host.
case "$*" in *s3cret*) put leaked "$0 $*" ;; esac
echo "${0##*/} $*" >>"$S/calls"
stuck() { while has stuck && ! has killed; do sleep 0.05; done; }

case ${0##*/} in
  # --- MySQL, §1: the lock lives exactly as long as its session; a wait for it ends with 1205; a client that does not
  # reconnect says 2013, then 2006 of a session that was ended; SHOW MASTER STATUS is gone in 8.4.
  mariadb)
    if has down; then
      echo "ERROR 2002 (HY000): Can't connect to local MySQL server through socket '$WORLD/data/socket' (111)"
      exit 1
    fi
    if has refuse && [[ $* != *--defaults-file=* ]]; then
      if [ "$(value refuse)" = locked ]; then
        echo "ERROR 3118 (HY000): Access denied for user 'root'@'localhost'. Account is locked."
      else
        echo "ERROR 1045 (28000): Access denied for user 'root'@'localhost' (using password: NO)"
      fi
      exit 1
    fi
    if [[ $* == *'SHOW GRANTS'* ]]; then
      printf '%s\t%s\n' version "$(value version 8.4.3)" version_comment 'MySQL Community Server - GPL'
      echo "GRANT $(value rights 'RELOAD, PROCESS') ON *.* TO \`root\`@\`localhost\`"
      exit 0
    fi
    statement='' mine='' gone=''
    while IFS= read -r line; do
      if [ "$line" = exit ]; then
        if [ -n "$mine" ]; then drop locks; fi
        exit 0
      fi
      statement+=$line
      if [[ $statement != *';' ]]; then continue; fi
      if [ -n "$gone" ]; then echo 'ERROR 2006 (HY000) at line 9: MySQL server has gone away'; elif has down || [ -n "$mine" ] && ! has locks; then
        echo 'ERROR 2013 (HY000) at line 8: Lost connection to MySQL server during query'
        gone=yes
      else
        case $statement in
          FLUSH*)
            put asked yes
            if has stuck; then
              sleep 0.3
              echo 'ERROR 1205 (HY000) at line 5: Lock wait timeout exceeded; try restarting transaction'
            else
              put locks 1
              mine=yes
              # The server ends what a dead client held; it is out of the client's process group before the lock is granted.
              # shellcheck disable=SC2016 # for that shell
              setsid bash -c ': >"$2.minded"; while kill -0 "$1"; do sleep 0.05; done; rm -f "$2" "$2.minded"' _ "$$" "$S/locks" </dev/null >/dev/null 2>&1 &
              until has locks.minded; do sleep 0.01; done
            fi
            ;;
          UNLOCK*)
            if [ -n "$mine" ]; then drop locks; fi
            mine=''
            ;;
          *CONNECTION_ID\(\)*COUNT* | *COUNT*) value busy ;;
          *CONCAT*) echo 'connection 7 of shop, running SELECT for 9 s' ;;
          *CONNECTION_ID*) echo 4711 ;;
          *'MASTER STATUS'*) printf '%s\n' -------------- "${statement%;}" -------------- "ERROR 1064 (42000) at line 6: You have an error in your SQL syntax near 'MASTER STATUS'" ;;
          *'BINARY LOG STATUS'*) printf 'binlog.000001\t4711\t\t\t\n' ;;
          *gtid_executed*) printf 'gtid\t3e11fa47:1-5\n' ;;
          "SELECT 'freezeframe"*)
            statement=${statement#*\'}
            echo "${statement%\'*}"
            ;;
        esac
      fi
      statement=''
    done
    ;;

  # --- MongoDB, §3: the lock is the server's, with a count; unlocking what is not locked is an error; a locked server may
  # hold up a new login; currentOp tells that it is locked, not by whom.
  mongosh)
    why=''
    while IFS= read -r line; do
      # A shell without a terminal prompts all the same.
      printf 'admin> '
      if [[ $line == *'connect("mongodb'* ]]; then
        if has down; then why='connect ECONNREFUSED 127.0.0.1:27017'; fi
        if has refuse && [[ $line != *'auth("backup", "s3cret\"quote")'* ]]; then why='Command currentOp requires authentication'; fi
      fi
      if [[ ! $line =~ \"freezeframe\"\ \+\ \"(-[0-9]+:)\ yes ]]; then continue; fi
      mark=freezeframe${BASH_REMATCH[1]} answer=''
      if has down; then why=${why:-'connection 1 to 127.0.0.1:27017 closed'}; fi
      if [ -n "$why" ]; then
        echo "$mark no $why"
        continue
      fi
      case $line in
        *getCmdLineOpts*) answer="version 7.0.14|path $WORLD/data|log |cluster $(value cluster '')|role $(value role alone)|locked $([ "$(locks)" -gt 0 ] && echo true || echo false)" ;;
        *killOp*)
          drop waiting
          if [ "$(locks)" -gt 0 ]; then put locks $(($(value locks) - 1)); fi
          answer=1
          ;;
        *'fsync: 1, lock: true'*)
          put waiting yes
          stuck
          drop waiting
          put locks $(($(value locks) + 1))
          answer=$(locks)
          ;;
        *fsyncUnlock*)
          if [ "$(locks)" = 0 ]; then
            echo "$mark no IllegalOperation fsyncUnlock called when not locked"
            continue
          fi
          put locks $(($(value locks) - 1))
          answer=1
          ;;
        *currentOp*) answer=$([ "$(locks)" -gt 0 ] && echo true || echo false) ;;
        *serverStatus*) answer='{"ts":7}' ;;
        *quit*) exit 0 ;;
      esac
      echo "$mark yes $answer"
    done
    ;;

  # --- Oracle, §4: backup mode needs ARCHIVELOG (ORA-01123), is the database's and not the session's, begins once
  # (ORA-01146) and ends once (ORA-01142); V$BACKUP tells.
  sqlplus)
    if has down; then
      printf '%s\n' 'ERROR:' 'ORA-12547: TNS:lost contact' 'SP2-0751: Unable to connect to Oracle.  Exiting SQL*Plus'
      exit 1
    fi
    if has refuse; then
      printf '%s\n' 'ERROR:' 'ORA-01017: invalid username/password; logon denied'
      exit 1
    fi
    while IFS= read -r line; do
      if has down; then
        if [[ $line == prompt* ]]; then echo "${line#prompt }"; else echo 'ORA-03113: end-of-file on communication channel'; fi
        continue
      fi
      case $line in
        prompt*) echo "${line#prompt }" ;;
        exit) exit 0 ;;
        *v\$instance*) printf '%s\n' 'version 19.0.0.0.0' ;;
        "select log_mode"*) echo "$(value mode ARCHIVELOG) PRIMARY READ WRITE $(locks)" ;;
        "select 'mode "*) printf '%s\n' "mode $(value mode ARCHIVELOG)" "role $(value role PRIMARY)" 'open READ WRITE' ;;
        "select 'path "*) printf '%s\n' "path $(value file "$WORLD/data/system01.dbf")" ;;
        "select 'busy "*) echo "busy $(locks)" ;;
        *'begin backup'*)
          stuck
          if [ "$(value mode ARCHIVELOG)" != ARCHIVELOG ]; then echo 'ORA-01123: cannot start online backup; media recovery not enabled'; elif [ "$(locks)" -gt 0 ]; then echo 'ORA-01146: cannot start online backup - file 1 is already in backup'; else put locks 1; fi
          ;;
        *'end backup'*) if [ "$(locks)" = 0 ]; then echo 'ORA-01142: cannot end online backup - none of the files are in backup'; else drop locks; fi ;;
        *v\$backup\ b*) if [ "$(locks)" -gt 0 ]; then echo 0; else echo 4; fi ;;
        *current_scn*) echo 'scn 4711 log 12' ;;
        *sysdate*) echo '2026-11-22 10:00:00' ;;
        *dual*) echo here ;;
      esac
    done
    ;;

  # --- SAP HANA, §6: one prepared snapshot at a time; it belongs to no session and must be closed, also after a failure; a
  # restart invalidates it.
  hdbsql)
    if has down; then
      echo '* -10709: Connection failed (RTE:[89006] System call connect failed, rc=111:Connection refused)' >&2
      exit 43
    fi
    if has refuse; then
      echo '* -10104: Invalid value for KEY (FREEZEFRAME)' >&2
      exit 3
    fi
    for statement; do :; done
    case $statement in
      *M_DATABASE*)
        printf '"%s"\n' 'version 2.00.077.00.1710841167' "path $WORLD/data"
        if [ "$(locks)" -gt 0 ]; then echo '"prepared 1700000000000"'; fi
        ;;
      *'CREATE SNAPSHOT'*)
        stuck
        if [ "$(locks)" -gt 0 ]; then
          echo '* 447: backup could not be completed, snapshot already exists' >&2
          exit 1
        fi
        put locks 1
        put comment "${statement##*COMMENT }"
        ;;
      *'CLOSE SNAPSHOT'*)
        drop locks
        put closed "${statement##*BACKUP_ID }"
        ;;
      *M_BACKUP_CATALOG*) if has locks && [[ $statement == *"$(value comment)" ]]; then echo '"1732270000001"'; fi ;;
    esac
    ;;

  # --- Db2, §6: suspended by a connection, which is to be kept; a new one may hang; after a crash RESTART … WRITE RESUME.
  db2)
    if has down; then
      echo 'SQL1032N  No start database manager command was issued.  SQLSTATE=57019'
      exit 4
    fi
    if has refuse && [[ $* == *connect* || $* == *suspend_io* ]]; then
      echo 'SQL1060N  User "DB2INST1" does not have the CONNECT privilege.'
      exit 4
    fi
    case $* in
      *'list active'*) printf '%s\n' 'Database name                              = SAMPLE' 'Applications connected currently           = 1' "Database path                              = $WORLD/data/" ;;
      *dbpaths*) printf '%s\n' "path $WORLD/data/" "suspended $([ "$(locks)" -gt 0 ] && echo YES || echo NO)" ;;
      *suspend_io*) if [ "$(locks)" -gt 0 ]; then echo YES; else echo NO; fi ;;
      *'write suspend'*)
        stuck
        if [ "$(locks)" -gt 0 ]; then
          echo 'SQL1550N  The SET WRITE SUSPEND command failed.  Reason code = "2".'
          exit 4
        fi
        put locks 1
        ;;
      *'write resume'*) drop locks ;;
    esac
    ;;
  db2pd) echo 'Current Log Number            42' ;;

  # --- InterSystems IRIS, §6: status 5 is yes, 3 is no; no session; `iris stat -W` resumes; instances by `iris qall`.
  iris)
    case $* in
      qall)
        printf '%s\n' '' 'st  conf              version           port   directory' "$(has down && echo dn || echo up)  MAIN              2024.1.0.263.0    1972   $WORLD/data"
        ;;
      *' -W') drop locks ;;
    esac
    ;;
  irissession)
    if has down; then
      echo "Instance 'MAIN' is not running."
      exit 1
    fi
    if has refuse; then
      echo 'Access Denied'
      exit 1
    fi
    case $* in
      *IsWDSuspendedExt*) if [ "$(locks)" -gt 0 ]; then exit 5; else exit 3; fi ;;
      *ExternalFreeze*)
        stuck
        if [ "$(locks)" -gt 0 ]; then exit 3; fi
        put locks 1
        exit 5
        ;;
      *ExternalThaw*)
        drop locks
        exit 5
        ;;
    esac
    ;;

  # --- Cassandra, §6: a flush, no lock.
  nodetool)
    if has down; then
      echo "nodetool: Failed to connect to '127.0.0.1:7199' - ConnectException: 'Connection refused (Connection refused)'."
      exit 1
    fi
    if has refuse && [[ $* != *-pwf* ]]; then
      echo "nodetool: Failed to connect to '127.0.0.1:7199' - SecurityException: 'Authentication failed! Credentials required'."
      exit 1
    fi
    case $* in
      *version) echo 'ReleaseVersion: 4.1.7' ;;
      *flush)
        stuck
        put flushed yes
        ;;
    esac
    ;;

  # --- Elasticsearch, OpenSearch, §6: a flush, no lock.
  curl)
    config=$(cat)
    if has down; then
      echo 'curl: (7) Failed to connect to localhost port 9200 after 0 ms: Connection refused' >&2
      exit 7
    fi
    if has refuse && [[ $config != *'user = "backup:s3cret\"quote"'* ]]; then
      echo 'curl: (22) The requested URL returned error: 401' >&2
      exit 22
    fi
    case $* in
      *_nodes*) echo "{\"nodes\":{\"x\":{\"version\":\"8.15.0\",\"settings\":{\"path\":{\"data\":[\"$WORLD/data\"]}}}}}" ;;
      *_flush*)
        stuck
        put flushed yes
        echo '{"_shards":{"failed":0}}'
        ;;
    esac
    ;;

  # --- SQL Server, §5: suspended by one session, which the view names; ON when suspended, OFF when not, are refused. What a
  # lost session leaves is not documented: `outlives` plays the worse of the two.
  sqlcmd)
    if [[ $* == *'-?'* ]]; then
      echo '[-C Trust Server Certificate]'
      exit 0
    fi
    if has down; then
      echo 'Sqlcmd: Error: Microsoft ODBC Driver 18 for SQL Server : Login timeout expired.'
      exit 1
    fi
    if has refuse || [ "${SQLCMDPASSWORD:-}" != 's3cret"quote' ]; then
      echo "Sqlcmd: Error: Microsoft ODBC Driver 18 for SQL Server : Login failed for user 'backup'.."
      exit 1
    fi
    spid=$((51 + $(value spids)))
    put spids $((spid - 50))
    if ! has outlives; then trap '[ "$(value owner)" != "$spid" ] || drop locks' EXIT; fi
    batch=''
    while IFS= read -r line; do
      if [ "$line" = exit ]; then exit 0; fi
      if [ "$line" != GO ]; then
        batch+=$line
        continue
      fi
      if has down && [[ $batch != PRINT* ]]; then
        echo 'Sqlcmd: Error: Microsoft ODBC Driver 18 for SQL Server : Communication link failure.'
        exit 1
      fi
      case $batch in
        PRINT*)
          batch=${batch#"PRINT 'freezeframe' + '"}
          echo "freezeframe${batch%\'}"
          ;;
        *ProductVersion*) printf '%s\n' "version $(value version 16.0.4145.4)" "path $WORLD/data/master.mdf" ;;
        *"'suspended '"*) echo "suspended $(locks)" ;;
        *'= OFF'*) if [ "$(locks)" -gt 0 ]; then drop locks; elif [[ $batch != 'IF EXISTS'* ]]; then printf '%s\n' 'Msg 3917, Level 16, State 1, Server x, Line 1' 'The server is not suspended for snapshot backup.'; fi ;;
        *'= ON'*)
          stuck
          if [ "$(locks)" -gt 0 ]; then printf '%s\n' 'Msg 3911, Level 16, State 1, Server x, Line 1' 'The server is already suspended for snapshot backup.'; else
            put locks 1
            put owner "$spid"
          fi
          ;;
        *"'held'"*) if has locks && [ "$(value owner)" = "$spid" ]; then echo held; else echo lost; fi ;;
        *@@SPID*) echo "$spid $(locks)" ;;
        *redo_start_lsn*) echo 'shop 42000000012300001' ;;
      esac
      batch=''
    done
    ;;

  # --- The host's own.
  runuser)
    shift 3
    exec "$@"
    ;;
  getent) echo "x:x:0:0::$WORLD/home:/bin/bash" ;;
esac
