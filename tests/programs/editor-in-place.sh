#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# An editor that writes the file in its place truncates it first: it waits in that open, and is denied there.
. "$top_srcdir/tests/programs/rig.sh"

needs ed vim.tiny

disks ext4 xfs btrfs
for fs in ext4 xfs btrfs; do
	for name in ed vim; do
		for file in "$name" "$name-hard"; do
			seq -f 'line %g of an ordinary text' 2000 >"$dir/$fs/$file"
		done
		object "$fs/$name"
		object "$fs/$name-hard" deny
	done
done
supervise

for fs in ext4 xfs btrfs; do
	program() { printf '%s\n' '1000,1010d' w q | ed -s "$1"; }
	held_until_returned "$fs/ed" read
	denied "$fs/ed-hard" read
	program() {
		vim.tiny -u NONE -i NONE -n -es -V1 -c 'set nobackup nowritebackup backupcopy=yes' \
			-c '1000,1010d' -c 'w' -c 'q' "$1"
	}
	held_until_returned "$fs/vim" read
done
