# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Real programs, unmodified, that do something to a sealed file. One of them a file.

check_PROGRAMS += %D%/holder %D%/peek
tests_programs_holder_LDADD = tests/system/librig.la
tests_programs_peek_LDADD = tests/system/librig.la

program_scripts = \
	%D%/cp-reflink.sh \
	%D%/dd.sh \
	%D%/e4defrag.sh \
	%D%/editor-in-place.sh \
	%D%/editor-renames.sh \
	%D%/fallocate.sh \
	%D%/filefrag.sh \
	%D%/fio.sh \
	%D%/rsync.sh \
	%D%/sqlite3.sh \
	%D%/tar.sh \
	%D%/truncate.sh \
	%D%/xfs_fsr.sh

TESTS += $(program_scripts)
EXTRA_DIST += %D%/rig.sh $(program_scripts)
