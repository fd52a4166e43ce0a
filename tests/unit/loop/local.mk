# SPDX-License-Identifier: LGPL-2.1-or-later

check_LTLIBRARIES += %D%/libloop-test.la
tests_unit_loop_libloop_test_la_SOURCES = %D%/loop-test.h %D%/loop-test.c
tests_unit_loop_libloop_test_la_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)

loop_tests = \
	%D%/test-op \
	%D%/test-poll \
	%D%/test-step
check_PROGRAMS += $(loop_tests)
TESTS += $(loop_tests)

loop_test_libs = %D%/libloop-test.la daemon/loop/libloop.la $(CHECK_LIBS)

tests_unit_loop_test_op_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_loop_test_op_LDADD = $(loop_test_libs)
tests_unit_loop_test_poll_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_loop_test_poll_LDADD = $(loop_test_libs)
tests_unit_loop_test_step_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_loop_test_step_LDADD = $(loop_test_libs)
