#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2154
# File systems are checked unmounted: the log was replayed when the restore mounted them.

filesystems_check() {
  local k since
  # From the innermost on.
  for ((k = ${#RESTORED_AT[@]} - 1; k >= 0; k--)); do
    BUSY[k]=''
    within umount "${RESTORED_AT[$k]}" || BUSY[k]=${OUTPUT:-it could not be unmounted}
  done
  for k in "${!RESTORED_AT[@]}"; do
    now_cs
    since=$REPLY
    VERDICT=unchecked
    if [[ ${BUSY[$k]} ]]; then SAID="not verified: it is in use (${BUSY[$k]})"; else filesystem_check "$k"; fi
    if [[ -z ${BUSY[$k]} ]] && ! filesystem_mount "$k"; then
      VERDICT=damaged SAID="it can't be mounted again: $OUTPUT"
    fi
    checked filesystem "${RESTORED_PATH[$k]}" "$VERDICT" "$SAID" "$since"
  done
}
BUSY=() VERDICT='' SAID=''

# Sets VERDICT and SAID.
filesystem_check() {
  local device=${RESTORED_DEVICE[$1]} type=${RESTORED_TYPE[$1]} tool=() code=0
  case $type in
    xfs) tool=(xfs_repair -n "$device") ;;
    ext[234]) tool=(e2fsck -f -n "$device") ;;
    btrfs) tool=(btrfs check --readonly "$device") ;;
    *)
      SAID="not verified: there is no checker for a file system of type $type"
      return
      ;;
  esac
  if ! command -v "${tool[0]}" >/dev/null; then
    SAID="not verified: ${tool[0]} is not installed"
    return
  fi
  within "${tool[@]}" || code=$?
  last_line "$OUTPUT"
  if [[ $code == 0 ]]; then
    VERDICT=ok SAID="${tool[0]} found nothing"
  elif [[ $CUT == 1 ]]; then
    SAID="not verified: ${tool[0]} was not done in time"
  else
    VERDICT=damaged SAID="${tool[0]} ended with $code: $REPLY"
  fi
}

# As the restore had it.
filesystem_mount() {
  local options=rw word
  if [[ ${RESTORED_OPTS[$1]} == ro,* ]]; then options=ro; fi
  read_words "${RESTORED_OPTS[$1]//,/ }"
  for word in "${WORDS[@]}"; do
    case $word in noatime | nodiratime | relatime | nosuid | nodev | noexec | nouuid) options+=,$word ;; esac
  done
  within mount -t "${RESTORED_TYPE[$1]}" -o "$options" "${RESTORED_DEVICE[$1]}" "${RESTORED_AT[$1]}"
}
