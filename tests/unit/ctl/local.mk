# SPDX-License-Identifier: LGPL-2.1-or-later

ctl_tests = \
	%D%/test-range \
	%D%/test-object \
	%D%/test-options \
	%D%/test-render
check_PROGRAMS += $(ctl_tests)
TESTS += $(ctl_tests)

ctl_test_libs = client/ctl/libctl.la util/libutil.la $(JSON_C_LIBS) $(CHECK_LIBS)
ctl_test_cflags = $(AM_CFLAGS) $(JSON_C_CFLAGS) $(CHECK_CFLAGS)

tests_unit_ctl_test_range_CFLAGS = $(ctl_test_cflags)
tests_unit_ctl_test_range_LDADD = $(ctl_test_libs)
tests_unit_ctl_test_object_CFLAGS = $(ctl_test_cflags)
tests_unit_ctl_test_object_LDADD = $(ctl_test_libs)
tests_unit_ctl_test_options_CFLAGS = $(ctl_test_cflags)
tests_unit_ctl_test_options_LDADD = $(ctl_test_libs)
tests_unit_ctl_test_render_CFLAGS = $(ctl_test_cflags)
tests_unit_ctl_test_render_LDADD = $(ctl_test_libs)
