#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# break -- COMMAND: the command runs while the range is held free, its status and output are passed on; a command that
# asks for a seal itself gets it, by the token; one without the token is told to try later, and nobody hangs;
# one that never ends loses its hold at the longest duration.
. "$top_srcdir/tests/system/rig.sh"

head -c 1048576 /dev/zero >"$dir/file"
head -c 1048576 /dev/zero >"$dir/short"
rig <<END
[export file]
path = $dir/file
read = *
write = *
[export short]
path = $dir/short
read = *
write = *
hold-ms = 500
END

# A holder that returns when asked, and says so.
mkfifo "$dir/held"
as_user mapsealctl hold file --mode read >"$dir/held" 2>&1 &
holder=$!
exec 7<"$dir/held"
read -r line <&7
grep -q held <<<"$line" || fail "hold said: $line"

status=0
out=$(mapsealctl break file -- sh -c 'echo out; truncate -s 4096 "$1"; exit 42' sh "$dir/file" 2>"$dir/account") || status=$?
[ "$status" = 42 ] || fail "the command's status 42 became $status: $(cat "$dir/account")"
[ "$out" = out ] || fail "the command's output became: $out"
grep -q returned "$dir/account" || fail "no account: $(cat "$dir/account")"
wait "$holder" || fail "hold ended with $?"
[ "$(stat -c %s "$dir/file")" = 4096 ] || fail "the command did not do its work"

# the command asks for a seal on the held range: part of the hold, so it gets it
out=$(mapsealctl break file -- mapsealctl cat file | wc -c)
[ "$out" = 4096 ] || fail "a command with the token read $out bytes"
# without the token it would wait for its own parent: it is refused at once
status=0
mapsealctl break file -- env -u MAPSEAL_TOKEN mapsealctl cat file >/dev/null 2>"$dir/text" || status=$?
[ "$status" = 4 ] || fail "without the token: status $status"
grep -q 'held free by a break' "$dir/text" || fail "without the token: $(cat "$dir/text")"
# a forged token is refused
MAPSEAL_TOKEN=12345 refused 1 'hold|token' mapsealctl cat file

# one that never ends: the hold does
mkfifo "$dir/never"
mapsealctl break short -- sh -c 'echo started; exec sleep infinity' >"$dir/never" 2>"$dir/never.text" &
never=$!
exec 8<"$dir/never"
read -r line <&8
# A transparent waiter would park; a polite one is told, until the hold is over.
while ! mapsealctl cat short >/dev/null 2>&1; do :; done
pkill -P "$never" sleep || true
status=0
wait "$never" || status=$?
[ "$status" -ne 0 ] || fail "a hold that expired was reported as a success"
grep -q "longest hold" "$dir/never.text" || fail "nobody was told: $(cat "$dir/never.text")"

# --no-wait, and a silent breaker in the way of another
as_user mapsealctl hold file --mode read >"$dir/held2" 2>&1 &
holder=$!
until grep -q held "$dir/held2" 2>/dev/null; do :; done
refused 4 'file|sealed' mapsealctl break file --no-wait -- true
kill -TERM "$holder"
wait "$holder" || true
