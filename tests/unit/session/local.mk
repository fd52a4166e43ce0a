# SPDX-License-Identifier: LGPL-2.1-or-later

session_tests = \
	%D%/test-bounds \
	%D%/test-flow \
	%D%/test-listener \
	%D%/test-quota \
	%D%/test-session
check_PROGRAMS += $(session_tests)
TESTS += $(session_tests)

session_test_rig = %D%/rig.c %D%/rig.h
session_test_libs = daemon/session/libsession.la daemon/loop/libloop.la proto/libproto.la \
	util/libutil.la $(CHECK_LIBS)

tests_unit_session_test_bounds_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_session_test_bounds_LDADD = daemon/libsupervisor.la $(CHECK_LIBS)
tests_unit_session_test_listener_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_session_test_listener_LDADD = $(session_test_libs)
tests_unit_session_test_quota_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_session_test_quota_LDADD = $(session_test_libs)
tests_unit_session_test_flow_SOURCES = %D%/test-flow.c $(session_test_rig)
tests_unit_session_test_flow_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_session_test_flow_LDADD = $(session_test_libs)
tests_unit_session_test_session_SOURCES = %D%/test-session.c $(session_test_rig)
tests_unit_session_test_session_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_session_test_session_LDADD = $(session_test_libs)
