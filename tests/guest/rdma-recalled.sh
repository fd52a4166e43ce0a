#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A peer writes by RDMA into a window; somebody truncates the file. The server is asked, drains and deregisters, and the
# truncation goes on: what was written is in the file, nothing comes after it, and the rest is served again.
. "$top_srcdir/tests/guest/rdma.sh"

rig <<END
[export file]
path = $file
read = *
write = *
END
server_starts
peer_starts
peer_writes 4096 first
[ "$answer" = written ] || fail "the peer could not write"
mapsealctl --json break file -- truncate -s 512K "$file" 2>"$dir/account"
cat "$dir/account"
grep -q '"returned"' "$dir/account" || fail "the window was not returned"
server_says deregistered
[ "$(in_file 4096 5)" = first ] || fail "what was written by RDMA before the return is not in the file"
server_says 'serving 524288 bytes'
peer_writes 8192 second
[[ $answer == refused* ]] || fail "the old connection still writes"
peer_ends

peer_starts
peer_writes 12288 third
[ "$answer" = written ] || fail "the next peer could not write"
peer_writes 600000 beyond
[[ $answer == refused* ]] || fail "the peer writes past the end"
peer_ends
mapsealctl break file -- true
server_says deregistered
[ "$(in_file 12288 5)" = third ] || fail "the next peer's write is not in the file"
[ -z "$(in_file 8192 6)" ] || fail "a write came after the window was returned"
[ "$(stat -c %s "$file")" = 524288 ] || fail "the size is not what the truncation made it"
kill "$server"
