#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# MySQL and MariaDB: started without rights, network and replication; CHECK TABLE of every table reads every page.

verify_mysql() {
  local server client version product=MySQL code=0 bad=''
  if [[ ${APP_NAME[$1]} == *MariaDB* ]]; then product=MariaDB; fi
  if [[ $product == MariaDB ]]; then tool_find mariadbd; else tool_find mysqld; fi
  server=$REPLY
  tool_find mariadb mysql
  client=("$REPLY" --no-defaults "--socket=$HERE/s" --batch --skip-column-names --force)
  version=$("$server" --no-defaults --version 2>/dev/null | grep -oE '[0-9]+\.[0-9]+\.[0-9]+' | head -n 1) || version=''
  mysql_settings "$1"
  server_start "$server" "${SETTINGS[@]}" "--datadir=$DIR" "--socket=$HERE/s" "--pid-file=$HERE/pid" --tmpdir=/tmp \
    --skip-networking --skip-grant-tables --loose-skip-slave-start --loose-skip-replica-start --loose-mysqlx=OFF \
    --secure-file-priv=/tmp
  server_answers "$product $version" "${client[@]}" -e 'SELECT 1'
  SOCKET=$HERE/s
  within "${client[@]}" -e "$MYSQL_TABLES" || server_ended "$product $version can't tell its tables"
  # Through a file, since there can be more than an argument holds.
  printf '%s\n' "$OUTPUT" >"$HERE/tables"
  within "${client[@]}" -e "source $HERE/tables" || code=$?
  if [[ $CUT == 1 ]]; then say unchecked 'not verified: CHECK TABLE was not done in time'; fi
  if ! kill -0 "$SERVER" 2>/dev/null; then server_ended "$product $version died of CHECK TABLE"; fi
  # Table, check, kind, text: a status that is not well, and what says why.
  bad=$(awk -F'\t' '$3 == "error" || $3 == "Error" || ($3 == "status" && $4 != "OK" && $4 != "Table is already up to date") || NF < 4' <<<"$OUTPUT" | head -n 3) || true
  if [[ $bad || $code != 0 ]]; then say damaged "CHECK TABLE: ${bad//$'\t'/ }"; fi
  FOUND="$product $version started on it; CHECK TABLE found nothing in $(wc -l <"$HERE/tables") tables"
}

# What is not a table of the disks' has nothing to check.
# shellcheck disable=SC2016
MYSQL_TABLES='SELECT CONCAT("CHECK TABLE `", REPLACE(table_schema, "`", "``"), "`.`", REPLACE(table_name, "`", "``"), "`;")
FROM information_schema.tables WHERE table_type = "BASE TABLE"
AND table_schema NOT IN ("information_schema", "performance_schema") AND engine IN ("InnoDB", "MyISAM", "Aria", "ARCHIVE", "CSV")'

# Sets SETTINGS to what the server has to be told to find its files: what the user has put on this host first, then what
# the files themselves tell. Redo log and binary log may lie elsewhere than the data.
mysql_settings() {
  local file=$FF_ETC/freezeframe/verify.d/mysql.cnf places=("$DIR") found
  SETTINGS=(--no-defaults)
  if [[ -f $file ]]; then
    if ! hooks_safe "$file"; then say unchecked "not verified: $REPLY"; fi
    SETTINGS=("--defaults-file=$file")
  fi
  read_words "${APP_MOUNTS[$1]}"
  for found in ${WORDS[@]+"${WORDS[@]}"}; do
    unescape "$found"
    if [[ $REPLY != / && -d $REPLY ]]; then places+=("$REPLY"); fi
  done
  # In the data directory itself first.
  found=$(find "${places[@]}" -maxdepth 3 \( -name ib_logfile0 -o -name '#innodb_redo' \) -print -quit 2>/dev/null) || found=''
  if [[ $found && ${found%/*} != "$DIR" ]]; then SETTINGS+=("--innodb-log-group-home-dir=${found%/*}"); fi
  # Transactions that were prepared are committed by what the binary log says.
  found=$(find "${places[@]}" -maxdepth 3 -name '*bin*.index' ! -name '*relay*' -print -quit 2>/dev/null) || found=''
  if [[ $found ]]; then SETTINGS+=("--log-bin=${found%.index}" --server-id=1); fi
}
SETTINGS=()
