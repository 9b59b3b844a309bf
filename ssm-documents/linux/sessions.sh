#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# A session with a server for as long as a lock may last: connected once, before anything is frozen, so that no login waits
# for a frozen disk. What is said ends with a mark that the client has to say in its turn, anywhere in a line, for some
# clients prompt without a terminal. And what this run took, for whoever takes it back.

SESSION_TURN=0 SESSION_MARK='' SESSION_STATUS=''

# Starts a client for application I.
session_open() {
  local i=$1
  shift
  # A client that keeps back what it has to say until its buffer is full says nothing in time.
  if command -v stdbuf >/dev/null; then set -- stdbuf -oL -eL "$@"; fi
  if ! client_open "$i" "session-$i" "$@"; then
    fault HostUnfit "/run is full; make room in it"
    return 1
  fi
}

# Sets SESSION_MARK to the next mark: what a driver has the client say last, with a status behind it. A terminal would
# show what was typed, so the driver types it in two parts.
session_turn() {
  SESSION_TURN=$((SESSION_TURN + 1))
  SESSION_MARK="freezeframe-$SESSION_TURN:"
}

# Says TEXT to the client of application I and hears it out, for SECONDS at most. Sets REPLY to all that it says before
# the mark, and SESSION_STATUS to what stands behind the mark. Fails when there is no end of the answer: REPLY says why. A
# fourth argument has it give up when the run is thawed, as a wait for a lock has to.
session_say() {
  local i=$1 seconds=$2 line part='' last='' deadline left code said=''
  SESSION_STATUS=''
  if [ -z "${CLIENT_PID[$i]:-}" ] || ! client_tell "$i" "$3"; then
    REPLY='there is no session'
    return 1
  fi
  now_cs
  deadline=$((REPLY + seconds * 100))
  while :; do
    now_cs
    left=$((deadline - REPLY))
    if [ "$left" -le 0 ]; then
      REPLY="no answer within $seconds s${last:+; it said: $last}"
      return 1
    fi
    if [ -n "${4:-}" ] && is_buried "$RUN"; then
      REPLY='a thaw was asked for'
      return 1
    fi
    if [ "$left" -gt 20 ]; then left=20; fi
    printf -v left '0.%02d' "$left"
    code=0
    IFS= read -r -t "$left" -u "${CLIENT_OUT[$i]}" line || code=$?
    if [ "$code" != 0 ]; then
      # What came of an unfinished line is kept.
      part+=$line
      if [ -z "$line" ] && ! kill -0 "${CLIENT_PID[$i]}" 2>/dev/null; then
        REPLY="the client has ended${last:+; it said: $last}"
        return 1
      fi
      continue
    fi
    line=$part$line part=''
    line=${line%$'\r'}
    case $line in
      *"$SESSION_MARK"*)
        SESSION_STATUS=${line##*"$SESSION_MARK"}
        SESSION_STATUS=${SESSION_STATUS# }
        REPLY=$said
        return 0
        ;;
      # Of an answer that was given up on.
      *freezeframe-[0-9]*:*) said='' ;;
      *[![:space:]]*)
        last=$line
        said+="${said:+$'\n'}$line"
        ;;
    esac
  done
}

# Whole seconds until a freeze has to be done, one at least. For the longest wait for a lock.
seconds_left() {
  now_cs
  REPLY=$(((WITHIN_AT - REPLY) / 100))
  if [ "$REPLY" -lt 1 ]; then REPLY=1; fi
}

# What this run took of application I: written before the act, it outlives session and keeper.
taken_mark() {
  if ! { : >"$ACTIVE/taken-$1"; } 2>/dev/null; then
    fault HostUnfit "/run is full; make room in it"
    return 1
  fi
}
taken_forget() { rm -f "$ACTIVE/taken-$1"; }
is_taken() { [ -e "$ACTIVE/taken-$1" ]; }
