#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# e4defrag(8) moves blocks by an ioctl that makes no event of its own. Where writable opens are held it waits in its
# open, and moves them when nobody relies on them any more. Where they are only watched it passes, which a DIRECT
# seal's holder learns from whoever verifies.
. "$top_srcdir/tests/programs/rig.sh"

needs e4defrag filefrag
program_uid=0
program() { e4defrag -v "$1"; }

disks ext4
for name in window direct hard hard-direct watched; do in_pieces "$dir/ext4/$name"; done
object ext4/window hold
object ext4/direct hold
object ext4/hard hold deny
object ext4/hard-direct hold deny
object ext4/watched watch
supervise

for kind in window direct; do
	before=$(pieces "$dir/ext4/$kind")
	held_until_returned "ext4/$kind" write "$kind"
	after=$(pieces "$file")
	[ "$after" -lt "$before" ] || fail "$before pieces became $after: $(cat "$dir/output")"
done
denied ext4/hard read
denied ext4/hard-direct write direct

holder ext4/watched read direct
mapsealctl verify || fail "broken before"
run "$file" >"$dir/output" 2>&1 || fail "the program: $(cat "$dir/output")"
refused 1 '' mapsealctl verify
hear broken
same "e4defrag changed bytes"
ask check intact
holder_ends
