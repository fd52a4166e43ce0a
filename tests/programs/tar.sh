#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# tar(1) reads a file under a WRITE window: it gets what the holder has written so far, who is not asked for anything.
# That the file changes meanwhile is true, by the holder's hand, and tar says so with status 1.
. "$top_srcdir/tests/programs/rig.sh"

needs tar
program() { tar -cf "$1.tar" "${1##*/}" || [ $? = 1 ]; }

disks ext4 xfs btrfs
for fs in ext4 xfs btrfs; do
	object "$fs/write" hold
	object "$fs/read"
	object "$fs/hard" deny
done
object ext4/direct
object xfs/direct
supervise

for test in 'write write window' 'read read window' 'hard write window' 'direct write direct'; do
	read -r name mode kind <<<"$test"
	for fs in ext4 xfs btrfs; do
		[ "$fs $kind" != 'btrfs direct' ] || continue
		undisturbed "$fs/$name" "$mode" "$kind"
		tar -xOf "$file.tar" "$name" | cmp - "$twin" || fail "the archive is not what was in the window"
	done
done
