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

# All of it is emulated in software, one processor by one thread: several would wait for each other more than they do, and
# rewrite code that another one runs, which emulation does not always survive. What is slow to emulate and shows nothing is
# left out: strings by the byte, where the processor says that it is good at them; a fifth level of page tables; defences,
# and pages cleared more than once. Where programs are always at the same address they are translated but once.
processor=max,-erms,-fsrm,-la57,-smap,-smep,-pku
parameters='console=ttyS0 quiet panic=-1 tsc=reliable mitigations=off nokaslr norandmaps randomize_kstack_offset=off'
parameters+=' init_on_alloc=0 hardened_usercopy=off apparmor=0'

boot() {
	# nobody is left behind when somebody loses patience
	setpriv --pdeathsig TERM timeout -k 5 "$seconds" qemu-system-x86_64 \
		-accel tcg,thread=single -cpu "$processor" -smp 1 -machine q35,nvdimm=on -m 3G,slots=2,maxmem=4G \
		-nodefaults -no-user-config -no-reboot -display none \
		-chardev file,id=console,path="$dir/console",append=on -serial chardev:console \
		-object memory-backend-file,id=nvdimm,share=on,mem-path="$work/nvdimm",size=512M \
		-device nvdimm,memdev=nvdimm \
		-drive file="$work/disk",if=none,id=disk,format=raw,cache=unsafe -device virtio-blk-pci,drive=disk \
		-fsdev local,id=host,path=/,security_model=none,readonly=on,multidevs=remap \
		-device virtio-9p-pci,fsdev=host,mount_tag=host \
		-fsdev local,id=results,path="$dir",security_model=none \
		-device virtio-9p-pci,fsdev=results,mount_tag=results \
		-kernel "$kernel/vmlinuz" -initrd "$work/initramfs" -append "$parameters" </dev/null
}

while
	rm -f "$dir/again"
	boot || { echo "the guest did not end by itself within $seconds s"; exit 1; }
	[ -e "$dir/again" ]
do :; done
