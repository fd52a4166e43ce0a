#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# dd(1) into some blocks of the file waits for who holds these, and not for who holds others; over the whole file
# with O_TRUNC it waits in its open.
. "$top_srcdir/tests/programs/rig.sh"

needs dd

disks ext4 xfs btrfs
for fs in ext4 xfs btrfs; do
	head -c 700000 /dev/urandom >"$dir/$fs/source"
	chmod 0644 "$dir/$fs/source"
	for name in blocks elsewhere whole; do object "$fs/$name"; done
	object "$fs/opened" hold
	object "$fs/hard" deny
	object "$fs/hard-whole" deny
done
supervise

for fs in ext4 xfs btrfs; do
	program() { dd if=source of="$1" bs=4k skip=3 seek=5 count=20 conv=notrunc,fsync; }
	held_until_returned "$fs/blocks" write
	held_until_returned "$fs/opened" write
	undisturbed "$fs/elsewhere" write window 524288 524288
	denied "$fs/hard" read
	program() { dd if=source of="$1" bs=64k; }
	held_until_returned "$fs/whole" write
	denied "$fs/hard-whole" write
done
