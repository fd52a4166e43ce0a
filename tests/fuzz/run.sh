#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Fuzzes: run.sh SECONDS [TARGET]
#
# The target that is named, or all of them, sharing so many seconds; from the kept corpus, under address and
# undefined-behaviour sanitizers. Programs, new inputs and crashes go to tests/fuzz/run/TARGET in
# the build directory ($top_builddir, or the current one). What crashed is worth keeping: give it a
# name that says what it does, and put it into tests/fuzz/corpus/TARGET.
#
# Ends with a line of figures for each target. 0: nothing was found; 1: something was; 77: this clang has
# no libFuzzer, or a target can't run here.

set -eu

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
	echo "usage: run.sh SECONDS [TARGET]" >&2
	exit 2
fi
seconds=$1
top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
top_builddir=${top_builddir:-$(pwd)}
clang=${CLANG:-clang}
targets=${2:-decode session}
[ $# -eq 2 ] || seconds=$(((seconds + 1) / 2))

# A target: its sources besides tests/fuzz/fuzz-TARGET.c, its packages, what its linker is told, and its
# longest input.
describe() {
	packages='' link=''
	case $1 in
	decode) sources='proto/table.c proto/str.c proto/codec.c proto/dump.c' max_len=8300 ;;
	session)
		sources='util/*.c proto/table.c proto/str.c proto/codec.c proto/dump.c
			proto/fdlist.c proto/frame.c daemon/*/*.c tests/fuzz/session-*.c tests/descriptors.c'
		packages='liburing inih libsystemd libnl-3.0'
		link='-Wl,--wrap=clock_gettime -Wl,--wrap=log_line -lpthread'
		max_len=256
		;;
	*) echo "no such target: $1" >&2; exit 2 ;;
	esac
}

build() {
	libraries=$link
	flags="-std=gnu11 -D_GNU_SOURCE -g -O1 -fno-omit-frame-pointer"
	flags="$flags -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all"
	if [ -e "$top_builddir/config.h" ]; then
		flags="$flags -include $(cd "$top_builddir" && pwd)/config.h"
	else
		echo '#define PACKAGE_VERSION "0"' >"$2/config.h"
		flags="$flags -include $2/config.h"
	fi
	if [ -n "$packages" ]; then
		# shellcheck disable=SC2086 # a list
		flags="$flags $(pkg-config --cflags $packages)"
		# shellcheck disable=SC2086 # a list
		libraries="$libraries $(pkg-config --libs $packages)"
	fi
	# shellcheck disable=SC2086 # lists
	(cd "$top_srcdir" && "$clang" $flags -I. -Iinclude $sources "tests/fuzz/fuzz-$1.c" \
		-o "$2/fuzz-$1" $libraries)
}

# The figures of a log of libFuzzer.
figures() {
	runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$2")
	speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$2")
	covered=$(sed -n 's/^#[0-9]*.* cov: \([0-9]*\) .*/\1/p' "$2" | tail -n 1)
	edges=$(sed -n 's/^INFO: Loaded .* PC tables (\([0-9]*\) PCs).*/\1/p' "$2" | tail -n 1)
	corpus=$(sed -n 's/^#[0-9]*.* corp: \([0-9]*\)\/.*/\1/p' "$2" | tail -n 1)
	crashes=$(grep -c '^artifact_prefix=.*Test unit written' "$2" || true)
	echo "$1: $seconds s, ${runs:-0} runs, ${speed:-0}/s, ${covered:-0} of ${edges:-0} edges," \
		"corpus ${corpus:-0}, crashes ${crashes:-0}"
}

mkdir -p "$top_builddir/tests/fuzz/run"
run=$(cd "$top_builddir/tests/fuzz/run" && pwd)

echo 'int LLVMFuzzerTestOneInput(const char *d, long n); int LLVMFuzzerTestOneInput(const char *d, long n) { return d && n < 0; }' >"$run/probe.c"
if ! "$clang" -fsanitize=fuzzer,address,undefined "$run/probe.c" -o "$run/probe" 2>/dev/null; then
	echo "$clang -fsanitize=fuzzer does not link here"
	exit 77
fi

status=0 lines=
for target in $targets; do
	describe "$target"
	mkdir -p "$run/$target/new"
	build "$target" "$run/$target"
	dictionary=
	if [ -e "$top_builddir/tests/fuzz/protocol.dict" ]; then
		dictionary=-dict=$(cd "$top_builddir" && pwd)/tests/fuzz/protocol.dict
	fi
	result=0
	# shellcheck disable=SC2086 # empty, or one argument
	"$run/$target/fuzz-$target" -max_total_time="$seconds" -max_len="$max_len" $dictionary \
		-artifact_prefix="$run/$target/" -print_final_stats=1 -timeout=20 -len_control=0 -rss_limit_mb=4096 \
		"$run/$target/new" "$top_srcdir/tests/fuzz/corpus/$target" \
		>"$run/$target/out" 2>"$run/$target/log" || result=$?
	case $result in
	0) ;;
	77)
		lines="$lines$target: $(cat "$run/$target/out")
"
		[ $status -ne 0 ] || status=77
		continue
		;;
	*)
		status=1
		grep -E 'SUMMARY|broken:|runtime error|Test unit written' "$run/$target/log" || true
		;;
	esac
	lines="$lines$(figures "$target" "$run/$target/log")
"
done
printf '%s' "$lines"
exit $status
