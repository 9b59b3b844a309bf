#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# PostgreSQL: started on settings of its own, as a primary that archives and sends nothing; pg_amcheck looks into every
# table and index, and, when the server has stopped, pg_checksums at every page.

verify_postgresql() {
  local major bin='' place client role='' code=0
  read -r major <"$DIR/PG_VERSION" || major=''
  if [[ ! $major =~ ^[0-9.]+$ ]]; then say damaged "$DIR/PG_VERSION is not what PostgreSQL writes"; fi
  for place in ${FF_TOOLS:-} "/usr/lib/postgresql/$major/bin" "/usr/pgsql-$major/bin" /usr/local/pgsql/bin /usr/bin; do
    if [[ -x $place/postgres && "$("$place/postgres" -V)" == *" $major"* ]]; then
      bin=$place
      break
    fi
  done
  if [[ -z $bin ]]; then say unchecked "not verified: PostgreSQL $major is not installed on this host; have it in the image of the drill"; fi
  postgresql_settings
  server_start "$bin/postgres" -D "$DIR" "${SETTINGS[@]}"
  server_answers "PostgreSQL $major" "$bin/pg_isready" -q -h "$HERE"
  SOCKET=$HERE
  # The superuser is called like the owner of the files, or as ever.
  for role in "$(getent passwd "$OWNER" | cut -d: -f1)" postgres; do
    client=(-h "$HERE" -U "$role")
    if [[ $role ]] && within "$bin/psql" "${client[@]}" -XqAt -d postgres -c 'SELECT 1'; then break; fi
    role=''
  done
  if [[ -z $role ]]; then say unchecked "not verified: neither the owner of $DIR nor postgres is a role of the cluster"; fi
  if [[ -x $bin/pg_amcheck ]]; then
    within "$bin/pg_amcheck" "${client[@]}" --all --install-missing --heapallindexed || code=$?
    if [[ $OUTPUT == *'extension "amcheck"'* && $code != 2 ]]; then say unchecked "not verified: the extension amcheck of PostgreSQL $major is not installed"; fi
    postgresql_said "$code" pg_amcheck
    FOUND="PostgreSQL $major started on it; pg_amcheck found nothing"
  else
    # Older than 14: every row is read, at least.
    within bash -c '"$@" >/dev/null' dump "$bin/pg_dumpall" "${client[@]}" || code=$?
    postgresql_said "$code" pg_dumpall
    FOUND="PostgreSQL $major started on it; pg_dumpall read every row"
  fi
  BIN=$bin
}
BIN=''

# STATUS TOOL
postgresql_said() {
  if [[ $CUT == 1 ]]; then say unchecked "not verified: $2 was not done in time"; fi
  if [[ $1 == 0 ]]; then return 0; fi
  if ! kill -0 "$SERVER" 2>/dev/null; then server_ended "the server died of $2"; fi
  say damaged "$2: $(grep -m 2 -aiE 'error|corrupt|detail|heap table|btree index' <<<"$OUTPUT" || head -n 2 <<<"$OUTPUT")"
}

postgresql_settings() {
  # A server that is gone wrote the first; the others would make it wait for a primary, or recover from an archive.
  rm -f "$DIR"/{postmaster.pid,standby.signal,recovery.signal}
  printf 'local all all trust\n' >"$HERE/hba"
  : >"$HERE/none"
  chown "$OWNER:$GROUP" "$HERE"/{hba,none}
  local setting settings=("config_file=$HERE/none" "hba_file=$HERE/hba" "ident_file=$HERE/none")
  settings+=(listen_addresses= "unix_socket_directories=$HERE" logging_collector=off ssl=off)
  settings+=(archive_mode=off primary_conninfo= restore_command= shared_preload_libraries= autovacuum=off fsync=off)
  # No fewer than the original may have had.
  settings+=(max_prepared_transactions=200 wal_level=logical max_wal_senders=0 max_replication_slots=200)
  SETTINGS=()
  for setting in "${settings[@]}"; do SETTINGS+=(-c "$setting"); done
}

# Checksums are looked at only when the server has stopped in good order.
stop_postgresql() {
  local code=0
  if ! "$BIN/pg_controldata" "$DIR" | grep -qE 'checksum version: +[1-9]'; then
    FOUND+='; its pages have no checksums'
    return
  fi
  kill -INT "$SERVER"
  wait "$SERVER" || true
  within "${OWNED[@]}" "$BIN/pg_checksums" --check -D "$DIR" || code=$?
  if [[ $CUT == 1 ]]; then say unchecked 'not verified: pg_checksums was not done in time'; fi
  if [[ $code != 0 ]]; then say damaged "pg_checksums: $(head -n 2 <<<"$OUTPUT")"; fi
  FOUND+=', nor did pg_checksums'
}
