# SPDX-License-Identifier: LGPL-2.1-or-later

direct_tests = \
	%D%/test-direct \
	%D%/test-extents
check_PROGRAMS += $(direct_tests)
TESTS += $(direct_tests)

tests_unit_direct_test_direct_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_direct_test_direct_LDADD = daemon/direct/libdirect.la $(CHECK_LIBS)
tests_unit_direct_test_extents_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_direct_test_extents_LDADD = daemon/direct/libdirect.la $(CHECK_LIBS)
