#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2154
# The receipt: what the host proves about one freeze (lambdas/shared/contracts.ts, Receipt).

# Sets REPLY to the receipt as JSON.
receipt_json() {
  local json k separator
  json="{\"run\":\"$RUN\",\"mode\":\"$MODE\",\"bootId\":\"$BOOT_ID\",\"leaseSeconds\":$LEASE"
  add_time armedAt "$ARMED_AT"
  add_time frozenAt "$FROZEN_AT"
  add_time stalledAt "$STALLED_AT"
  add_time releasedAt "$RELEASED_AT"
  add_time thawAskedAt "$ASKED_AT"
  add_time thawedAt "$THAWED_AT"
  if [ -n "$THAWED_BY" ] && [ -n "$THAWED_AT" ]; then json+=",\"thawedBy\":\"$THAWED_BY\""; else json+=',"thawedBy":null'; fi
  json+=",\"frozenClock\":${FROZEN_CLOCK:-null},\"apps\":["
  separator=''
  for k in ${APP_DRIVER[@]+"${!APP_DRIVER[@]}"}; do
    json+="$separator{\"driver\":\"${APP_DRIVER[$k]}\""
    add_string name "${APP_NAME[$k]}"
    add_string dataDir "${APP_DIR[$k]}"
    add_time lockedAt "${APP_LOCKED[$k]:-}"
    add_time releasedAt "${APP_RELEASED[$k]:-}"
    json+=",\"held\":${APP_HELD[$k]:-null}"
    add_string position "${APP_POSITION[$k]:-}"
    json+='}' separator=,
  done
  json+='],"filesystems":[' separator=''
  for k in ${FS_FROZEN[@]+"${!FS_FROZEN[@]}"}; do
    if [ -z "${FS_FROZEN[$k]}" ]; then continue; fi
    json+="$separator{\"device\":\"${FS_DEV[$k]}\""
    add_string mount "${FS_MOUNT[$k]}"
    add_time frozenAt "${FS_FROZEN[$k]}"
    add_time thawedAt "${FS_THAWED[$k]:-}"
    json+=",\"foundFrozen\":${FS_FOUND[$k]:-null}}" separator=,
  done
  json+='],"arrays":[' separator=''
  for k in ${ARRAY_NAME[@]+"${!ARRAY_NAME[@]}"}; do
    json+="$separator{\"name\":\"${ARRAY_NAME[$k]}\",\"clean\":${ARRAY_CLEAN[$k]}}" separator=,
  done
  json+='],"lvmSnapshots":[' separator=''
  for k in ${SNAP_NAME[@]+"${!SNAP_NAME[@]}"}; do
    json+="$separator{\"origin\":\"${SNAP_ORIGIN[$k]}\",\"snapshot\":\"${SNAP_NAME[$k]}\""
    add_time takenAt "${SNAP_TAKEN[$k]:-}"
    json+=",\"valid\":${SNAP_VALID[$k]:-null},\"usedPercent\":${SNAP_USED[$k]:-null},\"removed\":${SNAP_REMOVED[$k]:-false}}"
    separator=,
  done
  json+='],"writes":[' separator=''
  for k in ${WRITE_DEVICE[@]+"${!WRITE_DEVICE[@]}"}; do
    # A device that left since has no count: null, and the grade says so.
    if [ -z "${WRITE_FREEZE[$k]:-}" ]; then continue; fi
    json+="$separator{\"device\":\"${WRITE_DEVICE[$k]}\",\"atFreeze\":${WRITE_FREEZE[$k]},\"atThaw\":${WRITE_THAW[$k]:-null}}"
    separator=,
  done
  json+='],"notes":[' separator=''
  for k in ${NOTES[@]+"${!NOTES[@]}"}; do
    json_string "${NOTES[$k]}"
    json+="$separator$REPLY" separator=,
  done
  REPLY="$json]}"
}

# Append a member to the caller's `json`.
add_time() {
  seconds_of_cs "$2"
  json+=",\"$1\":$REPLY"
}
add_string() {
  json_string "$2"
  json+=",\"$1\":$REPLY"
}
