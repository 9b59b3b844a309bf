#!/bin/bash
# shellcheck shell=bash disable=SC1091,SC2154
# One script, several roles: the document's own, or, from the copy in /run, the one that its argument names. What the
# freeze knows is read here, outside any function, so that it outlives them all, the exit trap included.

case ${1:-document} in
  document) "${DOCUMENT}_main" ;;
  # Of Verify, in a box.
  box) box_main "${@:2}" ;;
  application | own) "${1}_main" "$2" ;;
  holder | watchdog | rescue | by-hand)
    . "$ACTIVE/parameters"
    # By the time that a role starts, the freeze that it was started for may be over and the next one hold.
    if [ "$RUN" != "${2:-$RUN}" ]; then exit 0; fi
    if [ -r "$ACTIVE/state" ]; then . "$ACTIVE/state"; fi
    "${1//-/_}_main"
    ;;
esac
