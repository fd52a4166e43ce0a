#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# cp --reflink over a sealed file waits. From one it waits for who may have written what is not in the file yet, and
# for who was promised that the blocks stay his own; not for readers.
. "$top_srcdir/tests/programs/rig.sh"

needs cp

disks xfs btrfs
for fs in xfs btrfs; do
	head -c 700000 /dev/urandom >"$dir/$fs/source"
	chmod 0644 "$dir/$fs/source"
	sync "$dir/$fs/source"
	for name in target source-write source-read; do object "$fs/$name"; done
	object "$fs/hard" deny
	object "$fs/hard-source" deny
done
object xfs/direct
object xfs/direct-hard deny
supervise

for fs in xfs btrfs; do
	program() { cp --reflink=always source "$1"; }
	held_until_returned "$fs/target" write
	denied "$fs/hard" read
	program() { cp --reflink=always "$1" "$1.clone"; }
	held_until_returned "$fs/source-write" write
	cmp "$file" "$file.clone" || fail "the clone lacks what the holder wrote last"
	undisturbed "$fs/source-read" read
	cmp "$file" "$file.clone" || fail "the clone of what others read"
	denied "$fs/hard-source" write
done
held_until_returned xfs/direct read direct
cmp "$file" "$file.clone" || fail "the clone of what had been DIRECT"
denied xfs/direct-hard read direct
