#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# The user's own: executables in /etc/freezeframe/hooks.d, called with freeze, held or thaw, and the script of the SSM
# document that the instance's tag names, which Inspect and Freeze get as a parameter. They quiet what writes into the
# databases, so they come before them and are released after them; all together they are one application.
#
# In the order of their names, thawed in reverse. Whoever's freeze was begun is thawed, whatever came of it, and told who
# asked for it: only after `asked` is there a set.

# Centiseconds that the holder waits for all of them, at the question whether they hold and at the release.
HOOKS_PATIENCE=800

hooks_detect() {
  local i k mounts='' only=1
  if ! hooks_list; then return; fi
  app_found hooks "hooks ${HOOKS[*]##*/}" ''
  i=$REPLY
  hooks_directory
  APP_DIR[i]=$REPLY
  # They are for the whole host: what may be frozen, or, where nothing may, what there is.
  while :; do
    for ((k = 0; k < ${#FS_MOUNT[@]}; k++)); do
      if [ "${FS_FREEZABLE[$k]}" = 1 ] || [ "$only" = 0 ]; then mounts+="${mounts:+,}${FS_MOUNT[$k]}"; fi
    done
    if [ -n "$mounts" ] || [ "$only" = 0 ]; then break; fi
    only=0
  done
  APP_MOUNTS[i]=$mounts APP_PROBLEM[i]=$HOOKS_PROBLEM
  if [ -z "$HOOKS_PROBLEM" ]; then APP_READY[i]=1; fi
}

hooks_directory() { REPLY=${FF_ETC:-/etc}/freezeframe/hooks.d; }

# What the parameter Hook carries: NAME:SCRIPT, the script in base64, or none. The document for Data Lifecycle Manager has no
# such parameter. The roles get HOOK_CARRIED from Freeze, and the script from /run.
HOOK_CARRIED=''
if [ "${P_HOOK:-none}" != none ]; then HOOK_CARRIED=$ACTIVE/document:${P_HOOK%%:*}; fi

# Writes it into a DIRECTORY of /run, before anything is frozen: once for each word that it is asked with, in the place where
# the agent would have put it.
hook_carry() {
  local script action place='{''{ command }}'
  if [ -z "$HOOK_CARRIED" ]; then return 0; fi
  script=$(printf '%s' "${P_HOOK#*:}" | base64 -d) || return 1
  for action in freeze held thaw; do
    printf '%s\n' "${script//"$place"/$action}" >"$1/${HOOK_CARRIED##*/}.$action" || return 1
  done
}

# Sets HOOKS to the executables in order, the carried one last, and HOOKS_PROBLEM to why they must not be run. Fails when
# there is none.
hooks_list() {
  local directory file
  HOOKS=() HOOKS_PROBLEM=''
  hooks_directory
  directory=$REPLY
  for file in "$directory"/*; do
    # What editors and packages leave behind.
    case $file in *~ | *.bak | *.sample | *.rpmnew | *.rpmsave | *.rpmorig | *.dpkg-*) continue ;; esac
    if [ -f "$file" ] && [ -x "$file" ] || [ -L "$file" ]; then HOOKS+=("$file"); fi
  done
  if [ "${#HOOKS[@]}" -gt 0 ]; then
    hooks_safe "${directory%/*}" "$directory" "${HOOKS[@]}" || HOOKS_PROBLEM=$REPLY
  fi
  if [ -n "$HOOK_CARRIED" ]; then HOOKS+=("$HOOK_CARRIED"); fi
  [ "${#HOOKS[@]}" -gt 0 ]
}

# Whatever another user could change would be run as root.
hooks_safe() {
  local file modes=() k=0
  mapfile -t modes < <(stat -c '%u %a' "$@" 2>/dev/null)
  for file in "$@"; do
    if [ -L "$file" ]; then
      REPLY="$file is a link; put the executable itself there"
      return 1
    fi
    if [[ ! ${modes[$k]:-} =~ ^0\ ([0-7]+)$ ]] || [ $((8#${BASH_REMATCH[1]} & 8#022)) != 0 ]; then
      REPLY="$file must belong to root and be writable by nobody else: chown root, chmod go-w"
      return 1
    fi
    k=$((k + 1))
  done
}

hooks_freeze() {
  local i=$1 file code deadline
  if ! hooks_list || [ -n "$HOOKS_PROBLEM" ]; then
    fault ApplicationRefused "${HOOKS_PROBLEM:-the hooks are gone; start the run again}"
    return 1
  fi
  mkdir -p "$ACTIVE/hooks" || return 1
  for file in "${HOOKS[@]}"; do
    if is_buried "$RUN"; then
      fault ThawedDuringFreeze "a thaw was asked for while the hooks were at work"
      return 1
    fi
    # The last line is thawed first.
    printf '%s\n' "$file" >>"$ACTIVE/hooks/begun" || return 1
    mark_stalled
    now_cs
    # Before the holder gives up, so that it hears which hook it was.
    deadline=$((REPLY + 1000 < WITHIN_AT - 50 ? REPLY + 1000 : WITHIN_AT - 50))
    code=0
    hook_run "$file" freeze "$deadline" || code=$?
    if [ "$code" = 124 ]; then
      fault LockTimeout "the hook $file did not end its freeze in time (10 s at most) and was killed"
      return 1
    elif [ "$code" != 0 ]; then
      fault ApplicationRefused "the hook $file refused to freeze (exit status $code)${REPLY:+: $REPLY}"
      return 1
    fi
  done
}

# Every one of them must say so.
hooks_held() {
  local file
  if [ ! -s "$ACTIVE/hooks/begun" ]; then return 1; fi
  while read -r file; do
    now_cs
    hook_run "$file" held $((REPLY + 500)) </dev/null || return 1
  done <"$ACTIVE/hooks/begun"
}

hooks_thaw() {
  local begun=() k code
  if [ ! -e "$ACTIVE/hooks/begun" ]; then return 0; fi
  # One that still works for a keeper that has died.
  hook_kill
  mapfile -t begun <"$ACTIVE/hooks/begun"
  for ((k = ${#begun[@]} - 1; k >= 0; k--)); do
    if [ -e "$ACTIVE/hooks/${begun[$k]##*/}.thawed" ]; then continue; fi
    code=0
    now_cs
    hook_run "${begun[$k]}" thaw $((REPLY + 500)) || code=$?
    if [ "$code" = 0 ]; then : >"$ACTIVE/hooks/${begun[$k]##*/}.thawed"; else
      note "the hook ${begun[$k]} failed to thaw (exit status $code)${REPLY:+: $REPLY}"
    fi
  done
}

hooks_take_back() { hooks_thaw "$1"; }

# Runs a hook in a process group of its own until DEADLINE, then kills the group. Returns its status, 124 when it was
# killed; sets REPLY to the last line that it said.
hook_run() {
  local file=$1 action=$2 deadline=$3 directory pid code=0 last='' pipe command
  directory=$ACTIVE/hooks/${file##*/}.d
  [ -d "$directory" ] || mkdir "$directory" || return 1
  # One that lives on after its end keeps the pipe of its own, and speaks to nobody.
  exec {pipe}<> <(:) || return 1
  HEARD[pipe]=''
  command=("$file" "$action")
  if [ "$file" = "$HOOK_CARRIED" ]; then hook_interpreted "$file.$action"; fi
  set -m
  (spawn env -i "PATH=$PATH" "FREEZEFRAME_RUN=$RUN" "FREEZEFRAME_RUNDIR=$directory" "FREEZEFRAME_THAWED_BY=${THAWED_BY:-}" "${command[@]}") </dev/null >&"$pipe" 2>&1 &
  pid=$!
  set +m
  echo "$pid" >"$ACTIVE/hooks/pid" || true
  while kill -0 "$pid" 2>/dev/null; do
    hook_hear "$pipe" 0.05 || true
    now_cs
    if [ "$REPLY" -ge "$deadline" ]; then
      kill -9 -- "-$pid" 2>/dev/null || true
      code=124
      break
    fi
  done
  if [ "$code" = 0 ]; then wait "$pid" 2>/dev/null || code=$?; else wait "$pid" 2>/dev/null || true; fi
  while hook_hear "$pipe" 0.01 || { [ -n "${HEARD[$pipe]}" ] && hook_hear "$pipe" 0.05; }; do
    now_cs
    if [ "$REPLY" -ge $((deadline + 20)) ]; then break; fi
  done
  exec {pipe}>&-
  : >"$ACTIVE/hooks/pid" || true
  REPLY=${HEARD[$pipe]:-$last}
  return "$code"
}

# Sets the caller's `command` to a SCRIPT of /run with its interpreter, as the kernel would read it: some mount /run noexec.
hook_interpreted() {
  local line=''
  read -r line <"$1" || true
  command=(sh "$1")
  if [[ $line =~ ^#![[:blank:]]*([^[:blank:]]+)[[:blank:]]*(.*)$ ]]; then
    command=("${BASH_REMATCH[1]}" ${BASH_REMATCH[2]:+"${BASH_REMATCH[2]}"} "$1")
  fi
}

# Sets the caller's `last` to what a hook says within SECONDS, where it is a line; what goes on for ever is cut off.
hook_hear() {
  if hear "$1" "$2"; then
    last=${LINE:-$last}
    last=${last:0:300}
    return 0
  fi
  HEARD[$1]=${HEARD[$1]:0:300}
  return 1
}

hook_kill() {
  local pid
  if { read -r pid <"$ACTIVE/hooks/pid"; } 2>/dev/null; then
    kill -9 -- "-$pid" 2>/dev/null || true
    : >"$ACTIVE/hooks/pid"
  fi
}
