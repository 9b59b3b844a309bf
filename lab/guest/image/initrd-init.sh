#!/bin/busybox sh
# shellcheck shell=dash
# The guest's first process: finds the root disk, or only says that it lives (the probe of lab/accel.ts).
/bin/busybox mount -t proc proc /proc
/bin/busybox mount -t devtmpfs dev /dev
if /bin/busybox grep -q freezeframe.probe /proc/cmdline; then
  echo FREEZEFRAME-PROBE-UP >/dev/ttyS0
  /bin/busybox poweroff -f
fi
while read -r module; do
  /bin/busybox insmod "/modules/$module.ko"
done </modules/order
until [ -b /dev/vda ]; do /bin/busybox usleep 20000; done
/bin/busybox mount -t ext4 -o noatime /dev/vda /root
/bin/busybox umount /proc
/bin/busybox mount -o move /dev /root/dev
exec /bin/busybox switch_root /root /sbin/init
