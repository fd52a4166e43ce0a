#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# run.sh KERNEL DIR [SECONDS]: boots the kernel in the directory KERNEL under QEMU, in software, with DIR shared as
# /run/guest, an NVDIMM and a scratch disk. Whenever it leaves DIR/again behind the same machine
# is booted once more, with what its NVDIMM and its disk held, and nothing else: so a suite can have the power fail. The
# console goes to DIR/console. Fails if a boot did not end by itself in time.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
kernel=$1 dir=$2 seconds=${3:-1500}
work=$(mktemp -d "${TMPDIR:-/var/tmp}/mapseal-guest-XXXXXX")
trap 'rm -rf "$work"' EXIT
bash "$here/image.sh" "$kernel" "$work/initramfs"
truncate -s 512M "$work/nvdimm"
truncate -s 4G "$work/disk"

boot() {
	# nobody is left behind when somebody loses patience
	setpriv --pdeathsig TERM timeout -k 5 "$seconds" qemu-system-x86_64 \
		-accel tcg,thread=multi -cpu max -smp 2 -machine q35,nvdimm=on -m 3G,slots=2,maxmem=4G \
		-nodefaults -no-user-config -no-reboot -display none \
		-chardev file,id=console,path="$dir/console",append=on -serial chardev:console \
		-object memory-backend-file,id=nvdimm,share=on,mem-path="$work/nvdimm",size=512M \
		-device nvdimm,memdev=nvdimm \
		-drive file="$work/disk",if=none,id=disk,format=raw,cache=unsafe -device virtio-blk-pci,drive=disk \
		-fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap \
		-device virtio-9p-pci,fsdev=host,mount_tag=host \
		-fsdev local,id=results,path="$dir",security_model=none \
		-device virtio-9p-pci,fsdev=results,mount_tag=results \
		-kernel "$kernel/vmlinuz" -initrd "$work/initramfs" \
		-append 'console=ttyS0 quiet panic=-1 mitigations=off nokaslr tsc=reliable' </dev/null
}

boots() { cat "$dir/boot" 2>/dev/null || echo 0; }

# A kernel that starts rewrites its own code while other processors run it, which emulation in software does not always
# survive. As long as nothing of the guest's own has run, the machine is switched on anew.
lost=0
while
	rm -f "$dir/again"
	before=$(boots)
	boot || { echo "the guest did not end by itself within $seconds s"; exit 1; }
	if [ "$(boots)" = "$before" ]; then
		lost=$((lost + 1))
		[ "$lost" -le 3 ] || { echo "the kernel does not start"; exit 1; }
		echo "the kernel did not get as far as to its first process; once more"
		touch "$dir/again"
	fi
	[ -e "$dir/again" ]
do :; done
