#!/bin/bash
# shellcheck shell=bash
# JSON without a process: each function sets REPLY. Bytes are bytes here (LC_ALL=C).

# Sets REPLY to TEXT as a JSON string. What is not UTF-8 is left out: a mount point may have any bytes in its name.
json_string() {
  local text=$1 out='' char number i
  if [[ $text == *[$'\x80'-$'\xff']* ]]; then
    utf8_only "$text"
    text=$REPLY
  fi
  if [[ $text != *[\"\\[:cntrl:]]* ]]; then
    REPLY="\"$text\""
    return
  fi
  for ((i = 0; i < ${#text}; i++)); do
    char=${text:i:1}
    case $char in
      \" | \\) out+="\\$char" ;;
      $'\n') out+='\n' ;;
      $'\t') out+='\t' ;;
      $'\r') out+='\r' ;;
      [[:cntrl:]])
        printf -v number '\\u%04x' "'$char"
        out+=$number
        ;;
      *) out+=$char ;;
    esac
  done
  REPLY="\"$out\""
}

# Sets REPLY to TEXT without the bytes that are no part of a valid UTF-8 sequence.
utf8_only() {
  local rest=$1 out='' t=$'[\x80-\xbf]' pattern
  pattern=$'^([\x01-\x7f]+|[\xc2-\xdf]'"$t|"$'\xe0[\xa0-\xbf]'"$t|"$'[\xe1-\xec\xee\xef]'"$t$t|"$'\xed[\x80-\x9f]'"$t|"
  pattern+=$'\xf0[\x90-\xbf]'"$t$t|"$'[\xf1-\xf3]'"$t$t$t|"$'\xf4[\x80-\x8f]'"$t$t)"
  while [[ $rest ]]; do
    if [[ $rest =~ $pattern ]]; then
      out+=${BASH_REMATCH[1]}
      rest=${rest:${#BASH_REMATCH[1]}}
    else
      rest=${rest:1}
    fi
  done
  REPLY=$out
}

# Sets REPLY to VALUE as a JSON number; what is none becomes 0.
json_number() {
  REPLY=0
  if [[ $1 =~ ^-?[0-9]+(\.[0-9]+)?$ ]]; then
    if [[ $1 =~ ^0*([0-9].*)$ ]]; then REPLY=${BASH_REMATCH[1]}; else REPLY=$1; fi
  fi
}

# Sets REPLY to an array of the given words.
json_strings() {
  local out='' word
  for word in "$@"; do
    json_string "$word"
    out+=",$REPLY"
  done
  REPLY="[${out#,}]"
}

# Sets REPLY to an object. Arguments in threes: s (string), n (number), b (1: true) or j (JSON as it is), name, value.
json_object() {
  local out=''
  while [[ $# -ge 3 ]]; do
    case $1 in
      s) json_string "$3" ;;
      n) json_number "$3" ;;
      b) if [[ $3 == 1 || $3 == true ]]; then REPLY=true; else REPLY=false; fi ;;
      *) REPLY=$3 ;;
    esac
    out+=",\"$2\":$REPLY"
    shift 3
  done
  REPLY="{${out#,}}"
}
