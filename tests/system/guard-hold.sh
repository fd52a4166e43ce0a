#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# A command that runs inside a hold is a stranger to the guard: it is not kept from the range that is held free for
# it, and for what is sealed beyond, its holder is asked. So is the holder's seal for any other stranger, and the
# hold is in nobody's way.
. "$top_srcdir/tests/system/rig.sh"

printf '%s\n' 6.14 "$(uname -r)" | sort -VC || { echo "needs accesses that are held, which Linux 6.14 brought"; exit 77; }

head -c 262144 /dev/urandom >"$dir/file"
cp "$dir/file" "$dir/before"
rig_file "$dir/file" 'deadline-ms = 120000' 'hard-ms = 120000'

# A holder that returns when asked, and says so.
mkfifo "$dir/held"
holds() {
	as_user mapsealctl hold "$1" --mode read >"$dir/held" 2>"$dir/hold.text" &
	holder=$!
	exec 7<"$dir/held"
	read -r line <&7
	grep -q held <<<"$line" || fail "hold said: $line $(cat "$dir/hold.text")"
}

# within the hold, nobody is asked
holds file:64K-128K
mapsealctl break file:0-64K -- dd if=/dev/zero of="$dir/file" bs=4096 count=1 conv=notrunc status=none ||
	fail "dd inside the hold: $?"
mapsealctl list --json | query 'assert len(v) == 1 and v[0]["state"] == "held", v'
cmp -n 4096 "$dir/file" /dev/zero || fail "dd did not do its work"

# the truncation reaches beyond it
mapsealctl break file:0-64K -- truncate -s 4096 "$dir/file" || fail "truncate inside the hold: $?"
wait "$holder" || fail "hold ended with $?"
[ "$(stat -c %s "$dir/file")" = 4096 ] || fail "the command did not do its work"

# somebody else's hold, and a stranger who has nothing to do with it
exec 7<&-
cp "$dir/before" "$dir/file"
holds file:64K-128K
mkfifo "$dir/go" "$dir/started"
mapsealctl break file:0-64K -- sh -c 'echo >"$1"; read -r line <"$2"' sh "$dir/started" "$dir/go" &
breaker=$!
read -r _ <"$dir/started"
dd if=/dev/zero of="$dir/file" bs=4096 count=1 conv=notrunc status=none || fail "dd during the hold: $?"
mapsealctl list --json | query 'assert len(v) == 1 and v[0]["state"] == "held", v'
fallocate --punch-hole --offset 65536 --length 4096 "$dir/file" || fail "fallocate during the hold: $?"
wait "$holder" || fail "hold ended with $?"
echo >"$dir/go"
wait "$breaker" || fail "the break ended with $?"
head -c 4096 /dev/zero | cmp -n 4096 - <(tail -c +65537 "$dir/file") || fail "fallocate did not do its work"
