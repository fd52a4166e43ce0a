#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# valgrind.sh PROGRAM...: unit tests and the decoder's corpus under memcheck. (valgrind-ctl.sh is for mapsealctl
# against a real supervisor, and run by hand.) An error or a leak is a failure, and so is a skip (77) that valgrind.list does not explain. Closes
# with a count.

set -uo pipefail
command -v valgrind >/dev/null || { echo "no valgrind here"; exit 77; }

log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0
memcheck=("$top_builddir/libtool" --mode=execute valgrind --quiet --error-exitcode=99
	--leak-check=full --errors-for-leak-kinds=definite,possible --child-silent-after-fork=yes)

check() {
	local name=$1 status=0
	shift
	timeout -k 5 300 "$@" >"$log" 2>&1 </dev/null || status=$?
	if [ "$status" = 0 ]; then
		passed=$((passed + 1))
	elif [ "$status" = 77 ] && grep -qE "^$name( |\$)" "$top_srcdir/tests/valgrind.list"; then
		skipped=$((skipped + 1))
	else
		failed=$((failed + 1))
		echo "failed under valgrind: $name"
		tail -n 40 "$log"
	fi
}

# check(3) forks each test by default; memcheck is to see them in one process
for program in "$@"; do
	if grep -qE "^$program +not run" "$top_srcdir/tests/valgrind.list"; then
		skipped=$((skipped + 1))
		continue
	fi
	check "$program" env CK_FORK=no CK_DEFAULT_TIMEOUT=0 "${memcheck[@]}" "$program"
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" = 0 ]
