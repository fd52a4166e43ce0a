#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Started by systemd's own tool at the first connection, mapseald serves whoever made it and who comes later.
. "$top_srcdir/tests/system/rig.sh"

command -v systemd-socket-activate >/dev/null || { echo "no systemd-socket-activate here"; exit 77; }
head -c 65536 /dev/urandom >"$dir/file"
printf '[export file]\npath = %s\nread = *\n' "$dir/file" >"$dir/mapseald.conf"
export MAPSEAL_SOCKET=$dir/socket
mkfifo "$dir/log"
systemd-socket-activate --seqpacket -l "$MAPSEAL_SOCKET" \
	"$top_builddir/mapseald" --config "$dir/mapseald.conf" 2>"$dir/log" &
pid=$!
trap 'status=$?; kill $pid 2>/dev/null || true; rig_end "$status"' EXIT
# it says so when the socket is there
exec 3<"$dir/log"
read -r line <&3
[[ $line == Listening* ]] || fail "$line"
chmod 0666 "$MAPSEAL_SOCKET"
as_user mapsealctl cat file | cmp - "$dir/file"
as_user mapsealctl cat file | cmp - "$dir/file"
kill -TERM $pid
wait $pid || fail "it left with status $?"
