# SPDX-License-Identifier: LGPL-2.1-or-later

check_PROGRAMS += %D%/test-idmap
TESTS += %D%/test-idmap
tests_unit_util_test_idmap_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_util_test_idmap_LDADD = util/libutil.la $(CHECK_LIBS)
