#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# valgrind.sh TEST...: tests under memcheck, as many at a time as there are processors. Of a test of the whole system it
# is the supervisor that runs there, and mapsealctl if the test is a script; of any other the test itself. An error
# or a leak in one process is a failure, whatever became of the test, and a skip is one too. What valgrind.list names
# is not run. Closes with a count.

set -uo pipefail
valgrind=$(command -v valgrind) || { echo "no valgrind here: ./bootstrap tools installs it"; exit 1; }
limit=300 # seconds a test

# Clients of another uid reach what is below it, and leave there what memcheck has to say.
dir=$(mktemp -d /var/tmp/mapseal-valgrind-XXXXXX)
trap 'kill $(jobs -p) 2>/dev/null; wait; rm -rf "$dir"' EXIT
trap 'exit 1' INT TERM
chmod 0755 "$dir"
mkdir "$dir/bin" "$dir/output" "$dir/result"
mkdir -m 1777 "$dir/said"
# shellcheck disable=SC2086
$CC -D_GNU_SOURCE -shared -fPIC -O2 -g -Wall -Wextra -fno-stack-protector -o "$dir/calls.so" \
	"$top_srcdir/tests/valgrind-calls.c" -ldl || exit 1
memcheck=(env "LD_PRELOAD=$dir/calls.so" "$valgrind" --vgdb=no --error-exitcode=99
	--leak-check=full --show-leak-kinds=definite --errors-for-leak-kinds=definite
	"--log-file=$dir/said/%q{MEMCHECK_TEST}.%p")

# Program $2 under memcheck, as $dir/bin/$1.
stand_in() {
	printf '#!/bin/sh\nexec %s "%s" "$@"\n' "${memcheck[*]}" "$2" >"$dir/bin/$1"
	chmod 0755 "$dir/bin/$1"
}
cp "$top_builddir/.libs/mapsealctl" "$dir/bin/mapsealctl-itself"
stand_in mapsealctl "$dir/bin/mapsealctl-itself"
stand_in mapseald "$top_builddir/mapseald"

run() {
	case $1 in
	tests/system/*.sh)
		MAPSEALD=$dir/bin/mapseald MAPSEALCTL=$dir/bin/mapsealctl SANITIZER=memcheck \
			timeout -k 5 "$limit" bash "$top_srcdir/$1" ;;
	tests/system/*)
		MAPSEALD=$dir/bin/mapseald timeout -k 5 "$limit" "$top_builddir/$1" ;;
	*)
		SANITIZER=memcheck timeout -k 5 "$limit" \
			"$top_builddir/libtool" --mode=execute "${memcheck[@]}" "$top_builddir/$1" ;;
	esac
}

# check(3) gives its children process groups of their own, which outlive what is stopped at the limit.
end_processes() {
	local said pid
	for said in "$dir/said/$1".*; do
		pid=${said##*.}
		case $(cat "/proc/$pid/comm" 2>/dev/null) in
		memcheck*) kill -KILL "$pid" ;;
		esac
	done
}

check() {
	local name=${1//\//_} status=0 bad
	export MEMCHECK_TEST=$name
	run "$1" >"$dir/output/$name" 2>&1 </dev/null || status=$?
	[ "$status" -lt 124 ] || end_processes "$name"
	bad=$(grep -lE 'ERROR SUMMARY: [1-9]|unhandled .* syscall' "$dir/said/$name".* 2>/dev/null)
	if [ "$status" = 0 ] && [ -z "$bad" ]; then
		echo passed
		return
	fi
	echo failed
	{
		echo "failed under valgrind, status $status: $1"
		tail -n 40 "$dir/output/$name"
		# shellcheck disable=SC2086
		[ -z "$bad" ] || grep -hE '^==[0-9]+== ' $bad | head -n 80
	} >&2
}

skipped=0
for test in "$@"; do
	if grep -qE "^$test( |\$)" "$top_srcdir/tests/valgrind.list"; then
		skipped=$((skipped + 1))
		continue
	fi
	while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do
		wait -n
	done
	check "$test" >"$dir/result/${test//\//_}" &
done
wait
passed=$(cat "$dir/result"/* | grep -c passed)
failed=$(cat "$dir/result"/* | grep -vc passed)
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
