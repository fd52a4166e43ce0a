# SPDX-License-Identifier: LGPL-2.1-or-later

guard_tests = \
	%D%/test-hold \
	%D%/test-operation
check_PROGRAMS += $(guard_tests)
TESTS += $(guard_tests)

%C%_test_operation_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_operation_LDADD = daemon/guard/libguard.la $(CHECK_LIBS)

check_LTLIBRARIES += %D%/librig.la
%C%_librig_la_SOURCES = %D%/rig.c %D%/rig.h
%C%_librig_la_LIBADD = daemon/guard/libguard.la daemon/core/libcore.la

%C%_test_hold_LDADD = %D%/librig.la
