#!/bin/bash
# Adds the kernel to a Debian tree and packs it. mmdebstrap runs it as: pack.sh ROOT GUEST_FILES OUT
# Leaves vmlinuz, initrd and root.img in OUT. The kernel package is only unpacked: installing it would drag
# initramfs-tools in and rebuild an initrd three times.
set -Eeuo pipefail
trap 'echo "${BASH_SOURCE[0]}:$LINENO: $BASH_COMMAND" >&2' ERR

# In the order of their dependencies: the initrd has no modprobe.
readonly ROOT_DISK_MODULES=(virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk)

main() {
  local root=$1 files=$2 out=$3 version unpacked
  version=$(chroot "$root" apt-cache depends linux-image-cloud-amd64 | sed -n 's/.*Depends: linux-image-//p')
  unpacked=$(mktemp -d)
  unpack_kernel "$root" "$version" "$unpacked"
  cp "$unpacked/kernel/boot/vmlinuz-$version" "$out/vmlinuz"
  copy_modules "$unpacked/kernel/lib/modules/$version" "$root/lib/modules/$version"
  chroot "$root" depmod "$version"
  pack_initrd "$unpacked" "$files" "$out/initrd" "$version"
  rm -rf "$unpacked" "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/*
  pack_root "$root" "$out/root.img"
  chmod a+r "$out"/*
}

unpack_kernel() {
  local root=$1 version=$2 unpacked=$3
  mkdir "$root/kernel-debs"
  chroot "$root" sh -c \
    "cd /kernel-debs && apt-get -qq -o APT::Sandbox::User=root download linux-image-$version busybox-static"
  dpkg-deb -x "$root"/kernel-debs/linux-image-*.deb "$unpacked/kernel"
  dpkg-deb -x "$root"/kernel-debs/busybox-static*.deb "$unpacked/busybox"
  rm -rf "$root/kernel-debs"
}

copy_modules() {
  local from=$1 to=$2 part
  mkdir -p "$to/kernel/drivers"
  cp "$from"/modules.{builtin,builtin.modinfo,order} "$to/"
  for part in arch crypto fs lib drivers/{block,char,md,nvme,virtio}; do
    [[ ! -d $from/kernel/$part ]] || cp -a "$from/kernel/$part" "$to/kernel/$part"
  done
}

pack_initrd() {
  local unpacked=$1 files=$2 initrd=$3 version=$4 tree=$1/initrd module
  mkdir -p "$tree"/{bin,dev,proc,root,modules}
  cp "$unpacked/busybox/bin/busybox" "$tree/bin/"
  install -m 0755 "$files/initrd-init.sh" "$tree/init"
  for module in "${ROOT_DISK_MODULES[@]}"; do
    find "$unpacked/kernel/lib/modules/$version" -name "$module.ko" -exec cp {} "$tree/modules/" \;
    echo "$module" >>"$tree/modules/order"
  done
  (cd "$tree" && find . | ./bin/busybox cpio -o -H newc 2>/dev/null) | gzip -1 >"$initrd"
}

# The bind mount hides /proc and /sys, which mmdebstrap has mounted and mke2fs -d cannot copy.
pack_root() {
  local root=$1 image=$2 bare
  bare=$(mktemp -d)
  mount --bind "$root" "$bare"
  mke2fs -q -t ext4 -L root -m 0 -J size=16 -E lazy_itable_init=1,lazy_journal_init=1,root_owner=0:0 -d "$bare" "$image" 1800M
  umount "$bare"
  rmdir "$bare"
}

main "$@"
