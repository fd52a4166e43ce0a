# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The rig for tests in shell: sourced. Makes $dir, starts a supervisor with the configuration on standard
# input (`rig <<END`), and gives
#
#	mapsealctl	as root
#	as_user CMD	as uid 65534, the built mapsealctl first in PATH
#	fail TEXT	ends the test
#	query CODE	Python with v, the JSON on standard input
#
# What was built is copied to $dir/bin, since another uid need not reach the build directory.

set -euo pipefail

[ "$(id -u)" = 0 ] || { echo "needs root: the supervisor is privileged"; exit 77; }

dir=$(mktemp -d /var/tmp/mapseal-test-XXXXXX)
chmod 0755 "$dir"
mkdir "$dir/bin" "$dir/lib"
mapsealctl_binary=$top_builddir/.libs/mapsealctl
[ -x "$mapsealctl_binary" ] || mapsealctl_binary=$top_builddir/mapsealctl
cp "${MAPSEALCTL:-$mapsealctl_binary}" "$dir/bin/mapsealctl" # a stand-in of tests/valgrind.sh
cp -a "$top_builddir"/.libs/libmapseal.so* "$dir/lib/"
export PATH=$dir/bin:$PATH LD_LIBRARY_PATH=$dir/lib

fail() { printf 'failed: %s\n' "$*"; exit 1; }
query() { python3 -c 'import json, sys; v = json.load(sys.stdin); '"$1"; }
as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }

supervisor_pid=
mounted=() # in $dir, by the test
rig() {
	cat >"$dir/mapseald.conf"
	coproc supervisor { exec "$top_builddir/tests/system/supervise" "$dir"; }
	# shellcheck disable=SC2154
	supervisor_pid=$supervisor_PID
	local line=
	read -r line <&"${supervisor[0]}" || true
	[ "$line" = ready ] || fail "the supervisor did not start"
	export MAPSEAL_SOCKET=$dir/socket
}

# The same with one export, "file", which everybody may read and write; rig_file PATH [LINE OF ITS SECTION...]
rig_file() {
	rig < <(printf '%s\n' '[export file]' "path = $1" 'read = *' 'write = *' "${@:2}")
}

rig_end() {
	local status=${1:-$?} mount
	trap - EXIT
	if [ -n "$supervisor_pid" ]; then
		eval "exec ${supervisor[1]}>&-"
		wait "$supervisor_pid" || { echo "the supervisor did not leave in good order"; status=1; }
	fi
	for mount in "${mounted[@]}"; do
		umount -l "$mount" || status=1
	done
	rm -rf --one-file-system "$dir"
	exit "$status"
}
trap rig_end EXIT

# Refused with exit status $1 and a text that matches $2: refused 5 'may read' mapsealctl ...
refused() {
	local want=$1 pattern=$2 text status=0
	shift 2
	text=$("$@" 2>&1 >/dev/null) || status=$?
	[ "$status" = "$want" ] || fail "status $status, expected $want: $*: $text"
	grep -qE -- "$pattern" <<<"$text" || fail "text '$text' does not match '$pattern': $*"
}
