#!/bin/sh
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Does the simulation notice? Each patch in mutations/ breaks the core in one way, and says in its
# first line which invariant has to notice, or which of several may be first. The patches are applied
# to a copy; one that no longer applies is a failure, as is one that is noticed by nobody, or by
# another invariant.
#
#	mutations.sh [NAME...]

set -eu

here=$(cd "$(dirname "$0")" && pwd)
top_srcdir=${top_srcdir:-$(cd "$here/../.." && pwd)}
top_builddir=${top_builddir:-$top_srcdir}
CC=${CC:-cc}

command -v patch >/dev/null || { echo "no patch(1) here"; exit 77; }

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

config=$top_builddir/config.h
[ -e "$config" ] || { config=$tmp/config.h; : >"$config"; }

# compile SOURCE OBJECT TREE: headers of the core come from TREE.
compile() {
	$CC -std=gnu11 -D_GNU_SOURCE -O2 -g -w -include "$config" -I"$3" -I"$top_srcdir" \
		-I"$top_srcdir/include" -c "$1" -o "$2"
}

# fresh DIRECTORY: the core's sources, writable whatever they came from.
fresh() {
	mkdir -p "$1/daemon/core"
	cp "$top_srcdir"/daemon/core/*.[ch] "$1/daemon/core/"
	chmod -R u+w "$1"
}

mkdir "$tmp/base" "$tmp/simulation"
fresh "$tmp/base"
for c in "$tmp"/base/daemon/core/*.c; do
	compile "$c" "${c%.c}.o" "$tmp/base"
done
compile "$top_srcdir/util/idmap.c" "$tmp/simulation/idmap.o" "$tmp/base"
for c in "$here"/*.c; do
	compile "$c" "$tmp/simulation/$(basename "$c" .c).o" "$tmp/base"
done

$CC -o "$tmp/base/simulate" "$tmp"/simulation/*.o "$tmp"/base/daemon/core/*.o
if ! "$tmp/base/simulate" --seed 1 --steps 5000 >"$tmp/base/log" 2>&1; then
	cat "$tmp/base/log"
	echo "the core fails without any mutation"
	exit 1
fi

failed=0
count=0
for patch in "$here"/mutations/*.patch; do
	name=$(basename "$patch" .patch)
	case " ${*:-$name} " in *" $name "*) ;; *) continue ;; esac
	count=$((count + 1))
	invariant=$(sed -n '1s/^Invariant: //p' "$patch")
	work=$tmp/work
	rm -rf "$work"
	fresh "$work"
	if ! patch -s -p1 -d "$work" <"$patch" >"$tmp/log" 2>&1; then
		cat "$tmp/log"
		echo "FAIL $name: does not apply"
		failed=$((failed + 1))
		continue
	fi
	cp "$tmp"/base/daemon/core/*.o "$work/daemon/core/"
	changed=$(sed -n 's,^+++ b/daemon/core/\([a-z-]*\.[ch]\).*,\1,p' "$patch")
	case $changed in *.h*) changed=$(cd "$work/daemon/core" && echo *.c) ;; esac
	for c in $changed; do
		compile "$work/daemon/core/$c" "$work/daemon/core/${c%.c}.o" "$work"
	done
	$CC -o "$work/simulate" "$tmp"/simulation/*.o "$work"/daemon/core/*.o
	# A broken core may well run in circles; that is no answer.
	# shellcheck disable=SC2046 # the arguments for one that few seeds show
	if timeout 300 "$work/simulate" $(sed -n 's/^Run: //p' "$patch") >"$tmp/log" 2>&1; then
		said="not noticed"
	elif grep -Eq "invariant ($(echo "$invariant" | tr ' ' '|')) violated" "$tmp/log"; then
		echo "ok $name: $(grep "violated" "$tmp/log" | sed 's/^simulate: //')"
		continue
	else
		said=$(tail -n 2 "$tmp/log" | head -n 1)
	fi
	echo "FAIL $name: $invariant should notice; $said"
	failed=$((failed + 1))
done

echo "$count mutations, $failed not noticed as they should be"
[ "$failed" = 0 ] && [ "$count" -gt 0 ]
