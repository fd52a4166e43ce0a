# SPDX-License-Identifier: LGPL-2.1-or-later

core_tests = \
	%D%/test-conflict \
	%D%/test-interval \
	%D%/test-seq \
	%D%/test-deadline \
	%D%/test-recall \
	%D%/test-answer \
	%D%/test-return \
	%D%/test-fence \
	%D%/test-death \
	%D%/test-waiters \
	%D%/test-patience \
	%D%/test-break \
	%D%/test-read \
	%D%/test-scope \
	%D%/test-deadlock \
	%D%/test-guard \
	%D%/test-guard-cycle \
	%D%/test-account
check_PROGRAMS += $(core_tests)
TESTS += $(core_tests)

tests_unit_core_test_conflict_SOURCES = %D%/core-test.h %D%/test-conflict.c
tests_unit_core_test_conflict_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_conflict_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
tests_unit_core_test_interval_SOURCES = %D%/test-interval.c
tests_unit_core_test_interval_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_interval_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
tests_unit_core_test_seq_SOURCES = %D%/core-test.h %D%/test-seq.c
tests_unit_core_test_seq_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_seq_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
tests_unit_core_test_deadline_SOURCES = %D%/core-test.h %D%/test-deadline.c
tests_unit_core_test_deadline_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_deadline_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
tests_unit_core_test_recall_SOURCES = %D%/core-test.h %D%/test-recall.c
tests_unit_core_test_recall_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_recall_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
tests_unit_core_test_answer_SOURCES = %D%/core-test.h %D%/test-answer.c
tests_unit_core_test_answer_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_answer_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
tests_unit_core_test_return_SOURCES = %D%/core-test.h %D%/test-return.c
tests_unit_core_test_return_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_return_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
tests_unit_core_test_fence_SOURCES = %D%/core-test.h %D%/test-fence.c
tests_unit_core_test_fence_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_fence_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
tests_unit_core_test_death_SOURCES = %D%/core-test.h %D%/test-death.c
tests_unit_core_test_death_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_death_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
tests_unit_core_test_waiters_SOURCES = %D%/core-test.h %D%/test-waiters.c
tests_unit_core_test_waiters_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_waiters_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
tests_unit_core_test_patience_SOURCES = %D%/core-test.h %D%/test-patience.c
tests_unit_core_test_patience_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_patience_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
tests_unit_core_test_break_SOURCES = %D%/core-test.h %D%/test-break.c
tests_unit_core_test_break_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_break_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
tests_unit_core_test_read_SOURCES = %D%/core-test.h %D%/test-read.c
tests_unit_core_test_read_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_read_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
tests_unit_core_test_scope_SOURCES = %D%/core-test.h %D%/test-scope.c
tests_unit_core_test_scope_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_scope_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
tests_unit_core_test_deadlock_SOURCES = %D%/core-test.h %D%/test-deadlock.c
tests_unit_core_test_deadlock_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_deadlock_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
tests_unit_core_test_guard_SOURCES = %D%/core-test.h %D%/test-guard.c
tests_unit_core_test_guard_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_guard_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
tests_unit_core_test_guard_cycle_SOURCES = %D%/core-test.h %D%/test-guard-cycle.c
tests_unit_core_test_guard_cycle_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_guard_cycle_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
tests_unit_core_test_account_SOURCES = %D%/core-test.h %D%/test-account.c
tests_unit_core_test_account_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_core_test_account_LDADD = daemon/core/libcore.la $(CHECK_LIBS)
