#!/bin/bash
# Makes a Debian tree into the lab's guest. mmdebstrap runs it as: customize.sh ROOT GUEST_FILES
set -Eeuo pipefail
trap 'echo "${BASH_SOURCE[0]}:$LINENO: $BASH_COMMAND" >&2' ERR

main() {
  local root=$1 files=$2
  install_agents "$root" "$files"
  quiet_units "$root"
  set_up_mariadb "$root" "$files"
  set_up_postgresql "$root" "$files"
  set_up_host "$root"
}

install_agents() {
  local root=$1 files=$2 name
  install -d "$root/usr/local/lib/freezeframe"
  install -m 0755 "$files"/*.pl "$root/usr/local/lib/freezeframe/"
  install -m 0644 "$files"/*.pm "$root/usr/local/lib/freezeframe/"
  for name in lab-exec amazon-ssm-agent; do
    install -m 0644 "$files/$name.service" "$root/etc/systemd/system/$name.service"
    chroot "$root" systemctl --quiet enable "$name.service"
  done
}

# Under emulation every unit costs real seconds of boot, and none of these has anything to do in the lab.
quiet_units() {
  local root=$1
  chroot "$root" systemctl --quiet disable mariadb.service postgresql.service redis-server.service
  chroot "$root" systemctl --quiet mask \
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
    fstrim.timer logrotate.timer mdadm-shutdown.service mdcheck_start.timer mdcheck_continue.timer \
    mdmonitor-oneshot.timer systemd-timesyncd.service systemd-hwdb-update.service systemd-pcrphase.service \
    systemd-pcrphase-sysinit.service systemd-update-utmp.service systemd-update-utmp-runlevel.service \
    systemd-random-seed.service systemd-journal-flush.service systemd-machine-id-commit.service \
    getty@tty1.service serial-getty@ttyS0.service console-getty.service systemd-logind.service \
    networking.service systemd-binfmt.service sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount
}

# A small redo log and a fresh data directory: provisioning copies it onto the volumes.
set_up_mariadb() {
  local root=$1 files=$2
  install -m 0644 "$files/mariadb.cnf" "$root/etc/mysql/mariadb.conf.d/90-lab.cnf"
  install -d "$root/etc/systemd/system/mariadb.service.d"
  # debian-start upgrades and checks tables at every start: half a minute under emulation. The + is root's right, whether
  # the package's unit grants it to all that runs before the start or, from 10.11.18, to nothing.
  printf '[Service]\nExecStartPre=\nExecStartPre=+/usr/bin/install -m 755 -o mysql -g root -d /run/mysqld\nExecStartPost=\n' \
    >"$root/etc/systemd/system/mariadb.service.d/lab.conf"
  find "$root/var/lib/mysql" -mindepth 1 -delete
  chroot "$root" mariadb-install-db --user=mysql --datadir=/var/lib/mysql --skip-test-db --skip-name-resolve \
    --auth-root-authentication-method=socket --force >&2
}

# A small cluster of the lab's own, with a role for root, made without ever starting a server in the build.
set_up_postgresql() {
  local root=$1 files=$2 data=/var/lib/postgresql/lab bin=/usr/lib/postgresql/15/bin
  chroot "$root" pg_dropcluster 15 main
  chroot "$root" runuser -u postgres -- "$bin/initdb" -D "$data" --wal-segsize=4 --data-checksums --auth=peer \
    --locale=C.UTF-8 >&2
  cat "$files/postgresql.conf" >>"$root$data/postgresql.conf"
  printf '%s\n' 'CREATE ROLE root SUPERUSER LOGIN;' 'CREATE DATABASE lab;' |
    chroot "$root" runuser -u postgres -- "$bin/postgres" --single -D "$data" postgres >&2
}

set_up_host() {
  local root=$1
  echo freezeframe-lab >"$root/etc/hostname"
  echo '127.0.0.1 localhost' >"$root/etc/hosts"
  echo 1f4ee2ef4a3e4e4d8f4c3a1d2b5c6e7f >"$root/etc/machine-id"
  printf '%s\n' virtio_console virtio_rng md_mod dm_mod dm_snapshot xfs >"$root/etc/modules-load.d/lab.conf"
  install -d "$root/etc/systemd/journald.conf.d"
  printf '[Journal]\nStorage=volatile\nRuntimeMaxUse=16M\n' >"$root/etc/systemd/journald.conf.d/lab.conf"
  # The link that EC2's own udev rules give a volume; QEMU cannot change the model name.
  cat >"$root/etc/udev/rules.d/70-lab-ebs.rules" <<'RULE'
SUBSYSTEM=="block", ENV{DEVTYPE}=="disk", KERNEL=="nvme*", ATTRS{serial}=="vol*", \
  SYMLINK+="disk/by-id/nvme-Amazon_Elastic_Block_Store_$attr{serial}"
RULE
  : >"$root/etc/fstab"
  # Of the topology that is encrypted; whoever restores a set of it has to have it.
  (umask 077 && echo 'the key of the lab' >"$root/etc/lab.key")
}

main "$@"
