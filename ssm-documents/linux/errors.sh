#!/bin/bash
# shellcheck shell=bash
# How a document fails: one JSON document on stdout, one exit code (HOST_ERRORS in lambdas/shared/contracts.ts).

# Sets REPLY to the exit code of an error's name.
exit_code_of() {
  case $1 in
    HostUnfit) REPLY=11 ;;
    Busy) REPLY=12 ;;
    TooLate) REPLY=13 ;;
    AlreadyThawed) REPLY=14 ;;
    Rebooted) REPLY=15 ;;
    TopologyChanged) REPLY=16 ;;
    ModeNotPossible) REPLY=17 ;;
    AlreadyFrozen) REPLY=18 ;;
    ApplicationRefused) REPLY=19 ;;
    LockTimeout) REPLY=20 ;;
    FreezeFailed) REPLY=21 ;;
    FreezeTimeout) REPLY=22 ;;
    ThawFailed) REPLY=23 ;;
    ThawedDuringFreeze) REPLY=24 ;;
    ForeignDevice) REPLY=26 ;;
    DeviceMissing) REPLY=27 ;;
    ArrayIncomplete) REPLY=28 ;;
    GroupIncomplete) REPLY=29 ;;
    KeyMissing) REPLY=30 ;;
    MergeFailed) REPLY=31 ;;
    FilesystemMissing) REPLY=32 ;;
    MountFailed) REPLY=33 ;;
    RestoreInUse) REPLY=34 ;;
    ServiceFailed) REPLY=35 ;;
    *) REPLY=25 ;;
  esac
}

# Ends the document with an error: CODE MESSAGE. The message says what to do.
fail() {
  trap - ERR
  json_object s code "$1" s message "$2"
  printf '{"contract":1,"error":%s}\n' "$REPLY"
  printf 'freezeframe: %s: %s\n' "$1" "$2" >&2 || true
  exit_code_of "$1"
  exit "$REPLY"
}
