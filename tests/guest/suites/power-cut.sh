# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What is promised to be durable, across a failure of power.

. "$top_srcdir/tests/guest/suites/nvdimm.sh"

for type in ext4 xfs; do
	if [ ! -e "$shared/cut-$type" ]; then
		dax_mount "$type" /mnt
		touch "$shared/cut-$type" "$shared/again"
		run "tests/guest/power-cut-$type" "$(built tests/guest/power-cut)" store
		# it came back: it failed
		rm "$shared/again"
		touch "$shared/checked-$type"
		umount /mnt
	elif [ ! -e "$shared/checked-$type" ]; then
		touch "$shared/checked-$type"
		mount -o dax=always "$PMEM" /mnt
		run "tests/guest/power-cut-$type" "$(built tests/guest/power-cut)" check
		umount /mnt
	fi
done
