# SPDX-License-Identifier: LGPL-2.1-or-later

check_LTLIBRARIES += %D%/libpeer.la
tests_unit_client_libpeer_la_SOURCES = %D%/peer.h %D%/peer.c
tests_unit_client_libpeer_la_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)

client_tests = \
	%D%/test-gate \
	%D%/test-request \
	%D%/test-wire \
	%D%/test-recall \
	%D%/test-answer \
	%D%/test-return \
	%D%/test-window \
	%D%/test-break \
	%D%/test-fence \
	%D%/test-fork \
	%D%/test-header
check_PROGRAMS += $(client_tests)
TESTS += $(client_tests)

client_test_libs = \
	%D%/libpeer.la client/libclient.la proto/libproto.la $(CHECK_LIBS) $(PTHREAD_LIBS)
client_test_cflags = $(AM_CFLAGS) $(CHECK_CFLAGS)

tests_unit_client_test_gate_CFLAGS = $(client_test_cflags)
tests_unit_client_test_gate_LDADD = $(client_test_libs)
tests_unit_client_test_request_CFLAGS = $(client_test_cflags)
tests_unit_client_test_request_LDADD = $(client_test_libs)
tests_unit_client_test_wire_CFLAGS = $(client_test_cflags)
tests_unit_client_test_wire_LDADD = $(client_test_libs)
tests_unit_client_test_recall_CFLAGS = $(client_test_cflags)
tests_unit_client_test_recall_LDADD = $(client_test_libs)
tests_unit_client_test_answer_CFLAGS = $(client_test_cflags)
tests_unit_client_test_answer_LDADD = $(client_test_libs)
tests_unit_client_test_return_CFLAGS = $(client_test_cflags)
tests_unit_client_test_return_LDADD = $(client_test_libs)
tests_unit_client_test_window_CFLAGS = $(client_test_cflags)
tests_unit_client_test_window_LDADD = $(client_test_libs)
tests_unit_client_test_break_CFLAGS = $(client_test_cflags)
tests_unit_client_test_break_LDADD = $(client_test_libs)
tests_unit_client_test_fence_CFLAGS = $(client_test_cflags)
tests_unit_client_test_fence_LDADD = $(client_test_libs)
tests_unit_client_test_fork_CFLAGS = $(client_test_cflags)
tests_unit_client_test_fork_LDADD = $(client_test_libs)

# Against the library as it is installed: what a program of others sees.
tests_unit_client_test_header_SOURCES = %D%/test-header.cc
tests_unit_client_test_header_LDADD = libmapseal.la
