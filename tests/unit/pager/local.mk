# SPDX-License-Identifier: LGPL-2.1-or-later

check_LTLIBRARIES += %D%/librig.la
tests_unit_pager_librig_la_SOURCES = %D%/rig.c %D%/rig.h
tests_unit_pager_librig_la_LIBADD = daemon/pager/libpager.la

pager_tests = \
	%D%/test-bytes \
	%D%/test-fence
check_PROGRAMS += $(pager_tests)
TESTS += $(pager_tests)

pager_test_libs = %D%/librig.la

tests_unit_pager_test_bytes_LDADD = $(pager_test_libs)
tests_unit_pager_test_fence_LDADD = $(pager_test_libs)
