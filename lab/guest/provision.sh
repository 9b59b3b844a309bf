#!/bin/bash
# Builds a topology out of volumes and puts databases on it: provision.sh TOPOLOGY ENGINE,ENGINE... VOLUME-ID...
# The volumes come by EBS id; nvme numbers mean nothing, here as on EC2.
set -Eeuo pipefail

main() {
  local topology=$1 engines=${2//,/ } data=/data logs='' engine
  shift 2
  local disks=() volume
  for volume in "$@"; do disks+=("$(wait_for_disk "${volume/-/}")"); done
  case $topology in
    raid0-lvm-xfs) raid0_lvm_xfs "${disks[@]}" ;;
    luks-lvm-xfs) luks_lvm_xfs "${disks[@]}" ;;
    raid1-ext4) raid1_ext4 "${disks[@]}" ;;
    lvm-striped) lvm_striped "${disks[@]}" ;;
    lvm-thin) lvm_thin "${disks[@]}" ;;
    data-and-log)
      data_and_log "${disks[@]}"
      logs=/log
      ;;
    single) single "${disks[@]}" ;;
    root) data='' ;;
    *) echo "no topology $topology" >&2; return 2 ;;
  esac
  for engine in $engines; do "start_$engine"; done
  # Else a crash-consistent snapshot taken soon loses the copied data directory.
  sync
}

wait_for_disk() {
  local serial=$1 disk end=$((SECONDS + 30))
  while ((SECONDS < end)); do
    for disk in /sys/block/nvme*; do
      [[ -e $disk/device/serial ]] || continue
      if [[ $(tr -d ' ' <"$disk/device/serial") == "$serial" && -b /dev/${disk##*/} ]]; then
        echo "/dev/${disk##*/}"
        return
      fi
    done
    sleep 0.05
  done
  echo "no disk with serial $serial" >&2
  return 1
}

raid0_lvm_xfs() {
  raid0 "$@"
  group_with_xfs /dev/md0
}

# Opened at every boot by the key that the image has.
luks_lvm_xfs() {
  local key=/etc/lab.key
  raid0 "$@"
  # What makes a passphrase safe costs seconds of an emulated processor, and a key file has no need of it.
  cryptsetup -q luksFormat --type luks2 --pbkdf pbkdf2 --pbkdf-force-iterations 1000 --key-file "$key" /dev/md0
  cryptsetup open --key-file "$key" /dev/md0 secret
  echo "secret UUID=$(blkid -o value -s UUID /dev/md0) $key luks,nofail" >>/etc/crypttab
  group_with_xfs /dev/mapper/secret
}

raid0() { mdadm --quiet --create /dev/md0 --run --level=0 --chunk=64 --raid-devices="$#" "$@"; }

group_with_xfs() {
  pvcreate -q -y "$1" >/dev/null
  vgcreate -q vg0 "$1" >/dev/null
  # Room is left for LVM snapshots.
  lvcreate -q -y -Wn -n data -l 70%VG vg0 >/dev/null
  mkfs.xfs -q -L data /dev/vg0/data
  mount_data /dev/vg0/data
}

raid1_ext4() {
  mdadm --quiet --create /dev/md0 --run --assume-clean --metadata=1.2 --level=1 --raid-devices="$#" "$@"
  mkfs.ext4 -q -L data /dev/md0
  mount_data /dev/md0
}

lvm_striped() {
  pvcreate -q -y "$@" >/dev/null
  vgcreate -q vg0 "$@" >/dev/null
  lvcreate -q -y -Wn -n data -i "$#" -I 64k -l 70%VG vg0 >/dev/null
  mkfs.ext4 -q -L data /dev/vg0/data
  mount_data /dev/vg0/data
}

lvm_thin() {
  pvcreate -q -y "$@" >/dev/null
  vgcreate -q vg0 "$@" >/dev/null
  lvcreate -q -y --type thin-pool -n pool -l 80%VG vg0 >/dev/null
  lvcreate -q -y --type thin -n data -V 400M --thinpool pool vg0 >/dev/null
  mkfs.xfs -q -L data /dev/vg0/data
  mount_data /dev/vg0/data
}

# Each logical volume on a disk of its own, so that data and log are two instants unless something makes them one.
data_and_log() {
  pvcreate -q -y "$@" >/dev/null
  vgcreate -q vg0 "$@" >/dev/null
  lvcreate -q -y -Wn -n data -l 70%PVS vg0 "$1" >/dev/null
  lvcreate -q -y -Wn -n log -l 70%PVS vg0 "$2" >/dev/null
  mkfs.xfs -q -L data /dev/vg0/data
  mkfs.ext4 -q -L log /dev/vg0/log
  mount_data /dev/vg0/data
  mkdir -p /log
  mount -o noatime /dev/vg0/log /log
  echo "LABEL=log /log auto noatime,nofail,x-systemd.device-timeout=60 0 0" >>/etc/fstab
}

single() {
  mkfs.xfs -q -L data "$1"
  mount_data "$1"
}

mount_data() {
  local device=$1
  mkdir -p /data
  mount -o noatime "$device" /data
  echo "LABEL=data /data auto noatime,nofail,x-systemd.device-timeout=60 0 0" >/etc/fstab
  systemctl daemon-reload
}

# The database's files were made with the image; they go to the data, the log to where logs go.
start_mariadb() {
  local config=/etc/mysql/mariadb.conf.d/95-lab.cnf
  echo '[mariadbd]' >"$config"
  if [[ -n $data ]]; then
    cp -a /var/lib/mysql "$data/mysql"
    echo "datadir = $data/mysql" >>"$config"
  fi
  if [[ -n $logs ]]; then
    install -d -o mysql "$logs/mysql"
    mv "$data"/mysql/ib_logfile0 "$logs/mysql/"
    printf 'innodb_log_group_home_dir = %s\nlog_bin = %s\n' "$logs/mysql" "$logs/mysql/binlog" >>"$config"
  fi
  systemctl start mariadb
  mariadb </run/lab/schema-mariadb.sql
}

start_postgresql() {
  local directory=$data/postgresql
  cp -a /var/lib/postgresql/lab "$directory"
  if [[ -n $logs ]]; then
    mv "$directory/pg_wal" "$logs/pg_wal"
    ln -s "$logs/pg_wal" "$directory/pg_wal"
  fi
  install -d -o postgres -g postgres /run/postgresql
  systemd-run --quiet --unit=lab-postgresql --uid=postgres -p Type=notify -p KillMode=mixed \
    /usr/lib/postgresql/15/bin/postgres -D "$directory"
  psql -q -v ON_ERROR_STOP=1 lab <<'SQL'
CREATE TABLE entries (id bigint PRIMARY KEY, body text NOT NULL);
CREATE TABLE accounts (id int PRIMARY KEY, balance bigint NOT NULL);
INSERT INTO accounts SELECT id, 10000 FROM generate_series(1, 100) AS id;
SQL
}

# What is acknowledged is on the disk: as careful as the others.
start_redis() {
  install -d -o redis -g redis "$data/redis" /run/redis
  systemd-run --quiet --unit=lab-redis --uid=redis -p Type=notify redis-server --supervised systemd --dir "$data/redis" \
    --appendonly yes --appendfsync always --save '' --bind 127.0.0.1 --unixsocket /run/redis/redis.sock
}

main "$@"
