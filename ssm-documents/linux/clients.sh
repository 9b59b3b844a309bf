#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# A client held open: what is said to it and what it answers goes over two FIFOs that only the keeper holds open, so the
# session, and the lock that lives in it, ends when the keeper does.

CLIENT_PID=() CLIENT_IN=() CLIENT_OUT=() CLIENT_LINES=() CLIENT_MARK=0

# Starts COMMAND as session S, a number; its FIFOs have NAME.
client_open() {
  local s=$1 path=$ACTIVE/$2 in out
  shift 2
  rm -f "$path.in" "$path.out"
  mkfifo "$path.in" "$path.out" && exec {in}<>"$path.in" {out}<>"$path.out" || return 1
  (spawn "$@") <"$path.in" >"$path.out" 2>&1 &
  CLIENT_PID[s]=$! CLIENT_IN[s]=$in CLIENT_OUT[s]=$out
}

client_tell() { { printf '%s\n' "$2" >&"${CLIENT_IN[$1]}"; } 2>/dev/null; }

# Says TEXT and then MARK, a printf format to which the client answers the line freezeframe-N, within SECONDS. Sets
# CLIENT_LINES to the lines before it; fails, with the reason in REPLY, when the end of the answer does not come.
client_ask() {
  local s=$1 seconds=$2 text=$3 mark deadline left line
  CLIENT_LINES=() CLIENT_MARK=$((CLIENT_MARK + 1))
  # shellcheck disable=SC2059 # a format on purpose
  printf -v mark "$4" "$CLIENT_MARK"
  if [ -z "${CLIENT_PID[$s]:-}" ] || ! client_tell "$s" "$text" || ! client_tell "$s" "$mark"; then
    REPLY='there is no session'
    return 1
  fi
  now_cs
  deadline=$((REPLY + seconds * 100))
  while :; do
    now_cs
    left=$((deadline - REPLY))
    if [ "$left" -le 0 ]; then
      REPLY="no answer within $seconds s"
      return 1
    fi
    if [ "$left" -gt 20 ]; then left=20; fi
    printf -v left '0.%02d' "$left"
    if hear "${CLIENT_OUT[$s]}" "$left"; then
      line=${LINE%$'\r'}
      case $line in
        "freezeframe-$CLIENT_MARK") return 0 ;;
        # The late end of an answer that was given up on.
        freezeframe-*) CLIENT_LINES=() ;;
        *) CLIENT_LINES+=("$line") ;;
      esac
    elif ! kill -0 "${CLIENT_PID[$s]}" 2>/dev/null; then
      client_last
      REPLY="the session is gone${REPLY:+: $REPLY}"
      return 1
    fi
  done
}

# Sets REPLY to the last line of the answer that says anything.
client_last() {
  local line
  REPLY=''
  for line in ${CLIENT_LINES[@]+"${CLIENT_LINES[@]}"}; do if [ -n "$line" ]; then REPLY=$line; fi; done
}

# Ends the session: with the word that its client takes for the end, else by force.
client_end() {
  local s=$1 tries=0
  if [ -z "${CLIENT_PID[$s]:-}" ]; then return 0; fi
  client_tell "$s" "$2" || true
  while kill -0 "${CLIENT_PID[$s]}" 2>/dev/null && [ "$tries" -lt 20 ]; do
    sleep 0.02
    tries=$((tries + 1))
  done
  kill -9 "${CLIENT_PID[$s]}" 2>/dev/null || true
  CLIENT_PID[s]=''
}
