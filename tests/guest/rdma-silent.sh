#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The server is stopped while a peer writes: its window is revoked at the deadline. The device goes on writing, and
# acknowledges it; nothing of that reaches the file, then or later.
. "$top_srcdir/tests/guest/rdma.sh"

opening 'deadline-ms = 300' 'hard-ms = 1000'
kill -STOP "$server"
cut_to 512K '"revoked"' '"fenced"' '"registrations":1,"registered":1048576'
log_says "pid $server, still has 1 registration with RDMA devices, of 1 MiB"
before=$(sha256sum <"$file")
peer_writes 8192 late
[ "$(sha256sum <"$file")" = "$before" ] || fail "a write after the revocation is in the file"
[ "$(as_user mapsealctl cat file | sha256sum)" = "$before" ] || fail "a reader sees another file"
kill -CONT "$server"
server_says revoked
server_says 'serving 524288 bytes'
mapsealctl break file -- true
[ "$(sha256sum <"$file")" = "$before" ] || fail "a write after the revocation is in the file, later"
peer_ends
server_ends
