# SPDX-License-Identifier: LGPL-2.1-or-later
#
# For suites: $PMEM, a block device of persistent memory, and `dax_mount TYPE DIRECTORY`, which makes a file
# system of TYPE there.

PMEM=/dev/pmem0
modprobe -a nfit nd_pmem ext4 xfs
# the emulated module comes without a namespace for file systems, and keeps what it was given
ndctl list -N | grep -q '"mode":"fsdax"' ||
	ndctl create-namespace -f -e namespace0.0 --mode=fsdax --map=mem >/dev/null 2>&1

dax_mount() {
	case $1 in
	ext4) mkfs.ext4 -q -F -b 4096 "$PMEM" ;;
	xfs) mkfs.xfs -q -f "$PMEM" ;;
	esac
	mount -t "$1" -o dax=always "$PMEM" "$2"
	# XFS goes on without, if it can't
	grep -q " $2 .*dax=always" /proc/mounts
}
