#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# The user's own checks: executables in /etc/freezeframe/verify.d of the host that verifies, root's and writable by nobody
# else. One whose name ends in -DRIVER is run for each application of that driver, beside its server; the others at the
# end. Exit 0 is yes, all else is no.

# Sets OWN to the executables, OWN_PROBLEM to why they must not be run.
own_list() {
  local directory=$FF_ETC/freezeframe/verify.d file
  OWN=() OWN_PROBLEM=''
  for file in "$directory"/*; do
    case $file in *~ | *.bak | *.sample | *.rpmnew | *.rpmsave | *.rpmorig | *.dpkg-*) continue ;; esac
    if [ -f "$file" ] && [ -x "$file" ] || [ -L "$file" ]; then OWN+=("$file"); fi
  done
  if [ "${#OWN[@]}" = 0 ]; then return 0; fi
  for file in "${directory%/*}" "$directory" "${OWN[@]}"; do
    if ! hooks_safe "$file"; then OWN_PROBLEM=$REPLY; fi
  done
}
OWN=() OWN_PROBLEM=''

# In the box of an application: leaves in OWN those that were run for it.
checks_of() {
  local driver=$1 file mine=()
  own_list
  for file in ${OWN[@]+"${OWN[@]}"}; do if [[ $file == *-"$driver" ]]; then mine+=("$file"); fi; done
  OWN=(${mine[@]+"${mine[@]}"})
  for file in ${OWN[@]+"${OWN[@]}"}; do own_run "$file"; done
}

# One that says no ends the role.
own_run() {
  local code=0
  if [[ $OWN_PROBLEM ]]; then say unchecked "not verified: ${1##*/} is not run: $OWN_PROBLEM"; fi
  within env -i "PATH=$PATH" "FREEZEFRAME_RESTORE=$P_RESTORE" "FREEZEFRAME_DATA=$DIR" "FREEZEFRAME_SOCKET=$SOCKET" "$1" || code=$?
  last_line "$OUTPUT"
  if [[ $CUT == 1 ]]; then say unchecked "not verified: the check ${1##*/} was not done in time"; fi
  if [[ $code != 0 ]]; then say damaged "the check ${1##*/} says no (exit status $code): $REPLY"; fi
  FOUND+="${FOUND:+; }${1##*/}: ${REPLY:-yes}"
}
SOCKET=''

# Those that are for no driver of the set, each in a box of its own.
own_checks() {
  local file driver since
  own_list
  for file in ${OWN[@]+"${OWN[@]}"}; do
    for driver in ${APP_DRIVER[@]+"${APP_DRIVER[@]}"}; do if [[ $file == *-"$driver" ]]; then continue 2; fi; done
    now_cs
    since=$REPLY
    box_run own "${file##*/}"
    checked own "${file##*/}" "$VERDICT" "$SAID" "$since"
  done
}

# Role in the box.
own_main() {
  verify_plan
  own_list
  own_run "$FF_ETC/freezeframe/verify.d/$1"
  say ok "$FOUND"
}
