# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The clock is the test's.

supervisor_tests = %D%/test-log
check_PROGRAMS += $(supervisor_tests)
TESTS += $(supervisor_tests)

tests_unit_supervisor_test_log_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_supervisor_test_log_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=loop_now
tests_unit_supervisor_test_log_LDADD = daemon/libsupervisor.la $(CHECK_LIBS)
