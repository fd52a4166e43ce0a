# SPDX-License-Identifier: LGPL-2.1-or-later

check_PROGRAMS += %D%/test-loop
TESTS += %D%/test-loop
tests_unit_loop_test_loop_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_loop_test_loop_LDADD = daemon/loop/libloop.la $(CHECK_LIBS)
