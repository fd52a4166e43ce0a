# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Files on persistent memory: what the kernel does with them, DIRECT seals there, and how strangers are held.

. "$top_srcdir/tests/guest/suites/nvdimm.sh"

for type in ext4 xfs; do
	dax_mount "$type" /mnt
	for program in "$top_srcdir"/tests/guest/dax-*.c; do
		test=${program##*/}
		test=${test%.c}
		GUEST_DIRECTORY=/mnt run "tests/guest/$type/$test" "$(built "tests/guest/$test")"
	done
	# Nothing is expected by the cell, for DAX can do less; but nothing may go uncaught where that is promised. Windows
	# on one of them: they are the slowest to emulate, and XFS can do more to their file.
	seal=()
	[ "$type" = xfs ] || seal=(--seal "DIRECT WRITE")
	run "dax/$type/tests/matrix/matrix" "$(built tests/matrix/matrix)" --disk "$type" --at /mnt --setting strict "${seal[@]}" -
	umount /mnt
done
for test in $GUEST_DAX; do
	MAPSEAL_TEST_DAX=$PMEM run "dax/$test" "$(built "$test")"
done
MAPSEAL_TEST_DAX=$PMEM run tests/guest/held-on-dax "$(built tests/guest/held-on-dax)"
