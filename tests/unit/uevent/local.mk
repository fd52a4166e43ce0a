# SPDX-License-Identifier: LGPL-2.1-or-later

uevent_tests = \
	%D%/test-decode \
	%D%/test-uevent
check_PROGRAMS += $(uevent_tests)
TESTS += $(uevent_tests)

tests_unit_uevent_test_decode_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_uevent_test_decode_LDADD = daemon/uevent/libuevent.la $(CHECK_LIBS)
tests_unit_uevent_test_uevent_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_uevent_test_uevent_LDADD = daemon/uevent/libuevent.la tests/system/librig.la $(CHECK_LIBS)
