#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What runs in the guest. As its init: runs the suites that /run/guest/environment names, each a file of shell in
# suites/, and switches the machine off. A suite calls `run NAME COMMAND...` for each test; results go
# where `make check` would put them, to /run/guest/NAME.log and .trs, so that tests/report.sh can count them.
#
# A suite may cut the power, once it has left /run/guest/again: it is then the first one of the next boot.

set -euo pipefail
shared=/run/guest

# After `sync`, since files shared by 9p are the host's and need none.
leave() {
	echo "$1" >/proc/sysrq-trigger
	while :; do sleep 60; done
}

if [ "${1-}" = init ]; then
	bash "$0" >>"$shared/inside.log" 2>&1 </dev/null || echo "a suite ended with $?" >"$shared/broken"
	sync
	leave o
fi

# A test that is asked for: its own process group, a limit on time, and nothing on its standard input.
run() {
	local name=$1 log=$shared/$1.log status=0 result began=$EPOCHREALTIME
	[[ $name =~ ${GUEST_ONLY-} ]] || return 0
	shift
	mkdir -p "${log%/*}"
	(cd /var/tmp/work && timeout -k 5 "$GUEST_TEST_SECONDS" "$@"; exit $?) >"$log" 2>&1 </dev/null || status=$?
	# Emulation in software may lose a processor's wake-up. Whatever fails by itself has failed; what hangs is tried once
	# more, and that is said.
	if [ "$status" = 124 ]; then
		echo "hung, and is tried once more: $name"
		status=0
		(cd /var/tmp/work && timeout -k 5 "$GUEST_TEST_SECONDS" "$@"; exit $?) >>"$log" 2>&1 </dev/null || status=$?
	fi
	case $status in
	0) result=PASS ;;
	77) result=SKIP ;;
	*)
		result=FAIL
		echo "status $status" >>"$log"
		;;
	esac
	echo ":test-result: $result" >"$shared/$name.trs"
	awk -v from="$began" -v to="$EPOCHREALTIME" -v what="$result $name" \
		'BEGIN { printf "%7.2f s  %s\n", to - from, what }'
}

# Where the program NAME of the build is: what libtool's script would run, and without that script, which costs more than
# most tests.
built() {
	local real=$top_builddir/${1%/*}/.libs/${1##*/}
	[ -x "$real" ] || real=$top_builddir/$1
	echo "$real"
}
export LD_LIBRARY_PATH=$top_builddir/.libs PATH=$top_builddir/.libs:$PATH

boot=$(($(cat "$shared/boot" 2>/dev/null || echo 0) + 1))
echo "$boot" >"$shared/boot"
uname -r >"$shared/guest-release"
echo "boot $boot of $(uname -r), $(cut -d' ' -f1 /proc/uptime) s after power on"

mkdir -p /lib/modules
mount --bind "$GUEST_KERNEL/lib/modules" /lib/modules
modprobe -a virtio_blk ext4 loop
# What tests lend are files of a real file system, wherever they make them. What was built may lie there too: it stays in
# sight.
[ "$boot" != 1 ] || mkfs.ext4 -q /dev/vda
mkdir /run/root
mount --bind / /run/root
mount /dev/vda /var/tmp
mkdir -p /var/tmp/{tmp,work}
chmod 1777 /var/tmp /var/tmp/tmp
mount --bind /var/tmp/tmp /tmp
for directory in "$top_srcdir" "$top_builddir"; do
	case $directory in
	/tmp/* | /var/tmp/*)
		mkdir -p "$directory"
		mount --bind "/run/root$directory" "$directory"
		;;
	esac
done
ip link set lo up

at=$(cat "$shared/suite" 2>/dev/null || true)
for suite in $GUEST_SUITES; do
	[ -z "$at" ] || [ "$suite" = "$at" ] || continue
	at=
	echo "$suite" >"$shared/suite"
	echo "suite $suite"
	. "$top_srcdir/tests/guest/suites/$suite.sh"
done
if dmesg | grep -E 'BUG:|WARNING:|Oops|general protection' >"$shared/kernel-log"; then
	dmesg >"$shared/kernel-log"
	run kernel-log false
fi
touch "$shared/done"
