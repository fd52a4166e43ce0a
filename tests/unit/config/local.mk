# SPDX-License-Identifier: LGPL-2.1-or-later

config_tests = %D%/test-config %D%/test-documents
check_PROGRAMS += $(config_tests)
TESTS += $(config_tests)
tests_unit_config_test_config_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_config_test_config_LDADD = daemon/config/libconfig.la $(CHECK_LIBS)
tests_unit_config_test_documents_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_config_test_documents_LDADD = daemon/config/libconfig.la $(CHECK_LIBS)
