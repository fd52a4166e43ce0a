#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The bytes through a READ window, of an unprivileged process that may not open the file, are the file's: by SHA-256,
# for sizes from one byte to 1 GiB and odd tails.
. "$top_srcdir/tests/system/rig.sh"

mkdir -m 0700 "$dir/files"
sizes=(1 4095 4096 4097 65535 65537 1048579 67108861 1073741824)
# a gigabyte is for a processor, not for an instrumented or an emulated one
[ "$SANITIZER" = no ] && [ -z "${GUEST_KERNEL-}" ] || sizes=(1 4095 4096 4097 65535 65537 1048579 67108861)
for size in "${sizes[@]}"; do
	# incompressible, different everywhere, and the same in every run
	head -c "$size" /dev/zero |
		openssl enc -aes-128-ctr -K "$(printf '%032x' "$size")" -iv 0 >"$dir/files/$size"
done
rig <<END
[export files]
directory = $dir/files
read = uid:65534
END
as_user cat "$dir/files/1" 2>/dev/null && fail "the file can be opened: nothing would be shown"
for size in "${sizes[@]}"; do
	want=$(sha256sum <"$dir/files/$size")
	got=$(as_user mapsealctl cat "files/$size" | sha256sum)
	[ "$want" = "$got" ] || fail "$size bytes: $got, expected $want"
	echo "$size bytes: $got"
done
# a range, too
want=$(dd if="$dir/files/1048579" bs=4096 skip=1 count=2 status=none | sha256sum)
got=$(as_user mapsealctl cat "files/1048579:4K+8K" | sha256sum)
[ "$want" = "$got" ] || fail "a range: $got, expected $want"
