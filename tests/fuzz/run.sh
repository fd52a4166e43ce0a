#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Fuzzes: run.sh SECONDS [TARGET]
#
# Every target, or the one named, for so many seconds each, from the kept corpus, under address and
# undefined-behaviour sanitizers. Programs, new inputs and crashes go to tests/fuzz/run/TARGET in
# the build directory ($top_builddir, or the current one). What crashed is worth keeping: give it a
# name that says what it does, and put it into tests/fuzz/corpus/TARGET.
#
# 0: nothing was found; 1: something was; 77: this clang has no libFuzzer.

set -eu

if [ $# -lt 1 ] || [ $# -gt 2 ]; then
	echo "usage: run.sh SECONDS [TARGET]" >&2
	exit 2
fi
seconds=$1
top_srcdir=${top_srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
top_builddir=${top_builddir:-$(pwd)}
clang=${CLANG:-clang}
targets=${2:-decode}

# A target: its sources besides tests/fuzz/fuzz-TARGET.c, its packages, and its longest input.
describe() {
	packages=
	case $1 in
	decode) sources='proto/table.c proto/str.c proto/codec.c proto/dump.c' max_len=8300 ;;
	*) echo "no such target: $1" >&2; exit 2 ;;
	esac
}

build() {
	libraries=
	flags="-std=gnu11 -D_GNU_SOURCE -g -O1 -fno-omit-frame-pointer"
	flags="$flags -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all"
	if [ -e "$top_builddir/config.h" ]; then
		flags="$flags -include $top_builddir/config.h"
	fi
	if [ -n "$packages" ]; then
		# shellcheck disable=SC2086 # a list
		flags="$flags $(pkg-config --cflags $packages)" libraries=$(pkg-config --libs $packages)
	fi
	# shellcheck disable=SC2086 # lists
	(cd "$top_srcdir" && "$clang" $flags -I. -Iinclude $sources "tests/fuzz/fuzz-$1.c" \
		-o "$2/fuzz-$1" $libraries)
}

mkdir -p "$top_builddir/tests/fuzz/run"
run=$(cd "$top_builddir/tests/fuzz/run" && pwd)

echo 'int LLVMFuzzerTestOneInput(const char *d, long n); int LLVMFuzzerTestOneInput(const char *d, long n) { return d && n < 0; }' >"$run/probe.c"
if ! "$clang" -fsanitize=fuzzer,address,undefined "$run/probe.c" -o "$run/probe" 2>/dev/null; then
	echo "$clang -fsanitize=fuzzer does not link here"
	exit 77
fi

found=0
for target in $targets; do
	describe "$target"
	mkdir -p "$run/$target/new"
	build "$target" "$run/$target"
	dictionary=
	if [ -e "$top_builddir/tests/fuzz/protocol.dict" ]; then
		dictionary=-dict=$(cd "$top_builddir" && pwd)/tests/fuzz/protocol.dict
	fi
	# shellcheck disable=SC2086 # empty, or one argument
	"$run/$target/fuzz-$target" -max_total_time="$seconds" -max_len="$max_len" $dictionary \
		-artifact_prefix="$run/$target/" -print_final_stats=1 -timeout=10 \
		"$run/$target/new" "$top_srcdir/tests/fuzz/corpus/$target" \
		2>"$run/$target/log" || found=1
	echo "$target:"
	grep -E 'SUMMARY|broken:|runtime error|Test unit written' "$run/$target/log" || true
	grep -E '^#[0-9]+.*DONE|^stat::(number|average)|^Done' "$run/$target/log" || true
done
exit $found
