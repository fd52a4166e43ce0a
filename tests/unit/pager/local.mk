# SPDX-License-Identifier: LGPL-2.1-or-later

check_LTLIBRARIES += %D%/librig.la
%C%_librig_la_SOURCES = %D%/rig.c %D%/rig.h
%C%_librig_la_LIBADD = daemon/pager/libpager.la

pager_tests = \
	%D%/test-attach \
	%D%/test-bytes \
	%D%/test-death \
	%D%/test-drop \
	%D%/test-events \
	%D%/test-fence \
	%D%/test-full \
	%D%/test-hang \
	%D%/test-maps \
	%D%/test-older \
	%D%/test-pinned \
	%D%/test-populate \
	%D%/test-storm
check_PROGRAMS += $(pager_tests)
TESTS += $(pager_tests)

tests_unit_pager_test_attach_LDADD = %D%/librig.la
tests_unit_pager_test_bytes_LDADD = %D%/librig.la
tests_unit_pager_test_death_LDADD = %D%/librig.la
tests_unit_pager_test_drop_LDADD = %D%/librig.la
tests_unit_pager_test_events_LDADD = %D%/librig.la
tests_unit_pager_test_fence_LDADD = %D%/librig.la
tests_unit_pager_test_full_LDADD = %D%/librig.la
tests_unit_pager_test_hang_LDADD = %D%/librig.la
tests_unit_pager_test_maps_LDADD = %D%/librig.la
tests_unit_pager_test_older_LDADD = %D%/librig.la
tests_unit_pager_test_pinned_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
tests_unit_pager_test_pinned_LDADD = %D%/librig.la $(URING_LIBS)
tests_unit_pager_test_populate_LDADD = %D%/librig.la
tests_unit_pager_test_storm_LDADD = %D%/librig.la
