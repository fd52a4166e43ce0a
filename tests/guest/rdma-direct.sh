#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A peer writes by RDMA into a file on DAX itself, of which nothing is pinned: its bytes are in the file at once. Somebody
# truncates it, and the server deregisters. When the server is silent, the device is refused what was cut off; what is left
# of the file it still writes, and the account says that.
. "$top_srcdir/tests/guest/rdma.sh"

rig 2>"$dir/log" <<END
[defaults]
deadline-ms = 1000
hard-ms = 3000
[export file]
path = $file
read = *
write = *
END
server_starts --direct
peer_starts
peer_writes 4096 first
[ "$answer" = written ] || fail "the peer could not write"
[ "$(in_file 4096 5)" = first ] || fail "what the peer wrote is not in the file"
mapsealctl --json break file -- truncate -s 512K "$file" 2>"$dir/account"
cat "$dir/account"
grep -q '"returned"' "$dir/account" || fail "the seal was not returned"
server_says deregistered
server_says 'serving 524288 bytes'
peer_writes 8192 second
[[ $answer == refused* ]] || fail "the old connection still writes"
peer_ends

peer_starts
peer_writes 300000 third
[ "$answer" = written ] || fail "the next peer could not write"
kill -STOP "$server"
mapsealctl --json break file -- truncate -s 256K "$file" 2>"$dir/account"
cat "$dir/account"
grep -q '"revoked"' "$dir/account" || fail "the seal was not revoked"
grep -q '"unfenced"' "$dir/account" || fail "nobody has fenced it"
grep -q "pid $server, still has 1 registration with RDMA devices, of 512 KiB" "$dir/log" ||
	fail "the log does not name the registration"
peer_writes 12288 fourth
[ "$answer" = written ] || fail "the device was stopped by nobody"
[ "$(in_file 12288 6)" = fourth ] || fail "what the device wrote is not in the file"
peer_writes 300000 fifth
[[ $answer == refused* ]] || fail "the device wrote what the file does not have any more"
[ "$(stat -c %s "$file")" = 262144 ] || fail "the size is not what the truncation made it"
kill -CONT "$server"
server_says revoked
server_says 'serving 262144 bytes'
peer_ends
kill "$server"
rm "$file"
