#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# hold keeps a seal until it is recalled, its COMMAND ends, or it is interrupted, and says which by its exit status;
# break waits no longer than it is told to; a path stands for a file of one's own, colons and all.
. "$top_srcdir/tests/system/rig.sh"

head -c 65536 /dev/urandom >"$dir/file"
rig_file "$dir/file" 'deadline-ms = 60000' 'hard-ms = 60000'
seals() { mapsealctl --json list | query 'print(len(v))'; }

# while the COMMAND runs, and no longer; its status and output are passed on
status=0
out=$(mapsealctl hold file:0-4K -- sh -c 'mapsealctl list --json; exit 7' 2>"$dir/text") || status=$?
[ "$status" = 7 ] || fail "the command's status 7 became $status: $(cat "$dir/text")"
grep -q '"offset": *0' <<<"$out" || fail "not held while the command ran: $out"
[ "$(seals)" = 0 ] || fail "held after the command ended"
said=nonsense
[ "$SANITIZER" != memcheck ] || said= # posix_spawn(3) is no vfork(2) there, and its errno does not come back
refused 127 "$said" mapsealctl hold file -- /nonexistent/nonsense
[ "$(seals)" = 0 ] || fail "held without a command"

# recalled while the COMMAND runs: it is not stopped, but its success does not count
mkfifo "$dir/started" "$dir/go"
mapsealctl hold file --mode write -- sh -c 'echo started >"$1"; read -r _ <"$2"' sh "$dir/started" "$dir/go" \
	2>"$dir/text" &
holder=$!
read -r _ <"$dir/started"
mapsealctl break file >"$dir/account"
grep -q returned "$dir/account" || fail "$(cat "$dir/account")"
echo >"$dir/go"
status=0
wait "$holder" || status=$?
[ "$status" = 7 ] || fail "recalled during the command: status $status: $(cat "$dir/text")"

# interrupted, it returns
mkfifo "$dir/held"
as_user mapsealctl hold file --mode write >"$dir/held" &
holder=$!
exec 7<"$dir/held"
read -r _ <&7
[ "$(seals)" = 1 ] || fail "not held"
kill -INT "$(mapsealctl --json list | query 'print(v[0]["holder"]["pid"])')"
wait "$holder" || fail "interrupted: status $?"
[ "$(seals)" = 0 ] || fail "held after it was interrupted"

# a breaker's patience, with a holder that does nothing
mkfifo "$dir/silent"
as_user mapsealctl hold file --mode write >"$dir/silent" &
exec 8<"$dir/silent"
read -r _ <&8
pid=$(mapsealctl --json list | query 'print(v[0]["holder"]["pid"])')
kill -STOP "$pid"
refused 6 'file' mapsealctl break file --wait 50
refused 6 'file' mapsealctl hold file --wait 50
refused 4 "sealed by pid $pid" mapsealctl hold file --no-wait
kill -KILL "$pid"

# a file of one's own, by its path
mkdir "$dir/own"
cp "$dir/file" "$dir/own/a:4K-8K"
chown -R 65534:65534 "$dir/own"
as_user mapsealctl cat "$dir/own/a:4K-8K" | cmp - "$dir/file"
as_user mapsealctl cat "$dir/own/a:4K-8K:8K+4K" | cmp - <(tail -c +8193 "$dir/file" | head -c 4096)
chmod 0600 "$dir/file"
chown 0 "$dir/file"
refused 5 'ermission' as_user mapsealctl cat "$dir/file"
