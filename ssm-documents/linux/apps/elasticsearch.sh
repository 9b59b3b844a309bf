#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2154
# Elasticsearch and OpenSearch: a flush, and no lock.
#
# Their makers say that a copy of the data directory is no backup, whatever was done before, and may lose data silently;
# only _snapshot is one. The flush makes the start after a restore shorter, and that is all: it proves nothing, and says so.

elasticsearch_detect() {
  local pid product
  pids_of java elasticsearch opensearch
  for pid in ${PIDS[@]+"${PIDS[@]}"}; do
    words_of "$pid" cmdline
    case $REPLY in
      *org.opensearch.bootstrap.OpenSearch*) product=OpenSearch ;;
      *org.elasticsearch.bootstrap.Elasticsearch* | *org.elasticsearch.server/*) product=Elasticsearch ;;
      *) continue ;;
    esac
    addresses_of "$pid"
    app_found elasticsearch "$product" "$REPLY"
    elasticsearch_describe "$REPLY" "$pid" "$product"
  done
}

elasticsearch_describe() {
  local i=$1 answer address
  APP_PROVABLE[i]=0
  if app_contained "$i" "$2" /usr/share/elasticsearch/data /usr/share/opensearch/data; then return; fi
  # Of its two ports the one that speaks HTTP.
  for address in ${APP_REF[$i]}; do
    if elasticsearch_call "$address" 10 GET '/_nodes/_local?filter_path=nodes.*.version,nodes.*.settings.path.data'; then
      APP_REF[i]=$address
      answer=${REPLY//[[:space:]]/}
      if [[ $answer =~ \"version\":\"([0-9][^\"]*)\" ]]; then
        APP_NAME[i]="$3 ${BASH_REMATCH[1]} (no lock: only _snapshot is a backup)" APP_READY[i]=1
      fi
      # One path, or a list of them.
      if [[ $answer =~ \"data\":\[?([^]\}]*) ]]; then
        answer=${BASH_REMATCH[1]//\"/}
        while [ -n "$answer" ]; do
          if [[ $answer == /* ]]; then
            app_lies_on "$i" "${answer%%,*}"
            APP_DIR[i]=${APP_DIR[$i]:-${answer%%,*}}
          fi
          if [[ $answer == *,* ]]; then answer=${answer#*,}; else answer=''; fi
        done
      fi
    fi
    if [ "${APP_READY[$i]}" = 1 ]; then break; fi
  done
  if [ "${APP_READY[$i]}" != 1 ]; then
    APP_PROBLEM[i]="${REPLY:-process $2 listens on no TCP port}; where it wants a login, put user and password into /etc/freezeframe/elasticsearch.conf"
  fi
}

elasticsearch_freeze() {
  seconds_left
  if ! elasticsearch_call "${APP_REF[$1]}" "$REPLY" POST '/_flush'; then
    case $REPLY in
      *'no answer'*) app_keeps_waiting "$1" "did not flush in time" ;;
      *) app_refuses "$1" ": $REPLY" ;;
    esac
    return 1
  fi
  ELASTICSEARCH_FLUSHED=yes
  note "${APP_NAME[$1]}: a copy of its disks may lose data silently; take a _snapshot too"
}

# Nothing is held; the grade knows that from `provable`.
ELASTICSEARCH_FLUSHED=''
elasticsearch_held() { [ -n "$ELASTICSEARCH_FLUSHED" ]; }

elasticsearch_thaw() { return 0; }

# Sets REPLY to the answer at ADDRESS within SECONDS, or to why there is none. The login reaches curl through its input.
elasticsearch_call() {
  local scheme=http login='' user
  if ! command -v curl >/dev/null; then
    REPLY='the client (curl) is not installed'
    return 1
  fi
  if secret_exists elasticsearch.conf; then
    secret_is_safe elasticsearch.conf || return 1
    if secret_of elasticsearch.conf user; then
      user=$REPLY
      secret_of elasticsearch.conf password || true
      REPLY=$user:$REPLY
      REPLY=${REPLY//\\/\\\\}
      login="user = \"${REPLY//\"/\\\"}\""
    fi
    if secret_of elasticsearch.conf cacert; then login+=$'\n'"cacert = \"$REPLY\"" scheme=https; fi
  fi
  client_once "$2" curl -q -K - --silent --show-error --fail --noproxy '*' -X "$3" "$scheme://${1/#127.0.0.1:/localhost:}$4" \
    < <(printf '%s\n' "$login")
}
