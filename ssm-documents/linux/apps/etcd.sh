#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2154
# etcd. It can't be quieted, and its makers support one backup only, a file made by `etcdctl snapshot save`. So a member is
# named and never ready; what to do is in its problem.

etcd_detect() {
  local pid directory paths i
  servers_of etcd
  for pid in ${PIDS[@]+"${PIDS[@]}"}; do
    app_found etcd etcd "$pid"
    i=$REPLY
    # Told by the open database, whatever the configuration says.
    paths=$(ls -l "${FF_PROC:-/proc}/$pid/fd" 2>/dev/null) || true
    directory=${paths%%/member/*}
    if [ "$directory" = "$paths" ]; then directory=''; fi
    directory=${directory##*-> }
    APP_PROVABLE[i]=0 APP_DIR[i]=$directory
    if app_contained "$i" "$pid" ${directory:+"$directory"}; then continue; fi
    if [ -n "$directory" ]; then app_lies_below "$i" "$directory"; fi
    APP_PROBLEM[i]="etcd can't be quieted; let a hook in /etc/freezeframe/hooks.d save a snapshot before each run: etcdctl snapshot save FILE"
  done
}

etcd_freeze() {
  app_refuses "$1" " can't be quieted"
  return 1
}

etcd_held() { return 1; }

etcd_thaw() { return 0; }
