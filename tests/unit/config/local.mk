# SPDX-License-Identifier: LGPL-2.1-or-later

check_PROGRAMS += %D%/test-config
TESTS += %D%/test-config
tests_unit_config_test_config_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_config_test_config_LDADD = daemon/config/libconfig.la $(CHECK_LIBS)
