#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2154
# The watchdog: armed before the first freeze, it thaws when the holder dies or outlives the lease. A unit of its own:
# no pipe of the agent's, no child of the holder's. systemd starts it again when it is killed, and it finds all that it
# needs in /run.

watchdog_main() {
  exec 7>"$ACTIVE/watchdog.lock"
  flock -w 5 7 || exit 0
  active_is "$RUN" || exit 0
  protect_from_oom
  # A stop of the unit, or a shutdown: no freeze without its watchdog.
  trap 'UNTIL=0' TERM INT HUP
  fs_open || true
  : >"$ACTIVE/armed"

  await_holder
  local waits=0
  # An orderly holder lets go at the end of the lease by itself; this much later it must have.
  while ! holder_gone 1.00; do
    if [ -e "$ACTIVE/released" ]; then
      # Nothing is stalled any more; LVM snapshots may take their time, but not for ever.
      waits=$((waits + 1))
      if [ "$waits" -lt 60 ]; then continue; fi
    fi
    now_cs
    if [ "$REPLY" -lt "$UNTIL" ]; then continue; fi
    break
  done
  # As a new process: what the holder saved meanwhile is read in main.sh.
  exec bash "$ACTIVE/script" rescue "$RUN"
}

# Blocks until the holder is gone or the lease is over, without a poll: the kernel frees a dead holder's lock.
await_holder() {
  local left
  # A holder that has not come by then freezes nothing any more. On a busy host systemd has taken 10 s to start one.
  now_cs
  while [ ! -e "$ACTIVE/holding" ] && [ "$REPLY" -lt "$WITHIN_AT" ] && [ "$UNTIL" != 0 ]; do
    pause 0.1
    now_cs
  done
  while :; do
    now_cs
    left=$((UNTIL - REPLY))
    if [ "$left" -le 0 ]; then return; fi
    # In slices, so that a TERM is heard.
    if [ "$left" -gt 100 ]; then left=100; fi
    printf -v left '%d.%02d' $((left / 100)) $((left % 100))
    if holder_gone "$left"; then return; fi
  done
}

# Whether the holder ends within so many seconds. The waiting child must not hold our own lock, should we be killed.
holder_gone() { flock -w "$1" "$ACTIVE/holder.lock" true 7>&-; }

# Ends a freeze in the holder's place and clears away what is left of it.
rescue_main() {
  exec 6>"$FF_RUN/lock"
  flock -w 60 6 || exit 1
  # Another one was faster, and the next freeze may hold by now.
  if ! active_is "$RUN"; then exit 0; fi
  protect_from_oom
  fs_open || true
  # Only the living can be in the way. The lock, not the pid, says that the holder lives.
  local pid='' tries=0
  if [ -r "$ACTIVE/holder.pid" ]; then read -r pid <"$ACTIVE/holder.pid" || pid=''; fi
  while [ -n "$pid" ] && is_locked "$ACTIVE/holder.lock" && [ "$tries" -lt 50 ]; do
    kill -9 "$pid" 2>/dev/null || true
    pause 0.02
    tries=$((tries + 1))
  done
  if [ ! -e "$ACTIVE/done" ] && [ -e "$ACTIVE/journal" ]; then
    log "thawing in the holder's place"
    : >"$ACTIVE/reserve"
    THAWED_BY=watchdog
    read_journal
    undo_filesystems
    # Keepers let go by themselves when the holder is gone; a second is enough for those that can.
    for tries in 1 2 3 4 5; do
      if ! children >/dev/null; then break; fi
      pause 0.2
    done
    kill_children || true
    undo_all || true
    now_cs
    THAWED_AT=$REPLY
    bury "$RUN" || true
    receipt_json
    { printf '%s\n' "$REPLY" >"$FF_RUN/receipts/.$RUN" && mv -f "$FF_RUN/receipts/.$RUN" "$FF_RUN/receipts/$RUN"; } || true
    # A freeze that still hangs in the kernel may come true later; and nothing is cleared away under a living holder.
    while kill_children || is_locked "$ACTIVE/holder.lock"; do
      pause 0.2
      undo_all || true
    done
  fi
  clear_active
}

# The holder's children: keepers with their clients, whose death ends their locks, and freezes that may hang in the
# kernel. The holder's unit alone has this variable.
children() { grep -lszx "FREEZEFRAME_HOLDER=$RUN" /proc/[0-9]*/environ; }

# Returns whether there was any.
kill_children() {
  local file found=1
  while read -r file; do
    file=${file%/environ}
    if kill -9 "${file#/proc/}" 2>/dev/null; then found=0; fi
  done < <(children)
  return "$found"
}
