#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An editor that writes another file and gives it the name of the old one disturbs nobody: the holder keeps the file
# that it sealed, and the editor found in it what the holder had written.
# What was not in the file before the editor's first read changes its times then, which vim minds and sed does not.
. "$top_srcdir/tests/programs/rig.sh"

needs sed vim.tiny
# The name is gone to another file; the sealed one has a second.
kept() {
	local edited=$dir/$1
	ln "$edited" "$edited.kept"
	holder "$1" write
	holder_writes 4096 26 h
	[ "$2" = uncommitted ] || ask commit committed
	run "$edited" >"$dir/output" 2>&1 || fail "the editor: $(cat "$dir/output")"
	[ ! "$edited" -ef "$edited.kept" ] || fail "written in place"
	grep -q '^edited$' "$edited" || fail "not edited"
	grep -q hhhhhhhhhhhhhhhhhhhhhhhhhh "$edited" || fail "the editor did not see what the holder wrote"
	ask check intact
	ask state held
	holder_writes 8192 26 i
	ask commit committed
	cmp "$edited.kept" "$twin" || fail "the sealed file is another"
	if grep -q iiiiiiiiiiiiiiiiiiiiiiiiii "$edited"; then fail "the holder wrote to a file that it did not seal"; fi
	holder_ends
}

disks ext4 xfs btrfs
for fs in ext4 xfs btrfs; do
	for name in sed vim; do
		seq -f 'line %g of an ordinary text' 2000 >"$dir/$fs/$name"
		object "$fs/$name" deny
	done
done
supervise

for fs in ext4 xfs btrfs; do
	program() { sed -i '$c\edited' "$1"; }
	kept "$fs/sed" uncommitted
	program() {
		vim.tiny -u NONE -i NONE -n -es -c 'set backup backupcopy=no' -c '$s/.*/edited/' -c x "$1"
	}
	kept "$fs/vim" committed
done
