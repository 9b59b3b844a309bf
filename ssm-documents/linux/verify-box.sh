#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# Each check of an application runs in a box: this host's programs, the restored file systems at the places where they
# were on the original, no network, and processes that end with the box. Absolute paths in the data (tablespaces, logs on
# another file system) lead to the copy, and nothing in it can reach its original.

# Its folder is outside of FF_RUN, which nobody but root may enter.
box_folder() {
  BOX=${FF_RUN}-verify
  rm -rf "$BOX"
  (umask 022 && mkdir -p "$BOX")
  # Whoever holds its other end knows that the document still lives.
  mkfifo "$BOX/alive"
  exec 6<>"$BOX/alive"
}

# What no verifier is there for can be checked by the user.
application_check() {
  local k=$1 since
  now_cs
  since=$REPLY
  box_run "application" "$k"
  checked application "${APP_NAME[$k]:-${APP_DRIVER[$k]}} (${APP_DIR[$k]})" "$VERDICT" "$SAID" "$since"
}

# Runs a role in a box and sets VERDICT and SAID to what it answers: ROLE ARGUMENT.
box_run() {
  local answer='' code=0 left
  now_cs
  left=$(((UNTIL - REPLY) / 100))
  VERDICT=unchecked SAID='not verified: there was no time left'
  if [[ $left -lt 1 ]]; then return; fi
  export DOCUMENT SCRIPT FF_RUN P_RESTORE P_UNDER P_MINUTES P_PLAN BOX FF_ETC
  # By SIGKILL and to the whole group: the first process of the box takes all others with it.
  answer=$(timeout -s KILL "$left" unshare -m -n -p -i -f bash -c "$AGAIN" freezeframe box "$1" "$2" \
    </dev/null 2>"$BOX/errors" 5>&- 6>&-) || code=$?
  case $answer in
    'ok '* | 'damaged '* | 'unchecked '*) VERDICT=${answer%% *} SAID=${answer#* } ;;
    *)
      if [[ $code == 137 ]]; then
        SAID='not verified: it was not done in time'
      else
        SAID="not verified: the check ended with $code: $(tail -n 3 "$BOX/errors" 2>/dev/null | tr '\n' ' ')"
      fi
      ;;
  esac
}
# A role begins with the same scripts.
# shellcheck disable=SC2016
AGAIN='set -Eeuo pipefail; eval "$SCRIPT"'
FF_ETC=${FF_ETC:-/etc}

# Role: makes the box, in namespaces of its own, and goes on inside.
box_main() {
  local name k inside=$BOX/root
  verify_plan
  restored_read
  mount --make-rprivate /
  # When the document is killed, the box ends.
  exec 7<"$BOX/alive"
  { read -r -u 7 _ || true; kill -9 -1; } </dev/null >/dev/null 2>&1 &
  exec 7<&-
  mkdir -p "$inside"
  mount -t tmpfs -o mode=0755 freezeframe "$inside"
  for name in bin sbin lib lib32 lib64 libx32 usr etc opt; do box_show "$name"; done
  mkdir -p "$inside"/{dev,proc,run/verify}
  mount --rbind /dev "$inside/dev"
  mount -t proc proc "$inside/proc"
  # What a killed server leaves in shared memory is gone with the box.
  if [[ -d /dev/shm ]]; then mount -t tmpfs -o mode=1777 freezeframe "$inside/dev/shm"; fi
  mkdir -p "$inside/tmp" "$inside/var/tmp"
  chmod 1777 "$inside/tmp" "$inside/var/tmp"
  chmod 0755 "$inside"/{run,run/verify,var}
  for k in "${!RESTORED_AT[@]}"; do
    # Of the original's root, what an application has there.
    if [[ ${RESTORED_PATH[$k]} != / ]]; then box_place "${RESTORED_AT[$k]}" "${RESTORED_PATH[$k]}"; fi
  done
  for k in ${APP_DIR[@]+"${!APP_DIR[@]}"}; do
    if [[ ${APP_DIR[$k]} == /* && -d $ROOT${APP_DIR[$k]} && ! -e $inside${APP_DIR[$k]} ]]; then
      box_place "$ROOT${APP_DIR[$k]}" "${APP_DIR[$k]}"
    fi
  done
  export HOME=/run/verify TMPDIR=/tmp
  exec chroot "$inside" /bin/bash -c "$AGAIN" freezeframe "$@"
}

# A folder of this host, read-only; a link as it is.
box_show() {
  if [[ -L /$1 ]]; then
    cp -P "/$1" "$BOX/root/$1"
  elif [[ -d /$1 ]]; then
    mkdir "$BOX/root/$1"
    mount --bind "/$1" "$BOX/root/$1"
    mount -o remount,bind,ro "$BOX/root/$1"
  fi
}

box_place() {
  if ! (umask 022 && mkdir -p "$BOX/root$2") 2>/dev/null || ! mount --bind "$1" "$BOX/root$2"; then
    echo "unchecked not verified: $2 can't be put at its place on this host; make an empty directory $2 here"
    exit 0
  fi
}

# Role in the box: the application's verifier, then the user's check for it while the server runs.
application_main() {
  local k=$1 driver
  verify_plan
  driver=${APP_DRIVER[$k]}
  DIR=${APP_DIR[$k]} HERE=/run/verify
  if [[ $DIR == /* && ! -d $DIR && $driver != hooks ]]; then
    say damaged "there is no $DIR in what was restored"
  fi
  if declare -F "verify_$driver" >/dev/null; then
    read -r OWNER GROUP < <(stat -c '%u %g' "$DIR")
    chown "$OWNER:$GROUP" "$HERE"
    OWNED=(setpriv --reuid "$OWNER" --regid "$GROUP" --clear-groups --)
    if [[ ! -w $DIR ]] || ! touch "$DIR/.freezeframe" 2>/dev/null; then
      say unchecked "not verified: $DIR is read-only; restore with access rw"
    fi
    rm -f "$DIR/.freezeframe"
    "verify_$driver" "$k"
    checks_of "$driver"
    if declare -F "stop_$driver" >/dev/null; then "stop_$driver"; fi
  else
    checks_of "$driver"
    if [[ ${#OWN[@]} == 0 ]]; then
      say unchecked "not verified: there is no verifier for $driver; put a check of your own into ${FF_ETC}/freezeframe/verify.d whose name ends in -$driver"
    fi
  fi
  say ok "${FOUND:-its own check agrees}"
}
# OWNED: runs a program as the owner of the data, whatever its name is on this host.
DIR='' HERE='' OWNER='' GROUP='' OWNED=() FOUND=''

# The answer of a role, which ends it, and the box with it: VERDICT SAID.
say() {
  trap - ERR
  local said=${2//$'\n'/ }
  printf '%s %s\n' "$1" "${said:0:400}"
  exit 0
}

# Sets REPLY to the path of the first of these programs that is here.
tool_find() {
  local name place
  for name in "$@"; do
    for place in ${FF_TOOLS:-} /usr/local/sbin /usr/local/bin /usr/sbin /usr/bin /usr/libexec /sbin /bin; do
      if [[ -x $place/$name ]]; then
        REPLY=$place/$name
        return 0
      fi
    done
  done
  say unchecked "not verified: $1 is not installed on this host; have it in the image of the drill"
}

# Starts a server as the owner of its data; what it says goes to HERE/log.
server_start() {
  (cd "$HERE" && exec "${OWNED[@]}" "$@") </dev/null >"$HERE/log" 2>&1 &
  SERVER=$!
}
SERVER=''

# Waits until a question is answered: a server that ends instead has found its files wanting. NAME COMMAND…
server_answers() {
  local name=$1
  shift
  while ! timeout 30 "$@" >/dev/null 2>&1 </dev/null; do
    if ! kill -0 "$SERVER" 2>/dev/null; then server_ended "$name does not start on it"; fi
    now_cs
    if [[ $REPLY -ge $UNTIL ]]; then say unchecked "not verified: $name has not recovered in time"; fi
    sleep 0.3
  done
}

# What a server said last when it ended, the errors first.
server_ended() {
  local said
  said=$(grep -aiE 'error|fatal|panic|corrupt|bad file' "$HERE/log" | head -n 2) || said=''
  if [[ -z $said ]]; then said=$(tail -n 2 "$HERE/log"); fi
  say damaged "$1: $said"
}
