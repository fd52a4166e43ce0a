#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# truncate(1) opens the file for writing and cuts it: with writable opens held it waits before that, else before the
# cut, and what the holder wrote last in the part that stays is there.
. "$top_srcdir/tests/programs/rig.sh"

needs truncate
program() { truncate -s 100000 "$1"; }

disks ext4 xfs btrfs
for fs in ext4 xfs btrfs; do
	object "$fs/window"
	object "$fs/opened" hold
	object "$fs/hard" deny
done
object ext4/direct
object xfs/direct
supervise
for fs in ext4 xfs btrfs; do
	held_until_returned "$fs/window" write
	held_until_returned "$fs/opened" read
	denied "$fs/hard" read
done
held_until_returned ext4/direct write direct
held_until_returned xfs/direct read direct
