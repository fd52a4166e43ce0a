# SPDX-License-Identifier: LGPL-2.1-or-later

authority_tests = \
	%D%/test-export \
	%D%/test-mounts \
	%D%/test-open \
	%D%/test-proof
check_PROGRAMS += $(authority_tests)
TESTS += $(authority_tests)

authority_world = %D%/authority-test.h %D%/authority-test.c
authority_test_libs = daemon/authority/libauthority.la $(CHECK_LIBS)

tests_unit_authority_test_mounts_SOURCES = $(authority_world) %D%/test-mounts.c
tests_unit_authority_test_mounts_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_authority_test_mounts_LDADD = $(authority_test_libs)
tests_unit_authority_test_open_SOURCES = $(authority_world) %D%/test-open.c
tests_unit_authority_test_open_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_authority_test_open_LDADD = $(authority_test_libs)
tests_unit_authority_test_proof_SOURCES = $(authority_world) %D%/test-proof.c
tests_unit_authority_test_proof_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_authority_test_proof_LDADD = $(authority_test_libs)
tests_unit_authority_test_export_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_authority_test_export_LDADD = $(authority_test_libs)
