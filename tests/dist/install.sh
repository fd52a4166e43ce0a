#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# make install DESTDIR= puts everything where it belongs, and a stranger's program builds against it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
make -C "$top_builddir" --no-print-directory install DESTDIR="$dir" >"$dir/log" 2>&1 || { tail -n 20 "$dir/log"; exit 1; }
prefix=$(sed -n 's/^prefix = //p' "$top_builddir/Makefile")
root=$dir$prefix
for file in bin/mapsealctl sbin/mapseald include/mapseal.h; do
	[ -e "$root/$file" ] || { echo "$file was not installed"; exit 1; }
done
pc=$(find "$root" -name mapseal.pc)
[ -n "$pc" ] || { echo "mapseal.pc was not installed"; exit 1; }
find "$dir" -name 'mapseald.service' | grep -q . || { echo "units were not installed"; exit 1; }
find "$dir" -name 'mapseal.7' | grep -q . || { echo "manual pages were not installed"; exit 1; }

# bash looks for a completion by the command's name alone
[ -e "$root/share/bash-completion/completions/mapsealctl" ] || { echo "no completion for mapsealctl"; exit 1; }

cat >"$dir/use.c" <<'END'
#include <mapseal.h>
int main(void)
{
	struct mapseal *m;
	struct mapseal_options o = { .size = sizeof(o), .socket = "/nonexistent/socket" };
	return mapseal_connect(&o, &m) == 0;
}
END
export PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$dir
flags=$(pkg-config --cflags --libs mapseal)
extra=
[ "$SANITIZER" = no ] || extra=-fsanitize=$SANITIZER
# shellcheck disable=SC2086
$CC -o "$dir/use" "$dir/use.c" $flags $extra
lib=$(dirname "$(find "$root" -name 'libmapseal.so' | head -n 1)")
LD_LIBRARY_PATH=$lib "$dir/use"

# Only mapseal_* is visible.
stray=$(nm -D --defined-only "$lib/libmapseal.so" | awk '{print $3}' |
	grep -vE '^(mapseal_[a-z0-9_]+|LIBMAPSEAL_[0-9.]+)(@@.*)?$' || true)
[ -z "$stray" ] || { echo "visible beside the interface: $stray"; exit 1; }
