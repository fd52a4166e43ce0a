#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# image.sh KERNEL OUT: writes an initramfs for the kernel in the directory KERNEL (see kernel.sh). It holds busybox, init,
# and the modules without which the root could not be mounted, in the order in which they are to be
# inserted; everything else is on that root, which is the host's.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
kernel=$1 out=$2
version=$(ls "$kernel/lib/modules")
modules=(virtio_pci 9pnet_virtio 9p overlay)

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,proc,host,written,root,modules}
cp "$(command -v busybox)" "$root/bin/busybox"
install -m 0755 "$here/init" "$root/init"

for module in "${modules[@]}"; do
	modprobe -C /dev/null -d "$kernel" -S "$version" --show-depends "$module"
done | awk '$1 == "insmod" && !seen[$2]++ { print $2 }' | while read -r file; do
	name=${file##*/}
	name=${name%%.ko*}.ko
	case $file in
	*.xz) xz -dc "$file" ;;
	*.zst) zstd -dqc "$file" ;;
	*) cat "$file" ;;
	esac >"$root/modules/$name"
	echo "$name" >>"$root/modules/order"
done
(cd "$root" && find . | cpio -o -H newc --quiet) >"$out"
