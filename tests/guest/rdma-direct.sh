#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A peer writes by RDMA into a file on DAX itself, of which nothing is pinned: its bytes are in the file at once. Somebody
# truncates it, and the server deregisters. When the server is silent, the device is refused what was cut off; what is left
# of the file it still writes, and the account says that.
. "$top_srcdir/tests/guest/rdma.sh"

options=(--direct)
opening 'deadline-ms = 1000' 'hard-ms = 3000'
[ "$(in_file 4096 5)" = first ] || fail "what the peer wrote is not in the file"
cut_to 512K '"returned"'
server_says deregistered
server_says 'serving 524288 bytes'
peer_is_refused 8192 second
peer_ends

peer_starts
peer_writes 300000 third
kill -STOP "$server"
cut_to 256K '"revoked"' '"unfenced"'
log_says "pid $server, still has 1 registration with RDMA devices, of 512 KiB"
peer_writes 12288 fourth
[ "$(in_file 12288 6)" = fourth ] || fail "what the device wrote is not in the file"
peer_is_refused 300000 fifth
[ "$(stat -c %s "$file")" = 262144 ] || fail "the size is not what the truncation made it"
kill -CONT "$server"
server_says revoked
server_says 'serving 262144 bytes'
peer_ends
server_ends
