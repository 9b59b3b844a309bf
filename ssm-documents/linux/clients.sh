#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# The clients of the applications: one that is run once, and one that is held open for as long as its lock may last,
# connected before anything is frozen, so that no login waits for a frozen disk.
#
# What is said to a client that is held open, and what it answers, goes over two FIFOs that only the keeper holds open: the
# session, and the lock that lives in it, ends when the keeper does. Each question ends with a mark that the client has to
# say in its turn, anywhere in a line (some prompt without a terminal), with a status behind it where the driver wants one.

CLIENT_PID=() CLIENT_IN=() CLIENT_OUT=() CLIENT_TURN=0 CLIENT_MARK='' CLIENT_STATUS='' CLIENT_SAID=''
# What a client says that has lost its server and will never say the mark: a regular expression of the driver's.
CLIENT_LOST=''

# Starts COMMAND as client S, a number.
client_open() {
  local s=$1 path=$ACTIVE/client-$1 in out
  shift
  # One that keeps back what it has to say until its buffer is full says nothing in time.
  if command -v stdbuf >/dev/null; then set -- stdbuf -oL -eL "$@"; fi
  rm -f "$path.in" "$path.out"
  if ! mkfifo "$path.in" "$path.out" || ! exec {in}<>"$path.in" {out}<>"$path.out"; then
    fault HostUnfit "/run is full; make room in it"
    return 1
  fi
  (spawn "$@") <"$path.in" >"$path.out" 2>&1 &
  CLIENT_PID[s]=$! CLIENT_IN[s]=$in CLIENT_OUT[s]=$out HEARD[out]=''
}

client_tell() { { printf '%s\n' "$2" >&"${CLIENT_IN[$1]}"; } 2>/dev/null; }

# Sets CLIENT_MARK to the next mark, for the end of what is asked.
client_turn() {
  CLIENT_TURN=$((CLIENT_TURN + 1))
  CLIENT_MARK="freezeframe-$CLIENT_TURN:"
}

# Asks TEXT, with the mark in it, and hears the answer out, for SECONDS at most. Sets REPLY to all that is said before the
# mark, and CLIENT_STATUS to what stands behind it. Fails when there is no end of the answer: REPLY says why. A fourth
# argument has it give up when the run is thawed, as a wait for a lock has to.
client_ask() {
  local s=$1 seconds=$2 last='' deadline left said='' code
  CLIENT_STATUS=''
  if [ -z "${CLIENT_PID[$s]:-}" ] || ! client_tell "$s" "$3"; then
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
    hear_from "${CLIENT_PID[$s]}" "${CLIENT_OUT[$s]}" "$left" || code=$?
    if [ "$code" = 1 ]; then
      last=${HEARD[${CLIENT_OUT[$s]}]:-$last}
      REPLY="the client has ended${last:+; it said: $last}"
      return 1
    elif [ "$code" = 2 ]; then
      continue
    fi
    LINE=${LINE%$'\r'}
    case $LINE in
      *"$CLIENT_MARK"*)
        CLIENT_STATUS=${LINE##*"$CLIENT_MARK"}
        CLIENT_STATUS=${CLIENT_STATUS# }
        REPLY=$said
        return 0
        ;;
      # Of an answer that was given up on.
      *freezeframe-[0-9]*:*) said='' ;;
      *[![:space:]]*)
        if [[ -n $CLIENT_LOST && $LINE =~ $CLIENT_LOST ]]; then
          REPLY=$LINE
          return 1
        fi
        last=$LINE
        said+="${said:+$'\n'}$LINE"
        ;;
    esac
  done
}

# Ends client S: with the WORD that it takes for the end, else by force.
client_end() {
  local s=$1 tries=0
  if [ -z "${CLIENT_PID[$s]:-}" ]; then return 0; fi
  client_tell "$s" "$2" || true
  while kill -0 "${CLIENT_PID[$s]}" 2>/dev/null && [ "$tries" -lt 20 ]; do
    pause 0.02
    tries=$((tries + 1))
  done
  kill -9 "${CLIENT_PID[$s]}" 2>/dev/null || true
  CLIENT_PID[s]=''
}

# Runs COMMAND once, with the caller's input, for SECONDS at most. Sets REPLY to all that it says; returns its status, and
# then REPLY is the last line of it: most clients say what went wrong last. All of it is in CLIENT_SAID.
client_once() {
  local seconds=$1 code=0
  shift
  REPLY=$(timeout -k 1 "$seconds" "$@" 2>&1) || code=$?
  CLIENT_SAID=$REPLY
  case $code in
    0) ;;
    124 | 137) REPLY="no answer within $seconds s" ;;
    *)
      last_line "$REPLY"
      REPLY=${REPLY:-it ended with $code}
      ;;
  esac
  return "$code"
}

# Sets REPLY to the last line of TEXT that says something.
last_line() {
  local text=$1
  REPLY=''
  while [[ $text == *[![:space:]]* ]]; do
    REPLY=${text##*$'\n'}
    if [[ $REPLY == *[![:space:]]* || $text != *$'\n'* ]]; then return; fi
    text=${text%$'\n'*}
  done
}
