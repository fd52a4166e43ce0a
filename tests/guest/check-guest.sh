#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# check-guest.sh BUILDDIR: what was built, on kernels other than this machine's, under QEMU without kvm:
#
#	kernel-6.1	Debian 12's own, the oldest promised: everything about windows
#	kernel-newest	of Debian's backports: part of that; DAX on an emulated NVDIMM; RDMA by rxe; failures of power
#
# Kernels are fetched once, unpacked in $GUEST_CACHE, and never installed; to have newer ones, remove them there. Needs
# ./bootstrap guest, and root to unpack and for the guest's root, which is this machine's, read-only.
#
# $GUEST_KERNELS and $GUEST_SUITES limit what is run; so does $GUEST_ONLY, a pattern of test names. `make` says in
# $GUEST_OLDEST, $GUEST_NEWEST and $GUEST_DAX which tests there are. Logs are in BUILDDIR/guest. The last line counts.

set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=$(realpath "$1")
cache=${GUEST_CACHE:-${XDG_CACHE_HOME:-/var/cache}/mapseal-guest}
kernels=${GUEST_KERNELS:-kernel-6.1 kernel-newest}

debian_suite() {
	case $1 in
	kernel-6.1) echo bookworm ;;
	kernel-newest) echo trixie-backports ;;
	*) echo "no kernel is called $1" >&2; exit 2 ;;
	esac
}

suites() {
	case $1 in
	kernel-6.1) echo window ;;
	*) echo window dax rdma power-cut ;;
	esac
}

window_tests() {
	case $1 in
	kernel-6.1) echo "$GUEST_OLDEST" ;;
	*) echo "$GUEST_NEWEST" ;;
	esac
}

# What init and the suites have to know.
environment() {
	local -x GUEST_KERNEL=$cache/$1 GUEST_SUITES=${GUEST_SUITES:-$(suites "$1")} GUEST_TESTS
	GUEST_TESTS=$(window_tests "$1")
	local -x top_srcdir=$(realpath "$here/../..") top_builddir=$build
	local -x GUEST_TEST_SECONDS=${GUEST_TEST_SECONDS:-120} HOME=/root LC_ALL=C.UTF-8
	local -x PATH=$build:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
	export -p | grep -E '^declare -x (GUEST_(KERNEL|SUITES|TESTS|DAX|ONLY|TEST_SECONDS)=|PATH=|HOME=|LC_ALL=|top_|CC=|SANITIZER=|CK_)' |
		sed 's/^declare -x/export/'
}

# Boots one kernel, and leaves a report of its tests.
check() {
	local kernel=$1 dir=$build/guest/$1 began=$SECONDS
	rm -rf "$dir"
	mkdir -p "$dir"
	environment "$kernel" >"$dir/environment"
	setpriv --pdeathsig TERM bash "$here/run.sh" "$cache/$kernel" "$dir" >"$dir/broken" 2>&1 && rm "$dir/broken"
	if [ ! -e "$dir/done" ] || [ -e "$dir/broken" ]; then
		echo ':test-result: FAIL' >"$dir/guest.trs"
		tail -n 30 "$dir/broken" "$dir/inside.log" "$dir/console" >"$dir/guest.log" 2>/dev/null || true
	fi
	{
		bash "$here/../report.sh" "$here/../skips.list" "$dir" "$kernel" || echo "$kernel failed" >"$dir/failed"
	} >"$dir/report" 2>&1
	echo "$((SECONDS - began)) s" >"$dir/took"
}

[ "$(id -u)" = 0 ] || { echo "needs root"; exit 1; }
for tool in qemu-system-x86_64 busybox modprobe cpio ndctl rdma mkfs.xfs mkfs.ext4; do
	command -v "$tool" >/dev/null || { echo "no $tool here; ./bootstrap guest installs what is missing"; exit 1; }
done
[ -x "$build/tests/guest/rdma-register" ] || {
	echo "built without librdmacm; ./bootstrap guest installs what is missing, then configure again"
	exit 1
}

passed=0 failed=0 skipped=0 status=0
fetched=()
for kernel in $kernels; do
	suite=$(debian_suite "$kernel")
	result=0
	bash "$here/kernel.sh" "$suite" "$cache/$kernel" || result=$?
	case $result in
	0) fetched+=("$kernel") ;;
	77)
		echo "*** $kernel WAS NOT TESTED: it is not in $cache, and there is no network to fetch it from"
		skipped=$((skipped + 1))
		;;
	*) exit 1 ;;
	esac
done
# Emulation is slow, and uses one processor: all at the same time.
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
for kernel in "${fetched[@]}"; do
	check "$kernel" &
done
wait
for kernel in "${fetched[@]}"; do
	dir=$build/guest/$kernel
	echo "$kernel: $(cat "$dir"/guest-release 2>/dev/null), $(cat "$dir/took")"
	grep -h 'once more' "$dir/inside.log" 2>/dev/null || true # said aloud, and no verdict
	cat "$dir/report"
	[ ! -e "$dir/failed" ] || status=1
	read -r p _ f _ s _ <<<"$(tail -n 1 "$dir/report")"
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "$passed passed, $failed failed, $skipped skipped"
exit "$status"
