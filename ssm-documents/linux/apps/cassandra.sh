#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2154
# Apache Cassandra (and what is made of it): a flush, and no lock.
#
# There is nothing to hold. The flush shortens what the commit log has to replay; the node's image is one node of a
# cluster, to be repaired after a restore. So it proves nothing, and says so.

cassandra_detect() {
  local pid word directory
  pids_of java
  for pid in ${PIDS[@]+"${PIDS[@]}"}; do
    words_of "$pid" cmdline
    if [[ $REPLY != *org.apache.cassandra.service.CassandraDaemon* ]]; then continue; fi
    directory=/var/lib/cassandra
    while read -r word; do
      case $word in -Dcassandra.storagedir=?*) directory=${word#*=} ;; esac
    done < <(printf '%s\n' "$REPLY")
    app_found cassandra 'Cassandra (no lock: flushed only)' ''
    cassandra_describe "$REPLY" "$pid" "$directory"
  done
}

cassandra_describe() {
  local i=$1
  APP_PROVABLE[i]=0 APP_DIR[i]=$3
  if app_contained "$i" "$2" "$3"; then return; fi
  app_lies_in "$i" "$3"
  if cassandra_tool 10 version; then
    APP_NAME[i]="Cassandra ${REPLY##*: } (no lock: flushed only)" APP_READY[i]=1
  else
    APP_PROBLEM[i]="$REPLY; put user and password for JMX into /etc/freezeframe/cassandra.conf where it wants them"
  fi
}

cassandra_freeze() {
  seconds_left
  if ! cassandra_tool "$REPLY" flush; then
    case $REPLY in
      *'no answer'*) app_keeps_waiting "$1" "did not flush in time" ;;
      *) app_refuses "$1" ": $REPLY" ;;
    esac
    return 1
  fi
  CASSANDRA_FLUSHED=yes
  note "${APP_NAME[$1]} has no lock; the commit log replays at the start, then run nodetool repair"
}

# Nothing is held; the grade knows that from `provable`.
CASSANDRA_FLUSHED=''
cassandra_held() { [ -n "$CASSANDRA_FLUSHED" ]; }

cassandra_thaw() { return 0; }

# Runs nodetool within SECONDS; sets REPLY to what it prints last. A password goes through a file of root's, for nodetool
# has no other way in.
cassandra_tool() {
  local client seconds=$1 login=()
  shift
  if ! client=$(command -v nodetool); then
    REPLY='the client (nodetool) is not installed'
    return 1
  fi
  if secret_exists cassandra.conf; then
    secret_is_safe cassandra.conf || return 1
    if secret_of cassandra.conf user; then login=(-u "$REPLY" -pwf "${FF_ETC:-/etc}/freezeframe/cassandra.password"); fi
    secret_is_safe cassandra.password || return 1
  fi
  client_once "$seconds" env "HOME=$FF_RUN" "$client" ${login[@]+"${login[@]}"} "$@" </dev/null && return 0
  REPLY="nodetool: $REPLY"
  return 1
}
