#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A peer writes by RDMA into a window; somebody truncates the file. The server is asked, drains and deregisters, and the
# truncation goes on: what was written is in the file, nothing comes after it, and the rest is served again.
. "$top_srcdir/tests/guest/rdma.sh"

opening
cut_to 512K '"returned"'
server_says deregistered
[ "$(in_file 4096 5)" = first ] || fail "what was written by RDMA before the return is not in the file"
server_says 'serving 524288 bytes'
peer_is_refused 8192 second
peer_ends

peer_starts
peer_writes 12288 third
peer_is_refused 600000 beyond
peer_ends
mapsealctl break file -- true
server_says deregistered
[ "$(in_file 12288 5)" = third ] || fail "the next peer's write is not in the file"
[ -z "$(in_file 8192 6)" ] || fail "a write came after the window was returned"
[ "$(stat -c %s "$file")" = 524288 ] || fail "the size is not what the truncation made it"
server_ends
