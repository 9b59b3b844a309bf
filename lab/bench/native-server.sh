#!/bin/bash
# A server on this very machine, without emulation: native-server.sh DIRECTORY ROOT-VOLUME DATA-VOLUME, as the first process
# of namespaces for mounts and processes, with which all of it ends. An XFS on a loop device has MariaDB's data; a sysfs of
# our own says that the loop device lies on an EBS volume. All else that the documents read and do is the kernel's.
set -Eeuo pipefail
directory=$1 root_volume=$2 data_volume=$3

mount -t tmpfs tmpfs /run
mkdir -p /run/mysqld /run/lab "$directory/data"
# Sparse; a processor that nobody emulates fills a gigabyte of binary logs in minutes.
truncate -s 8G "$directory/image"
mkfs.xfs -q "$directory/image"
mount -o loop,noatime "$directory/image" "$directory/data"

# Arguments: kernel name, major:minor, sectors.
block() {
  mkdir -p "$directory/sys/class/block/$1"
  echo "$2" >"$directory/sys/class/block/$1/dev"
  echo "$3" >"$directory/sys/class/block/$1/size"
}
# Arguments: the same, and the volume.
volume() {
  block "$1" "$2" "$3"
  mkdir "$directory/sys/class/block/$1/device"
  echo "${4/-/}" >"$directory/sys/class/block/$1/device/serial"
  echo 'Amazon Elastic Block Store' >"$directory/sys/class/block/$1/device/model"
}
loop=$(findmnt -nro SOURCE "$directory/data")
loop=${loop#/dev/}
sectors=$(<"/sys/class/block/$loop/size")
volume nvme0n1 "$(mountpoint -d /)" "$sectors" "$root_volume"
volume nvme1n1 259:1 "$sectors" "$data_volume"
block "$loop" "$(<"/sys/class/block/$loop/dev")" "$sectors"
mkdir -p "$directory/sys/class/block/$loop/slaves/nvme1n1"

mariadb-install-db --no-defaults --datadir="$directory/data/mysql" --user=root --skip-test-db \
  --auth-root-authentication-method=socket >/dev/null
cd "$directory/data/mysql"
mariadbd --defaults-file="$directory/mariadb.cnf" --datadir="$directory/data/mysql" --user=root \
  --socket=/run/mysqld/mysqld.sock 2>/run/lab/mariadb.log &
for ((tries = 0; tries < 400; tries++)); do
  if mariadb -e 'SELECT 1' >/dev/null 2>&1; then break; fi
  sleep 0.05
done
mariadb <"$directory/schema.sql"
perl "$directory/write-mariadb.pl" 2>/run/lab/writer.log &
: >"$directory/ready"
# Bash takes in the orphans meanwhile, as an init does.
while :; do sleep 3600; done
