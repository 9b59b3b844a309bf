#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# Redis and Valkey: each file by its own checker, then a server that loads them.

verify_redis() {
  local files=() file aof='' dump='' server client
  tool_find redis-server valkey-server
  server=$REPLY
  tool_find redis-cli valkey-cli
  client=("$REPLY" -s "$HERE/s")
  # The append-only file is in parts since version 7: its manifest names them.
  mapfile -t files < <(find "$DIR" -maxdepth 2 \( -name '*.manifest' -o -path "$DIR/*.aof" \) ! -path "$DIR/*/*.aof")
  if [[ ${#files[@]} -gt 0 ]]; then
    aof=${files[0]}
    redis_checked redis-check-aof valkey-check-aof "$aof"
  fi
  for file in "$DIR"/*.rdb; do
    if [[ ! -f $file || $file == */temp-*.rdb ]]; then continue; fi
    dump=$file
    redis_checked redis-check-rdb valkey-check-rdb "$file"
  done
  if [[ -z $aof && -z $dump ]]; then say damaged "there is neither an append-only file nor a dump in $DIR"; fi
  SETTINGS=(--port 0 --unixsocket "$HERE/s" --dir "$DIR" --save '' --appendonly no --aof-load-truncated yes)
  if [[ $aof ]]; then
    file=${aof##*/}
    SETTINGS+=(--appendonly yes --appendfilename "${file%.manifest}")
    if [[ $aof == *.manifest ]]; then
      file=${aof%/*}
      SETTINGS+=(--appenddirname "${file##*/}")
    fi
  else
    SETTINGS+=(--dbfilename "${dump##*/}")
  fi
  server_start "$server" "${SETTINGS[@]}"
  # While it loads it answers, too, but not with this.
  # shellcheck disable=SC2016
  server_answers "${server##*/}" bash -c '[[ $("$@" PING) == PONG ]]' ping "${client[@]}"
  SOCKET=$HERE/s
  within "${client[@]}" DBSIZE || server_ended "${server##*/} went away"
  file=dump
  if [[ $aof ]]; then file='append-only file'; fi
  FOUND="${server##*/} loaded its $file: ${OUTPUT//[^0-9]/} keys in the first database"
}

# The checker of a file; one of its names is here, or nothing is known.
redis_checked() {
  local file=$3 code=0
  tool_find "$1" "$2"
  within "$REPLY" "$file" || code=$?
  if [[ $CUT == 1 ]]; then say unchecked "not verified: $1 was not done in time"; fi
  if [[ $code == 0 ]]; then return 0; fi
  if [[ $OUTPUT == *"Can't handle RDB format version"* ]]; then say unchecked "not verified: ${file##*/} was written by a newer version than is installed on this host"; fi
  # As after a power failure the last command may be cut off, which the server mends, and nothing else. Under the lock of
  # the driver no command is half written.
  if [[ $file != *.rdb && $GRADE != application ]]; then return 0; fi
  last_line "$OUTPUT"
  say damaged "$1 ${file##*/}: $REPLY"
}
