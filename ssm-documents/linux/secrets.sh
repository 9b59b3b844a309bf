#!/bin/bash
# shellcheck shell=bash
# Secrets of the applications: files of lines `key = value` below /etc/freezeframe, root's alone.

# Whether a file below /etc/freezeframe is root's alone; REPLY says what is wrong.
secret_is_safe() {
  local file=${FF_ETC:-/etc}/freezeframe/$1
  case $(stat -L -c '%u %a' "$file" 2>/dev/null) in
    '0 600' | '0 400') REPLY='' ;;
    *)
      REPLY="$file must belong to root with mode 0600"
      return 1
      ;;
  esac
}

secret_exists() { [ -e "${FF_ETC:-/etc}/freezeframe/$1" ]; }

# Sets REPLY to the value of KEY in such a file of lines `key = value`. The value may hold any character.
secret_of() {
  local line
  while IFS= read -r line || [ -n "$line" ]; do
    if [[ $line =~ ^[[:blank:]]*"$2"[[:blank:]]*=[[:blank:]]*(.*[^[:space:]]) ]]; then
      REPLY=${BASH_REMATCH[1]}
      return 0
    fi
  done <"${FF_ETC:-/etc}/freezeframe/$1"
  REPLY=''
  return 1
}
