#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# Applications are quieted each by a keeper, a process of its own: it holds the session with the lock, a driver that hangs
# in it hangs alone, and several quiet down side by side. It reads orders and answers in lines:
#   freeze  →  stalled CS, then  locked CS POSITION  or  fault CODE TEXT
#   held    →  held yes | held no
#   thaw WHO  →  released CS       (WHO asked for the thaw, as the receipt has it: only after `asked` is there a set)
# The end of its orders means that the holder is gone: it lets go by itself.

KEEPER_PID=() KEEPER_IN=() KEEPER_OUT=()

# --- the holder's side ------------------------------------------------------------------------------------------------

keeper_start() {
  local i=$1 in=$((20 + 2 * $1)) out=$((21 + 2 * $1)) path=$ACTIVE/keeper-$1
  mkfifo "$path.in" "$path.out" && eval "exec $in<>\"\$path.in\" $out<>\"\$path.out\"" || return 1
  KEEPER_IN[i]=$in KEEPER_OUT[i]=$out
  # In a process group of its own: its clients must not outlive it.
  set -m
  (keeper_main "$i") <"$path.in" >"$path.out" 2>/dev/null &
  KEEPER_PID[i]=$!
  set +m
}

# The user's hooks first, since they quiet what writes into the databases. Those all at once: the frozen window is as long
# as the slowest of them, not as all together.
keepers_freeze() {
  local i hooks=() others=()
  for i in "$@"; do
    if [ "${APP_DRIVER[$i]}" = hooks ]; then hooks+=("$i"); else others+=("$i"); fi
  done
  keepers_freeze_at_once ${hooks[@]+"${hooks[@]}"} && keepers_freeze_at_once ${others[@]+"${others[@]}"}
}

keepers_freeze_at_once() {
  local i failed=0
  for i in "$@"; do
    still_wanted && push_undo "app $i" && keeper_start "$i" || return 1
    keeper_tell "$i" freeze
  done
  for i in "$@"; do
    # Whatever one of them says, the others are heard too: their locks are in the journal.
    while keeper_hear "$i" "$WITHIN_AT"; do
      case $REPLY in
        stalled\ *) stalled_at "${REPLY#stalled }" ;;
        locked\ *)
          REPLY=${REPLY#locked }
          APP_LOCKED[i]=${REPLY%% *} APP_POSITION[i]=${REPLY#* }
          continue 2
          ;;
        fault\ *)
          REPLY=${REPLY#fault }
          fault "${REPLY%% *}" "${REPLY#* }"
          failed=1
          continue 2
          ;;
      esac
    done
    fault LockTimeout "${APP_NAME[$i]} did not grant its lock in time"
    failed=1
  done
  return "$failed"
}

# Lets go of applications that are held, in reverse of how they were quieted: the databases all at once, then the hooks.
keepers_release() {
  local i hooks=() others=()
  for i in "$@"; do
    if [ -n "${APP_RELEASED[$i]:-}" ]; then continue; fi
    if [ "${APP_DRIVER[$i]}" = hooks ]; then hooks+=("$i"); else others+=("$i"); fi
  done
  keepers_release_at_once ${others[@]+"${others[@]}"}
  keepers_release_at_once ${hooks[@]+"${hooks[@]}"}
}

# Asks those that have a lock whether they still have it, once.
KEEPER_ASKED=()
keepers_ask() {
  local i
  for i in "$@"; do
    if [ -n "${KEEPER_ASKED[$i]:-}" ] || ! keeper_has_lock "$i"; then continue; fi
    KEEPER_ASKED[i]=yes
    keeper_tell "$i" held
  done
}

# A keeper that does not let go in time is killed; the lock goes with its session, or is taken back by the driver.
keepers_release_at_once() {
  local i began left=()
  keepers_ask "$@"
  # Before their answers are heard: nobody's release waits for what another one says.
  for i in "$@"; do
    if [ -n "${KEEPER_PID[$i]:-}" ]; then keeper_tell "$i" "thaw ${THAWED_BY:-}"; fi
  done
  now_cs
  began=$REPLY
  for i in "$@"; do
    if [ -z "${APP_LOCKED[$i]:-}" ]; then continue; fi
    if keeper_has_lock "$i" && keeper_answers "$i" "$began" 200 'held *' && [ "$REPLY" = 'held yes' ]; then APP_HELD[i]=true; else
      APP_HELD[i]=false
      note "${APP_NAME[$i]} lost its lock before it was released"
    fi
  done
  for i in "$@"; do
    keeper_patience "$i" 500
    # One that has lost its lock has nothing to let go of, unless its driver has a patience of its own.
    if [ -n "${KEEPER_PID[$i]:-}" ] && [ "${APP_HELD[$i]:-} $REPLY" != 'false 500' ] &&
      keeper_answers "$i" "$began" 500 'released *'; then keeper_let_go "$i" "${REPLY#released }"; else left+=("$i"); fi
  done
  # Taking back may take its time; by now nobody else waits.
  for i in ${left[@]+"${left[@]}"}; do
    keeper_kill "$i"
    take_back "$i"
    keeper_let_go "$i"
  done
}

keeper_has_lock() { [ -n "${APP_LOCKED[$1]:-}" ] && [ -n "${KEEPER_PID[$1]:-}" ]; }

# Application I is released: at CS, as its keeper says, or now.
keeper_let_go() {
  keeper_kill "$1"
  now_cs
  APP_RELEASED[$1]=${2:-$REPLY}
  if [ "${RELEASED_AT:-0}" -lt "${APP_RELEASED[$1]}" ]; then RELEASED_AT=${APP_RELEASED[$1]}; fi
}

keeper_kill() {
  if [ -n "${KEEPER_PID[$1]:-}" ]; then kill -9 -- "-${KEEPER_PID[$1]}" 2>/dev/null || true; fi
  KEEPER_PID[$1]=''
}

# Sets REPLY to the centiseconds that an answer of keeper I may take: the driver's own, or the default.
keeper_patience() {
  local name=${APP_DRIVER[$1]}
  name=${name^^}_PATIENCE
  REPLY=${!name:-$2}
}

# Waits for an answer of keeper I like PATTERN, since BEGAN for the driver's patience or by default for so many
# centiseconds; sets REPLY to it. What was said while another one was waited for is heard in any case.
keeper_answers() {
  local deadline
  keeper_patience "$1" "$3"
  deadline=$(($2 + REPLY))
  now_cs
  if [ "$deadline" -lt $((REPLY + 20)) ]; then deadline=$((REPLY + 20)); fi
  while keeper_hear "$1" "$deadline"; do
    # shellcheck disable=SC2053 # a pattern on purpose
    if [[ $REPLY == $4 ]]; then return 0; fi
  done
  return 1
}

# In a dead keeper's place. A lock that lives in a session is gone with it; a driver whose lock outlives its session says
# how to release it.
take_back() {
  if [ "$(type -t "${APP_DRIVER[$1]}_take_back")" = function ]; then "${APP_DRIVER[$1]}_take_back" "$1" || true; fi
}

keeper_tell() { { printf '%s\n' "$2" >&"${KEEPER_IN[$1]}"; } 2>/dev/null || true; }

# Sets REPLY to the keeper's next line. Fails at the deadline (centiseconds), or soon when the keeper has died.
keeper_hear() {
  local i=$1 deadline=$2 left code
  while :; do
    now_cs
    left=$((deadline - REPLY))
    REPLY=''
    if [ "$left" -le 0 ]; then return 1; fi
    if [ "$left" -gt 50 ]; then left=50; fi
    printf -v left '0.%02d' "$left"
    code=0
    hear_from "${KEEPER_PID[$i]}" "${KEEPER_OUT[$i]}" "$left" || code=$?
    case $code-$LINE in
      0-note\ *) note "${LINE#note }" ;;
      0-*)
        REPLY=$LINE
        return 0
        ;;
      1-*) return 1 ;;
    esac
  done
}

# --- the keeper's side ------------------------------------------------------------------------------------------------

keeper_main() {
  local i=$1 driver=${APP_DRIVER[$1]} locked='' code
  close_descriptors
  # What a driver finds out is the holder's to know.
  # shellcheck disable=SC2317
  note() { echo "note $*"; }
  # shellcheck disable=SC2317
  mark_stalled() {
    now_cs
    echo "stalled $REPLY"
  }
  # Whoever ends us without an order came before any set.
  THAWED_BY=''
  trap 'keeper_ends' EXIT
  trap 'exit 0' TERM INT HUP
  KEEPER_OF=$i HEARD=() LINE=''
  while :; do
    code=0
    hear 0 5 || code=$?
    if [ "$code" -gt 128 ]; then
      # Also keeps the server from closing an idle session.
      if [ -n "$locked" ]; then "${driver}_held" "$i" idle || true; fi
      continue
    fi
    case $code-$LINE in
      0-freeze)
        if "${driver}_freeze" "$i"; then
          locked=yes
          now_cs
          echo "locked $REPLY ${APP_POSITION[$i]:-}"
        else
          echo "fault ${FAULT_NAME:-Internal} ${FAULT_TEXT:-the driver $driver gave up without saying why}"
        fi
        ;;
      0-held) if "${driver}_held" "$i"; then echo 'held yes'; else echo 'held no'; fi ;;
      0-thaw\ *)
        THAWED_BY=${LINE#thaw }
        exit 0
        ;;
      *) exit 0 ;;
    esac
  done
}

keeper_ends() {
  local IFS=$' \t\n'
  trap '' TERM INT HUP PIPE
  set +e
  "${APP_DRIVER[$KEEPER_OF]}_thaw" "$KEEPER_OF"
  now_cs
  echo "released $REPLY"
}
