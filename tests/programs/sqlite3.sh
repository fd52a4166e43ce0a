#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# sqlite3(1) writes to a database that is sealed: with writable opens held it waits before it has read anything, and
# finds what the holder wrote there last; else before it writes to what the holder only reads. Denied, it does not say
# by which error.
. "$top_srcdir/tests/programs/rig.sh"

needs sqlite3
refusal='disk I/O error'
program() {
	sqlite3 "$1" 'PRAGMA synchronous = FULL;
		BEGIN; INSERT INTO t SELECT value, hex(randomblob(100)) FROM generate_series(1, 500);
		DELETE FROM t WHERE n = 7 AND text = "old"; COMMIT;'
}
query() { sqlite3 "file:$file?mode=ro" "$1"; }

disks ext4 xfs btrfs
for fs in ext4 xfs btrfs; do
	for name in opened watched hard; do
		sqlite3 "$dir/$fs/$name" 'CREATE TABLE t (n INTEGER, text TEXT); CREATE INDEX i ON t (text);
			INSERT INTO t SELECT value, "old" FROM generate_series(1, 20000);'
	done
	object "$fs/opened" hold
	object "$fs/watched" watch
	object "$fs/hard" deny
done
supervise

# Both are databases by their own word, and have what was to be done, once.
finished_as_the_twin() {
	[ "$(query 'PRAGMA integrity_check')" = ok ] || fail "a broken database"
	[ "$(query 'SELECT count(*) FROM t')" = 20499 ] || fail "rows: $(query 'SELECT count(*) FROM t')"
	[ "$(query 'SELECT count(*) FROM t WHERE n = 7 AND text = "old"')" = 0 ] || fail "not deleted"
}

for fs in ext4 xfs btrfs; do
	held_until_returned "$fs/watched" read
	denied "$fs/hard" read

	# the application's id, at 68: four bytes that the program keeps as it finds them
	holder "$fs/opened" write
	start
	hear 'recalled *'
	holder_writes 68 4 m
	ask commit committed
	unchanged "changed before the holder has returned"
	ask return-all 'returned *'
	finish
	finished_as_the_twin
	[ "$(query 'PRAGMA application_id')" = $((0x6d6d6d6d)) ] || fail "the holder's bytes are lost"
	holder_ends
done
