#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# SAP HANA 2, one application for each system (SID), through hdbsql and a key in the user store of <sid>adm.
#
# A prepared data snapshot stops no writer: it keeps one savepoint in the data area as it is, for a storage snapshot of the
# data area alone (SAP note 2039883: not of the log area). It is known by its comment, belongs to no session, and must be
# closed, or the next backup is refused and the data area grows: SUCCESSFUL when the run itself asks for the thaw, after
# its set, and UNSUCCESSFUL whoever else ends it.

# Centiseconds that the holder waits for its answers: to find the snapshot and to close it, which is written to the backup
# catalogue.
HANA_PATIENCE=1600
HANA_KEY=FREEZEFRAME HANA_ID=''

hana_detect() {
  local pid sid seen=' '
  pids_of hdbnameserver
  for pid in ${PIDS[@]+"${PIDS[@]}"}; do
    if ! variable_of "$pid" SAPSYSTEMNAME; then continue; fi
    sid=$REPLY
    if [[ ! $sid =~ ^[A-Z][A-Z0-9]{2}$ || $seen == *" $sid "* ]]; then continue; fi
    seen+="$sid "
    app_found hana "SAP HANA $sid" "$sid"
    hana_describe "$REPLY" "$pid"
  done
}

hana_describe() {
  local i=$1 kind value prepared=''
  if app_contained "$i" "$2" /hana/data /hana/mounts; then return; fi
  if ! hana_ask "$i" 10 "SELECT 'version ' || VERSION FROM M_DATABASE UNION ALL SELECT DISTINCT 'path ' || PATH FROM M_DISKS WHERE USAGE_TYPE = 'DATA' UNION ALL SELECT 'prepared ' || BACKUP_ID FROM M_BACKUP_CATALOG WHERE ENTRY_TYPE_NAME = 'data snapshot' AND STATE_NAME = 'prepared'"; then
    APP_PROBLEM[i]="$REPLY; make a key in the user store of ${APP_REF[$i],,}adm: hdbuserstore SET $HANA_KEY HOST:3NN13@SYSTEMDB USER PASSWORD, of a user with BACKUP ADMIN and CATALOG READ"
    return
  fi
  while read -r kind value; do
    case $kind in
      version) APP_NAME[i]="SAP HANA ${value%%.0[0-9]*} (${APP_REF[$i]})" ;;
      path)
        app_lies_on "$i" "$value"
        APP_DIR[i]=${APP_DIR[$i]:-${value%/}}
        ;;
      prepared) prepared=$value ;;
    esac
  done < <(printf '%s\n' "$REPLY")
  if [ -n "$prepared" ]; then
    APP_PROBLEM[i]="data snapshot $prepared is prepared by somebody else; close it: BACKUP DATA FOR FULL SYSTEM CLOSE SNAPSHOT BACKUP_ID $prepared UNSUCCESSFUL 'stale'"
    return
  fi
  APP_READY[i]=1
}

hana_freeze() {
  local i=$1
  taken_mark "$i" || return 1
  seconds_left
  if ! hana_ask "$i" "$REPLY" "BACKUP DATA FOR FULL SYSTEM CREATE SNAPSHOT COMMENT 'freezeframe $RUN'"; then
    case $REPLY in
      *'no answer'*) app_keeps_waiting "$i" "did not prepare its data snapshot in time; its savepoint takes longer than that" ;;
      *) app_refuses "$i" " refused to prepare a data snapshot: $REPLY" ;;
    esac
    return 1
  fi
  if ! hana_find "$i" || [ -z "$REPLY" ]; then
    app_refuses "$i" " has no prepared data snapshot of this run, though it took the command"
    return
  fi
  HANA_ID=$REPLY
  APP_POSITION[i]="backup id $REPLY"
  note "${APP_NAME[$i]}: the data snapshot is good for the data area only; restore the log area from elsewhere, or recover without it"
}

# A restart of a service loses it. Asked only at the release: a login may wait for a frozen disk.
hana_held() {
  if [ "${2:-}" = idle ]; then return 0; fi
  [ -n "$HANA_ID" ] && hana_find "$1" && [ "$REPLY" = "$HANA_ID" ]
}

hana_thaw() {
  local i=$1 verdict
  if ! is_taken "$i"; then return 0; fi
  # The order says who asks: only the run itself comes after its set.
  verdict="UNSUCCESSFUL 'freezeframe $RUN: no snapshot set'"
  if [ "${THAWED_BY:-}" = asked ] && [ -n "$HANA_ID" ]; then verdict="SUCCESSFUL 'freezeframe $RUN'"; fi
  hana_close "$i" "$verdict"
}

hana_take_back() { hana_close "$1" "UNSUCCESSFUL 'freezeframe $RUN: its keeper died'"; }

hana_close() {
  if ! is_taken "$1" || ! hana_find "$1"; then return 0; fi
  if [ -z "$REPLY" ] || hana_ask "$1" 10 "BACKUP DATA FOR FULL SYSTEM CLOSE SNAPSHOT BACKUP_ID $REPLY $2"; then taken_forget "$1"; fi
}

# Sets REPLY to the id of this run's prepared snapshot, or to nothing.
hana_find() {
  hana_ask "$1" 5 "SELECT TO_VARCHAR(BACKUP_ID) FROM M_BACKUP_CATALOG WHERE ENTRY_TYPE_NAME = 'data snapshot' AND STATE_NAME = 'prepared' AND COMMENT = 'freezeframe $RUN'" || return 1
  REPLY=${REPLY%%$'\n'*}
  if [[ ! $REPLY =~ ^[0-9]*$ ]]; then
    REPLY="unexpected answer: $REPLY"
    return 1
  fi
}

# Sets REPLY to what a statement answers within SECONDS, in lines without quotes, or to the error.
hana_ask() {
  local user=${APP_REF[$1],,}adm client home
  home=$(getent passwd "$user" | cut -d: -f6) || home=''
  client=$(command -v hdbsql) || for client in "/usr/sap/${APP_REF[$1]}"/HDB[0-9][0-9]/exe/hdbsql /usr/sap/hdbclient/hdbsql; do
    if [ -x "$client" ]; then break; fi
  done
  if [ -z "$home" ] || ! [ -x "$client" ]; then
    REPLY="the client (hdbsql) or the user $user is missing"
    return 1
  fi
  # The key's password stays in the user store.
  if ! client_once "$2" runuser -u "$user" -- env "HOME=$home" "$client" -U "$HANA_KEY" -a -x -j -C "$3" </dev/null; then
    REPLY="hdbsql: $REPLY"
    return 1
  fi
  REPLY=${REPLY//\"/}
}
