# SPDX-License-Identifier: LGPL-2.1-or-later

guard_tests = \
	%D%/test-operation
check_PROGRAMS += $(guard_tests)
TESTS += $(guard_tests)

%C%_test_operation_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_operation_LDADD = daemon/guard/libguard.la $(CHECK_LIBS)
