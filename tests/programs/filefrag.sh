#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# filefrag(8) looks, and nobody is asked for anything, whatever is held.
. "$top_srcdir/tests/programs/rig.sh"

needs filefrag
program_uid=0
program() { filefrag -v "$1" >"$1.pieces"; }

disks ext4 xfs btrfs
for fs in ext4 xfs btrfs; do
	object "$fs/window" hold
	object "$fs/reader" deny
done
object ext4/direct
object xfs/direct deny
supervise

for fs in ext4 xfs btrfs; do
	undisturbed "$fs/window" write
	undisturbed "$fs/reader" read
done
for fs in ext4 xfs; do
	filefrag -v "$dir/$fs/direct" >"$dir/before"
	undisturbed "$fs/direct" write direct
	cmp "$dir/before" "$file.pieces" || fail "the blocks are elsewhere"
done
