#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# mapsealctl and mapseald refuse what they do not know, by name, with the documented status, and change nothing.
. "$top_srcdir/tests/system/rig.sh"

head -c 65536 /dev/zero >"$dir/file"
refused 3 'supervisor|socket' mapsealctl --socket "$dir/nowhere" status
rig <<END
[export file]
path = $dir/file
read = uid:65534@0-16K
[export other]
path = $dir/file
write = uid:1
END

refused 2 'frobnicate' mapsealctl frobnicate
refused 2 'frob' mapsealctl list --frob
refused 2 'mode' mapsealctl hold file --mode sideways
refused 2 '' mapsealctl cat
refused 2 '' mapsealctl break file --wait -5
for range in 4K-4K 8K-4K 0+0 x-y 0-99999999999999999999 16E+16E -1-4K 4K- 1.5K+4K; do
	refused 2 'file:' mapsealctl cat "file:$range"
done
refused 1 'align|page' as_user mapsealctl hold file:1-4097 --mode read
refused 1 'end|size' as_user mapsealctl cat file:0-1G
refused 1 'nothing' as_user mapsealctl cat nothing
refused 5 'nothing of it' as_user mapsealctl cat other
mapsealctl cat other | cmp - "$dir/file"
refused 5 'may read|read' as_user mapsealctl cat file:0-32K
refused 5 'write' as_user mapsealctl hold file --mode write
refused 1 '4711' mapsealctl show 4711

for bad in 'nonsense = 1' '[export x]
path = /etc/passwd
reed = *' '[export x]
read = *' '[export x]
path = relative
read = *' '[defaults]
deadline-ms = -1' '[defaults]
deadline-ms = 9000
hard-ms = 1000' '[what]
a = b'; do
	printf '%s\n' "$bad" >"$dir/bad.conf"
	status=0
	text=$("$top_builddir/mapseald" --socket "$dir/other" --config "$dir/bad.conf" 2>&1) || status=$?
	[ "$status" != 0 ] || fail "accepted: $bad"
	grep -qE 'bad.conf:[0-9]+|bad.conf' <<<"$text" || fail "no file and line: $text"
done
# by file, line and key, with what would be right
bad_config() {
	printf '%s\n' "$1" >"$dir/bad.conf"
	"$top_builddir/mapseald" --socket "$dir/other" --config "$dir/bad.conf" 2>"$dir/text" && fail "accepted: $1"
	grep -qF "$2" "$dir/text" || fail "$(cat "$dir/text") does not say $2"
}
bad_config $'[export x]\npath = /etc/passwd\nreed = *' 'bad.conf:3: reed: no such key in [export]; allowed are path, directory, read, '
bad_config $'[quota]\nmax-seals = 0' 'bad.conf:2: max-seals = 0: out of bounds; 1 to 16777216 are allowed'
bad_config '[what]' 'bad.conf:1: [what]: no such section; [daemon], [quota], '
bad_config $'[export x]\npath = /a\nread = bob-nobody-knows' 'bad.conf:3: read = bob-nobody-knows: there is no user'
status=0
"$top_builddir/mapseald" --frob 2>"$dir/text" || status=$?
[ "$status" = 2 ] || fail "mapseald --frob: $status"
grep -q frob "$dir/text" || fail "mapseald --frob says $(cat "$dir/text")"
# the one that serves the socket stays
status=0
text=$("$top_builddir/mapseald" --socket "$dir/socket" 2>&1) || status=$?
[ "$status" != 0 ] || fail "a second supervisor took the socket"
as_user mapsealctl cat file:0-16K | cmp - <(head -c 16384 /dev/zero)
