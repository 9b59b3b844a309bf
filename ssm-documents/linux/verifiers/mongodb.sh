#!/bin/bash
# shellcheck shell=bash disable=SC2034,SC2153,SC2154
# MongoDB: started alone, on a socket; validate of every collection reads its documents and its indexes.

verify_mongodb() {
  local server shell code=0
  tool_find mongod
  server=$REPLY
  tool_find mongosh mongo
  shell=$REPLY
  if [[ ! -f $DIR/WiredTiger ]]; then say damaged "there is no WiredTiger in $DIR"; fi
  # A server that is gone wrote it.
  : >"$DIR/mongod.lock"
  SOCKET=$HERE/mongodb.sock
  server_start "$server" --dbpath "$DIR" --bind_ip "$SOCKET" --logpath "$HERE/mongod.log" --setParameter diagnosticDataCollectionEnabled=false
  local address="mongodb://${SOCKET//\//%2F}/?directConnection=true"
  server_answers mongod "$shell" --quiet "$address" --eval 'db.runCommand({ ping: 1 }).ok'
  within "$shell" --quiet "$address" --eval "$MONGODB_VALIDATES" || code=$?
  if [[ $CUT == 1 ]]; then say unchecked 'not verified: validate was not done in time'; fi
  last_line "$OUTPUT"
  case $REPLY in
    'valid '*) FOUND="mongod started on it; validate found nothing in ${REPLY#valid } collections" ;;
    'invalid '*) say damaged "validate: ${REPLY#invalid }" ;;
    *)
      if ! kill -0 "$SERVER" 2>/dev/null; then server_ended 'mongod died of validate'; fi
      say unchecked "not verified: validate ended with $code: $REPLY"
      ;;
  esac
}

# Views have nothing to validate.
MONGODB_VALIDATES='
var bad = [], count = 0;
db.adminCommand({ listDatabases: 1, nameOnly: true }).databases.forEach(function (each) {
  var base = db.getSiblingDB(each.name);
  base.getCollectionInfos({ type: "collection" }).forEach(function (info) {
    var result = base.runCommand({ validate: info.name, full: true });
    count += 1;
    if (!result.ok || !result.valid) bad.push(each.name + "." + info.name);
  });
});
print(bad.length ? "invalid " + bad.join(", ") : "valid " + count);'
