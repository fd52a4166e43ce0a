#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# fallocate(1) waits, whatever it does to the blocks, for windows and for DIRECT seals.
. "$top_srcdir/tests/programs/rig.sh"

needs fallocate

declare -A options=(
	[punch]='--punch-hole --offset 16384 --length 65536'
	[zero]='--zero-range --offset 20480 --length 40960'
	[collapse]='--collapse-range --offset 8192 --length 131072'
)

disks ext4 xfs btrfs
tests=()
for fs in ext4 xfs btrfs; do
	for what in "${!options[@]}"; do
		[ "$fs $what" != 'btrfs collapse' ] || continue # which can't
		tests+=("$fs $what")
		object "$fs/$what"
		object "$fs/$what-hard" deny
		[ "$fs" = btrfs ] || object "$fs/$what-direct"
	done
done
supervise

for test in "${tests[@]}"; do
	read -r fs what <<<"$test"
	eval "program() { fallocate ${options[$what]} \"\$1\"; }"
	held_until_returned "$fs/$what" write
	denied "$fs/$what-hard" read
	[ "$fs" = btrfs ] || held_until_returned "$fs/$what-direct" write direct
done
