# SPDX-License-Identifier: LGPL-2.1-or-later

check_LTLIBRARIES += %D%/librig.la
%C%_librig_la_SOURCES = %D%/rig.c %D%/rig.h %D%/wire.c %D%/wire.h \
	tests/touch.h tests/touch.c
%C%_librig_la_LIBADD = daemon/pager/libpager.la

pager_tests = \
	%D%/test-attach \
	%D%/test-bytes \
	%D%/test-death \
	%D%/test-drop \
	%D%/test-end \
	%D%/test-events \
	%D%/test-fence \
	%D%/test-full \
	%D%/test-hang \
	%D%/test-hostile \
	%D%/test-keep \
	%D%/test-maps \
	%D%/test-older \
	%D%/test-pinned \
	%D%/test-populate \
	%D%/test-shared \
	%D%/test-spare \
	%D%/test-storm \
	%D%/test-sync
check_PROGRAMS += $(pager_tests)
TESTS += $(pager_tests)

%C%_test_attach_LDADD = %D%/librig.la
%C%_test_bytes_LDADD = %D%/librig.la
%C%_test_death_LDADD = %D%/librig.la
%C%_test_drop_LDADD = %D%/librig.la
%C%_test_end_LDADD = %D%/librig.la
%C%_test_events_LDADD = %D%/librig.la
%C%_test_fence_LDADD = %D%/librig.la
%C%_test_full_LDADD = %D%/librig.la
%C%_test_hang_LDADD = %D%/librig.la
%C%_test_hostile_LDADD = %D%/librig.la
%C%_test_keep_LDFLAGS = -Wl,--wrap=quarantine
%C%_test_keep_LDADD = %D%/librig.la
%C%_test_maps_LDADD = %D%/librig.la
%C%_test_older_LDADD = %D%/librig.la
%C%_test_pinned_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
%C%_test_pinned_LDADD = %D%/librig.la $(URING_LIBS)
%C%_test_populate_LDADD = %D%/librig.la
%C%_test_shared_LDADD = %D%/librig.la
%C%_test_spare_LDADD = %D%/librig.la
%C%_test_storm_LDADD = %D%/librig.la
%C%_test_sync_LDFLAGS = -Wl,--wrap=loop_fdatasync
%C%_test_sync_LDADD = %D%/librig.la
