#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The server is stopped while a peer writes: its window is revoked at the deadline. The device goes on writing, and
# acknowledges it; nothing of that reaches the file, then or later.
. "$top_srcdir/tests/guest/rdma.sh"

rig 2>"$dir/log" <<END
[defaults]
deadline-ms = 300
hard-ms = 1000
[export file]
path = $file
read = *
write = *
END
server_starts
peer_starts
peer_writes 4096 first
[ "$answer" = written ] || fail "the peer could not write"
kill -STOP "$server"
mapsealctl --json break file -- truncate -s 512K "$file" 2>"$dir/account"
cat "$dir/account"
grep -q '"revoked"' "$dir/account" || fail "the window was not revoked"
grep -q '"fenced"' "$dir/account" || fail "the window was not fenced"
grep -q '"registrations":1,"registered":1048576' <<<"$(tr -d ' \n' <"$dir/account")" || fail "the account does not name the registration"
grep -q "pid $server, still has 1 registration with RDMA devices, of 1 MiB" "$dir/log" || fail "the log does not name the registration"
before=$(sha256sum <"$file")
peer_writes 8192 late
[ "$answer" = written ] || fail "the device should not have noticed"
[ "$(sha256sum <"$file")" = "$before" ] || fail "a write after the revocation is in the file"
[ "$(as_user mapsealctl cat file | sha256sum)" = "$before" ] || fail "a reader sees another file"
kill -CONT "$server"
server_says revoked
server_says 'serving 524288 bytes'
mapsealctl break file -- true
[ "$(sha256sum <"$file")" = "$before" ] || fail "a write after the revocation is in the file, later"
peer_ends
kill "$server"
