#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# xfs_fsr(8) opens the file by a handle and an ioctl, and exchanges its blocks for others. It waits in that open, also
# where such opens are only watched, since what it is for can't be seen. It leaves alone what was written after it had
# first looked, and what it is denied, and does not say so.
. "$top_srcdir/tests/programs/rig.sh"

needs xfs_fsr filefrag
program_uid=0
program() { xfs_fsr -v "$1"; }

disks xfs
for name in window direct written hard; do in_pieces "$dir/xfs/$name"; done
object xfs/window hold
object xfs/direct watch
object xfs/written watch
object xfs/hard deny
supervise

for kind in window direct; do
	before=$(pieces "$dir/xfs/$kind")
	held_until_returned "xfs/$kind" read "$kind"
	after=$(pieces "$file")
	[ "$after" -lt "$before" ] || fail "$before pieces became $after: $(cat "$dir/output")"
done
held_until_returned xfs/written write

filefrag -v "$dir/xfs/hard" >"$dir/before"
holder xfs/hard write direct
run "$file" >"$dir/output" 2>&1 || fail "the program: $(cat "$dir/output")"
filefrag -v "$file" | cmp - "$dir/before" || fail "blocks were moved"
unchanged "bytes were changed"
ask check intact
ask state held
holder_ends
