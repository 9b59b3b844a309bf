#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# InterSystems IRIS and Caché, one application for each running instance.
#
# ExternalFreeze suspends the write daemon: databases on disk stand still, users go on in memory and in the journal. It
# belongs to no session, new logins may hang while it holds, and the instance itself ends it after a time that we give.
# Exit status 5 means yes, 3 means no.

iris_detect() {
  local tool line name
  pids_of irisdb cache
  if [ "${#PIDS[@]}" = 0 ]; then return; fi
  for tool in iris ccontrol; do
    command -v "$tool" >/dev/null || continue
    # One line an instance: `up  NAME  version  …  directory`.
    while read -r -a line; do
      if [[ ${line[0]:-} != up* || ! ${line[1]:-} =~ ^[A-Za-z0-9_-]+$ ]]; then continue; fi
      name=${line[1]}
      app_found iris "$([ "$tool" = iris ] && echo InterSystems IRIS || echo Caché) ${line[2]:-} ($name)" "$name"
      iris_describe "$REPLY" "${line[@]: -1}"
    done < <(timeout -k 1 10 "$tool" qall 2>/dev/null </dev/null || true)
    if [ "${#APP_DRIVER[@]}" -gt 0 ] && [ "${APP_DRIVER[${#APP_DRIVER[@]} - 1]}" = iris ]; then return; fi
  done
  # A process that no tool of the host knows.
  app_found iris 'InterSystems IRIS' ''
  APP_PROBLEM[REPLY]='it runs, but the client (iris or ccontrol) lists no instance that is up'
  app_contained "$REPLY" "${PIDS[0]}" /usr/irissys /durable || true
}

iris_describe() {
  local i=$1 line code=0
  if [[ $2 == /* ]]; then
    APP_DIR[i]=$2
    app_lies_on "$i" "$2"
    # Databases and journals elsewhere are named in the instance's own file.
    while read -r line; do
      if [[ $line =~ =(/[^,]+) ]]; then app_lies_on "$i" "${BASH_REMATCH[1]}"; fi
    done < <(cat "$2/iris.cpf" "$2/cache.cpf" 2>/dev/null || true)
  fi
  iris_call "$i" 10 'IsWDSuspendedExt()' || code=$?
  case $code in
    3) APP_READY[i]=1 ;;
    5) APP_PROBLEM[i]="its write daemon is suspended by somebody else's backup; wait for it, or ExternalThaw()" ;;
    *) APP_PROBLEM[i]="$REPLY; let root log in by the operating system's authentication" ;;
  esac
}

iris_freeze() {
  local i=$1 code=0 limit
  iris_call "$i" 10 'IsWDSuspendedExt()' || code=$?
  if [ "$code" != 3 ]; then
    app_refuses "$i" ": $([ "$code" = 5 ] && echo "its write daemon is suspended by somebody else" || echo "$REPLY")"
    return
  fi
  taken_mark "$i" || return 1
  code=0
  # A little longer than our own lease, for whatever may happen to us.
  limit=$((LEASE + 60))
  seconds_left
  iris_call "$i" "$REPLY" "ExternalFreeze(\"\",\"\",,,,,$limit,,,$limit)" || code=$?
  case $code in
    5) ;;
    124 | 137)
      app_keeps_waiting "$i" "did not suspend its write daemon in time"
      return
      ;;
    *)
      if [ "$code" = 3 ]; then REPLY='ExternalFreeze failed (status 3); see its messages.log'; fi
      app_refuses "$i" ": $REPLY"
      return
      ;;
  esac
  note "${APP_NAME[$i]}: databases that are not journaled lose what was not written when they are restored"
}

# Asked only at the release: a login may wait for a frozen disk.
iris_held() {
  local code=0
  if [ "${2:-}" = idle ]; then return 0; fi
  if ! is_taken "$1"; then return 1; fi
  iris_call "$1" 2 'IsWDSuspendedExt()' || code=$?
  [ "$code" = 5 ]
}

iris_thaw() {
  local code=0
  if ! is_taken "$1"; then return 0; fi
  iris_call "$1" 10 'ExternalThaw("")' || code=$?
  # Where a login hangs, the instance's own tool resumes the write daemon.
  if [ "$code" = 5 ] || timeout -k 1 10 iris stat "${APP_REF[$1]}" -W </dev/null >/dev/null 2>&1; then taken_forget "$1"; fi
}

iris_take_back() { iris_thaw "$1"; }

# Calls a method of Backup.General within SECONDS. Returns the instance's exit status; on others than 3 and 5 REPLY says why.
iris_call() {
  local client code=0
  if ! client=$(command -v irissession || command -v csession); then
    REPLY='the client (irissession) is not installed'
    return 127
  fi
  client_once "$2" "$client" "${APP_REF[$1]}" -U '%SYS' "##Class(Backup.General).$3" </dev/null || code=$?
  case $code in 124 | 137) ;; *) REPLY="can't log in: $REPLY" ;; esac
  return "$code"
}
