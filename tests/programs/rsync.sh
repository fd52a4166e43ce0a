#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# rsync --inplace reads the file, writes the blocks that differ, and waits for who holds them. What it found equal before
# that it does not write, and there the holder's last bytes stay.
. "$top_srcdir/tests/programs/rig.sh"

needs rsync
program() { rsync --inplace --no-whole-file --ignore-times source "$1"; }

disks ext4 xfs btrfs
for fs in ext4 xfs btrfs; do
	head -c 1048576 /dev/urandom >"$dir/$fs/source"
	chmod 0644 "$dir/$fs/source"
	for name in watched window opened hard; do
		cp "$dir/$fs/source" "$dir/$fs/$name"
		head -c 5000 /dev/urandom | dd of="$dir/$fs/$name" bs=1 seek=100000 conv=notrunc status=none
	done
	object "$fs/watched" watch
	object "$fs/window"
	object "$fs/opened" hold
	object "$fs/hard" deny
done
supervise

# Each byte is what was to be copied, or (by cmp, from 1 and octal) the holder's z in the first 256 KiB.
finished_as_the_twin() {
	local fs=${file%/*} lost
	lost=$(cmp -l "$file" "$fs/source" | awk '$1 > 262144 || $2 != 172' | head -n 1) || true
	[ -z "$lost" ] || fail "neither the program's nor the holder's: $lost"
	cmp -i 100000 -n 5000 "$file" "$fs/source" || fail "not copied"
}

for fs in ext4 xfs btrfs; do
	held_until_returned "$fs/watched" read
	cmp "$file" "$dir/$fs/source" || fail "not copied"
	held_until_returned "$fs/window" write
	held_until_returned "$fs/opened" write
	denied "$fs/hard" read
	cmp "$file" "$dir/$fs/source" || fail "not copied"
done
