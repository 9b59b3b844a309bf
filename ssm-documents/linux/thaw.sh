#!/bin/bash
# shellcheck shell=bash disable=SC2154
# Document Thaw: lets go of one run's freeze, whatever state it is in; asked twice it answers twice. A tombstone stands
# before anything else, so that a freeze still under way stops and a late one refuses. Whoever holds was told by
# thaw-at-once.sh; here it is looked after.

thaw_main() {
  prepare_run_directory
  bury "$P_RUN" || log "no tombstone: /run is full"
  thaw_active "$P_RUN" "$P_WHY"
  if active_is "$P_RUN" && [ ! -e "$ACTIVE/done" ]; then
    fail ThawFailed "run $P_RUN still holds this host; on the host, run: bash $FF_RUN/thaw; then look at systemctl status freezeframe-holder"
  fi
  local swept='' name receipt=null
  exec 6>"$FF_RUN/lock"
  if flock -w 2 6 && [ ! -d "$ACTIVE" ]; then
    # Of a Freeze that was killed before it could begin.
    if [ -e "$FF_RUN/preparing" ]; then rm -rf "$FF_RUN/preparing"; fi
    while read -r name; do
      json_string "$name"
      swept+="${swept:+,}$REPLY"
    done < <(lvm_sweep)
  fi
  exec 6>&-
  if [ -r "$FF_RUN/receipts/$P_RUN" ]; then read -r receipt <"$FF_RUN/receipts/$P_RUN"; fi
  boot_id
  printf '{"contract":1,"bootId":"%s","receipt":%s,"swept":[%s]}\n' "$REPLY" "$receipt" "$swept"
}

# Asks the holder; takes its place when it is dead or does not let go in time.
thaw_active() {
  local run=$1 why=$2 began next=0 look=0 patience
  now_cs
  began=$REPLY
  while active_is "$run" && [ ! -e "$ACTIVE/done" ]; do
    now_cs
    if [ "$REPLY" -gt $((began + 4500)) ]; then return; fi
    if [ -e "$ACTIVE/holding" ]; then
      # Looking takes two processes, and with them the processor that a living holder lets go with.
      if [ "$REPLY" -ge "$look" ]; then
        look=$((REPLY + 20))
        if ! is_locked "$ACTIVE/holder.lock"; then
          # Its last act may have come just now.
          if [ ! -e "$ACTIVE/done" ]; then rescue_apart "$run"; fi
          continue
        fi
      fi
      # One that does not even begin hangs; one that has begun may be slow on a slow host.
      patience=500
      if [ -e "$ACTIVE/letting-go" ]; then patience=3000; fi
      if [ ! -e "$ACTIVE/released" ] && [ "$REPLY" -gt $((began + patience)) ]; then
        rescue_apart "$run"
        continue
      fi
      if [ "$REPLY" -ge "$next" ]; then
        next=$((REPLY + 100))
        ask_holder "$why $run"
      fi
    elif ! is_locked "$FF_RUN/lock" && ! is_locked "$ACTIVE/watchdog.lock"; then
      # Its Freeze was killed before there was a watchdog; nothing is frozen.
      rescue_apart "$run"
      continue
    fi
    pause 0.03
  done
}

# Opened for both directions: a FIFO that nobody reads must not stop us.
ask_holder() {
  local order
  { exec {order}<>"$ACTIVE/control" && printf '%s\n' "$1" >&"$order" && exec {order}>&-; } 2>/dev/null || true
}

# In a process of its own, from the script that froze, with that freeze's own knowledge.
rescue_apart() { bash "$ACTIVE/script" rescue "$1" >/dev/null 2>&1 </dev/null || pause 0.2; }

# For a person at the host: bash /run/freezeframe/thaw.
by_hand_main() {
  local run=$RUN
  bury "$run" || true
  thaw_active "$run" hand
  if active_is "$run" && [ ! -e "$ACTIVE/done" ]; then
    echo "Run $run still holds this host. A reboot thaws it; as a last resort: echo j > /proc/sysrq-trigger"
    exit 23
  fi
  echo "Run $run is thawed; its receipt is $FF_RUN/receipts/$run"
}
