#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# MongoDB 4.4 to 8.
#
# The fsync lock is the server's, with a count: it outlives the client, so a dead keeper's lock is taken back by a new one.
# One session is held all the same, since a login may wait for the lock. A server that is locked already belongs to
# somebody else's backup, and its count is left alone.

MONGODB_FILE=mongodb.conf

mongodb_detect() {
  local pid
  pids_of mongod
  for pid in ${PIDS[@]+"${PIDS[@]}"}; do
    addresses_of "$pid"
    app_found mongodb MongoDB "${REPLY%% *}"
    mongodb_describe "$REPLY" "$pid"
  done
}

mongodb_describe() {
  local i=$1 key value version='' role='' locked='' cluster=''
  APP_STOPS[i]=1
  if app_contained "$i" "$2" /data/db; then return; fi
  if [ -z "${APP_REF[$i]}" ]; then
    APP_PROBLEM[i]="process $2 listens on no TCP port"
    return
  fi
  # shellcheck disable=SC2016 # JavaScript
  if ! mongodb_ask "${APP_REF[$i]}" '(function () { var o = ok(db.adminCommand({getCmdLineOpts: 1})).parsed; var h = ok(db.adminCommand({hello: 1})); var s = o.storage || {}; return ["version " + db.version(), "path " + (s.dbPath || "/data/db"), "log " + ((o.systemLog || {}).path || ""), "cluster " + ((o.sharding || {}).clusterRole || ""), "role " + (h.setName ? (h.secondary ? "secondary" : "primary") : "alone"), "locked " + Boolean(ok(db.adminCommand({currentOp: 1})).fsyncLock)].join("|") })()'; then
    APP_PROBLEM[i]=$REPLY
    return
  fi
  while read -r key value; do
    case $key in
      version) version=$value ;;
      path)
        APP_DIR[i]=${value%/}
        # Journal and databases may be links to other disks.
        app_lies_in "$i" "$value"
        ;;
      cluster) cluster=$value ;;
      role) role=$value ;;
      locked) locked=$value ;;
    esac
  done < <(printf '%s\n' "${REPLY//|/$'\n'}")
  APP_NAME[i]="MongoDB $version"
  if [ "$locked" = true ]; then
    APP_PROBLEM[i]="somebody else's fsync lock holds the server; wait for that backup, or end it with db.fsyncUnlock()"
    return
  fi
  APP_READY[i]=1
  case $role in
    # A locked primary may be stepped down, and its clients wait.
    primary) APP_NAME[i]+=" (primary; back up a secondary rather)" ;;
    secondary) APP_NAME[i]+=" (secondary)" ;;
  esac
  if [ -n "$cluster" ]; then
    APP_PROVABLE[i]=0
    APP_NAME[i]+=" ($cluster: one shard alone is no backup of a cluster)"
  fi
}

mongodb_freeze() {
  local i=$1
  if ! mongodb_command || ! mongodb_login "${APP_REF[$i]}"; then
    app_refuses "$i" ": $REPLY"
    return
  fi
  local login=$REPLY
  client_open "$i" env "HOME=$ACTIVE" "${MONGODB[@]}" || return 1
  # The connection is made by what is read, so that no secret is in the list of processes.
  client_tell "$i" "$login" || true
  if ! mongodb_say "$i" 10 'Boolean(ok(db.adminCommand({currentOp: 1})).fsyncLock)'; then
    app_refuses "$i" ": $REPLY"
    return
  fi
  if [ "$REPLY" != false ]; then
    app_refuses "$i" " is locked by somebody else's backup; wait for it, or end it with db.fsyncUnlock()"
    return
  fi
  taken_mark "$i" || return 1
  mark_stalled
  seconds_left
  if ! mongodb_say "$i" "$REPLY" "Number(ok(db.adminCommand({fsync: 1, lock: true, comment: \"freezeframe $RUN\"})).lockCount)" waits; then
    # Refused at once it took nothing; else the lock may still come, and is undone like one that did.
    if [ "$CLIENT_STATUS" = no ]; then
      taken_forget "$i"
      app_refuses "$i" " refused the fsync lock: $REPLY"
    else
      app_keeps_waiting "$i" "did not grant its fsync lock in time; see its long operations with db.currentOp()"
    fi
    return 1
  fi
  if [ "$REPLY" != 1 ]; then
    app_refuses "$i" " was locked by somebody else at the same moment; its lock is left alone"
    return
  fi
  if mongodb_say "$i" 2 'JSON.stringify(((db.serverStatus().repl || {}).lastWrite || {}).opTime || "")'; then APP_POSITION[i]=$REPLY; fi
}

# The server tells whether it is locked, not by whom. Asked only at the release: an audit log may lie on a frozen disk.
mongodb_held() {
  if [ "${2:-}" = idle ]; then return 0; fi
  if ! is_taken "$1" || ! mongodb_say "$1" 2 'Boolean(ok(db.adminCommand({currentOp: 1})).fsyncLock)'; then return 1; fi
  if [ "$REPLY" = true ]; then return 0; fi
  # Whoever holds it next is not us.
  taken_forget "$1"
  return 1
}

mongodb_thaw() {
  if is_taken "$1" && mongodb_say "$1" 5 'ok(db.adminCommand({fsyncUnlock: 1})).ok'; then taken_forget "$1"; fi
  client_end "$1" 'quit()'
  # A lock that had not been granted yet comes when its waiter's turn comes.
  if is_taken "$1"; then mongodb_take_back "$1"; fi
}

# Exactly one lock is ours. A lock still waited for is ended as an operation.
mongodb_take_back() {
  if ! is_taken "$1"; then return 0; fi
  # shellcheck disable=SC2016 # JavaScript
  if mongodb_ask "${APP_REF[$1]}" '(function () { var c = ok(db.adminCommand({currentOp: 1})); c.inprog.forEach(function (o) { if (o.command && o.command.comment === "freezeframe '"$RUN"'") { db.adminCommand({killOp: 1, op: o.opid}) } }); return c.fsyncLock ? ok(db.adminCommand({fsyncUnlock: 1})).ok : 1 })()'; then taken_forget "$1"; fi
}

# Sets MONGODB to the client.
mongodb_command() {
  local client
  if ! client=$(command -v mongosh || command -v mongo); then
    REPLY='the client (mongosh or mongo) is not installed'
    return 1
  fi
  MONGODB=("$client" --quiet --norc --nodb)
}

# Sets REPLY to the JavaScript that connects to the server at an ADDRESS: as nobody, with user and password, or by a
# whole URI of the file's, if one of them names this port.
mongodb_login() {
  local address=$1 line uri user password source login
  login="db = connect(\"mongodb://$address/admin?directConnection=true\").getSiblingDB(\"admin\")"
  if secret_exists "$MONGODB_FILE"; then
    if ! secret_is_safe "$MONGODB_FILE"; then return 1; fi
    while read -r line; do
      if [[ $line =~ ^uri\ *=\ *(mongodb://.*:${address##*:}([/?].*|$)) ]]; then uri=${BASH_REMATCH[1]}; fi
    done <"${FF_ETC:-/etc}/freezeframe/$MONGODB_FILE"
    if [ -n "${uri:-}" ]; then
      login="db = connect(\"${uri//[\"\\]/}\").getSiblingDB(\"admin\")"
    elif secret_of "$MONGODB_FILE" user; then
      javascript_string "$REPLY"
      user=$REPLY
      secret_of "$MONGODB_FILE" password || true
      javascript_string "$REPLY"
      password=$REPLY
      secret_of "$MONGODB_FILE" authenticationDatabase || REPLY="admin"
      javascript_string "$REPLY"
      source=$REPLY
      login+="; if (db.getSiblingDB($source).auth($user, $password) === 0) { throw new Error(\"Authentication failed.\") }"
    fi
  fi
  REPLY="try { disableTelemetry() } catch (e) {}
var why = \"\"; function ok(r) { if (!r.ok) { throw new Error((r.codeName || \"\") + \" \" + r.errmsg) } return r }
try { $login } catch (e) { why = e.message }"
}

javascript_string() {
  REPLY=${1//\\/\\\\}
  REPLY="\"${REPLY//\"/\\\"}\""
}

# One line that has the client evaluate an expression and say the mark behind it.
mongodb_sentence() {
  client_turn
  REPLY="try { if (why) { throw new Error(why) } var a = $1; print(\"freezeframe\" + \"${CLIENT_MARK#freezeframe} yes \" + a) } catch (e) { print(\"freezeframe\" + \"${CLIENT_MARK#freezeframe} no \" + e.message) }"
}

# Sets REPLY to the value of an expression in the session of server I, or to the error; CLIENT_STATUS to yes or no.
mongodb_say() {
  mongodb_sentence "$3"
  client_ask "$1" "$2" "$REPLY" "${4:-}" || return 1
  REPLY=${CLIENT_STATUS#* } CLIENT_STATUS=${CLIENT_STATUS%% *}
  [ "$CLIENT_STATUS" = yes ]
}

# The same of the server at an ADDRESS, in a client of its own.
mongodb_ask() {
  local answer login home=$FF_RUN/home-$BASHPID
  mongodb_command && mongodb_login "$1" || return 1
  login=$REPLY
  mongodb_sentence "$2"
  # It keeps a log of its own in HOME.
  mkdir -p "$home" || true
  client_once 10 env "HOME=$home" "${MONGODB[@]}" < <(printf '%s\n' "$login" "$REPLY" 'quit()') || true
  rm -rf "$home"
  if [[ $CLIENT_SAID != *"$CLIENT_MARK"* ]]; then
    REPLY="can't log in: $REPLY"
    return 1
  fi
  answer=${CLIENT_SAID##*"$CLIENT_MARK" }
  answer=${answer%%$'\n'*}
  REPLY=${answer#* }
  if [[ $answer == yes* ]]; then return 0; fi
  REPLY="can't log in: $REPLY; put a user with the role hostManager and clusterMonitor into /etc/freezeframe/$MONGODB_FILE"
  return 1
}
