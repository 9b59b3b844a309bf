#!/bin/bash
# Builds a topology out of volumes and puts a database on it: provision.sh TOPOLOGY VOLUME-ID...
# The volumes come by EBS id; nvme numbers mean nothing, here as on EC2.
set -Eeuo pipefail

main() {
  local topology=$1 database=/data/mysql
  shift
  local disks=() volume
  for volume in "$@"; do disks+=("$(wait_for_disk "${volume/-/}")"); done
  case $topology in
    raid0-lvm-xfs) raid0_lvm_xfs "${disks[@]}" ;;
    raid1-ext4) raid1_ext4 "${disks[@]}" ;;
    lvm-striped) lvm_striped "${disks[@]}" ;;
    lvm-thin) lvm_thin "${disks[@]}" ;;
    single) single "${disks[@]}" ;;
    root) database=/var/lib/mysql ;;
    *) echo "no topology $topology" >&2; return 2 ;;
  esac
  start_database "$database"
  make_schema
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
  mdadm --quiet --create /dev/md0 --run --level=0 --chunk=64 --raid-devices="$#" "$@"
  pvcreate -q -y /dev/md0 >/dev/null
  vgcreate -q vg0 /dev/md0 >/dev/null
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

start_database() {
  local datadir=$1
  if [[ $datadir != /var/lib/mysql ]]; then
    cp -a /var/lib/mysql "$datadir"
    printf '[mariadbd]\ndatadir = %s\n' "$datadir" >/etc/mysql/mariadb.conf.d/95-datadir.cnf
  fi
  systemctl start mariadb
}

make_schema() {
  mariadb <<'SQL'
CREATE DATABASE lab;
USE lab;
CREATE TABLE entries (id BIGINT PRIMARY KEY, body VARBINARY(4000) NOT NULL) ENGINE=InnoDB;
CREATE TABLE accounts (id INT PRIMARY KEY, balance BIGINT NOT NULL) ENGINE=InnoDB;
INSERT INTO accounts SELECT seq, 10000 FROM seq_1_to_100;
SQL
}

main "$@"
