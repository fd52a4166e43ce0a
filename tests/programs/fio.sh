#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# fio(1) writes with many requests in flight, that end long after their system call, or by a mapping: either waits
# before the first byte.
. "$top_srcdir/tests/programs/rig.sh"

needs fio

disks ext4 xfs btrfs
for fs in ext4 xfs btrfs; do
	for engine in libaio mmap; do
		object "$fs/$engine"
		object "$fs/$engine-hard" deny
	done
done
object ext4/libaio-opened hold
object ext4/mmap-opened hold
supervise

options='--name=job --bs=16k --size=512k --offset=128k --rw=randwrite --randseed=7 --buffer_pattern=0x5a
	--allow_file_create=0 --fallocate=none --end_fsync=1 --output-format=terse'
for fs in ext4 xfs btrfs; do
	for engine in 'libaio --direct=1 --iodepth=8' mmap; do
		eval "program() { fio ${options//[$'\n\t']/ } --ioengine=$engine --filename=\"\$1\"; }"
		held_until_returned "$fs/${engine%% *}" write
		[ "$fs" != ext4 ] || held_until_returned "$fs/${engine%% *}-opened" read
		denied "$fs/${engine%% *}-hard" read
	done
done
