#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# mapsealctl under memcheck, each command once, against a real supervisor. Not: cat, hold and
# doctor, which need userfaultfd(2) or pidfd_open(2); Debian 12's valgrind (3.19) knows neither, and fails them.
. "$top_srcdir/tests/system/rig.sh"

head -c 300000 /dev/urandom >"$dir/file"
rig <<END
[export file]
path = $dir/file
read = *
write = *
END

ctl() {
	valgrind --quiet --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite,possible \
		"$dir/bin/mapsealctl" "$@"
}

mapsealctl hold file:0-4K --mode read >/dev/null &
holder=$!
until mapsealctl --json list | grep -q '"held"'; do :; done
id=$(mapsealctl --json list | python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["id"])')
for words in status list "show $id" "--json status" "--json list" "--json show $id" "quarantine list"; do
	# shellcheck disable=SC2086
	ctl $words >/dev/null || fail "mapsealctl $words: $?"
done
ctl --json break file >/dev/null || fail "mapsealctl break"
wait "$holder"
status=0
ctl show 4711 >/dev/null 2>&1 || status=$?
[ "$status" = 1 ] || fail "mapsealctl show 4711: $status"
