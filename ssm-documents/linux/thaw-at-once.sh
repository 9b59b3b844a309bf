#!/bin/bash
# shellcheck shell=bash disable=SC2154
# Document Thaw, before the rest of it is unpacked: the holder is told at once, since writers wait, and unpacking takes
# longer than letting go. Who wants to know whether it did, looks at it then.

umask 077
thaw_at_once() {
  local active=${FF_RUN:-/run/freezeframe}/active run=''
  read -r run <"$active/run" || true
  if [ "$run" != "$P_RUN" ]; then return; fi
  # A tombstone stands before anything else.
  : >"${active%/*}/tombstones/$run" || true
  # Opened for both directions: a FIFO that nobody reads must not stop us.
  if [ -p "$active/control" ]; then printf '%s\n' "$P_WHY $run" 1<>"$active/control"; fi
}
thaw_at_once 2>/dev/null || true
