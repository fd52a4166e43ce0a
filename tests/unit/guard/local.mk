# SPDX-License-Identifier: LGPL-2.1-or-later

check_LTLIBRARIES += %D%/librig.la
%C%_librig_la_SOURCES = %D%/rig.c %D%/rig.h
%C%_librig_la_LIBADD = daemon/guard/libguard.la daemon/core/libcore.la

guard_tests = \
	%D%/test-compat \
	%D%/test-hold \
	%D%/test-killed \
	%D%/test-late \
	%D%/test-lease \
	%D%/test-many \
	%D%/test-operation \
	%D%/test-operation-any \
	%D%/test-outsiders \
	%D%/test-outsiders-many \
	%D%/test-pass \
	%D%/test-proc \
	%D%/test-settle \
	%D%/test-taint
check_PROGRAMS += $(guard_tests)
TESTS += $(guard_tests)

%C%_test_hold_LDADD = %D%/librig.la
%C%_test_killed_LDADD = %D%/librig.la
%C%_test_late_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
%C%_test_late_LDADD = %D%/librig.la $(URING_LIBS)
%C%_test_many_LDADD = %D%/librig.la
%C%_test_operation_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_operation_LDADD = daemon/guard/libguard.la $(CHECK_LIBS)
%C%_test_operation_any_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_operation_any_LDADD = daemon/guard/libguard.la $(CHECK_LIBS)
%C%_test_pass_LDADD = %D%/librig.la
%C%_test_proc_LDADD = %D%/librig.la
%C%_test_settle_LDADD = %D%/librig.la
%C%_test_compat_LDADD = %D%/librig.la
%C%_test_lease_LDADD = %D%/librig.la
%C%_test_outsiders_LDADD = %D%/librig.la
%C%_test_outsiders_many_LDADD = %D%/librig.la
%C%_test_taint_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
%C%_test_taint_LDADD = daemon/guard/libguard.la daemon/core/libcore.la $(CHECK_LIBS)
