/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What was let go, as a table of facts: which seals it disturbs, and which proof ends it.
 */

#include <check.h>
#include <stdlib.h>

#include "daemon/core/conflict.h"
#include "daemon/guard/taint.h"

static struct taint_threads threads;
static struct taint taint;

static void setup(void)
{
	threads = (struct taint_threads){ 0 };
	taint_init(&taint);
}

static void teardown(void)
{
	taint_clear(&threads, &taint);
	ck_assert(taint_empty(&taint));
	ck_assert_uint_eq(threads.threads.n, 0);
	ck_assert_uint_eq(threads.flights.n, 0);
	idmap_deinit(&threads.threads);
	idmap_deinit(&threads.flights);
}

static struct operation_call call_of(long number)
{
	return (struct operation_call){ .known = true, .number = number, .sp = 1, .pc = 2 };
}

static void let_go(pid_t tid, long number, uint64_t size, struct operation op)
{
	struct operation_call call = call_of(number);
	bool flies = taint_needs_flight(&taint, &op);

	taint_let_go(&threads, &taint, &op, size, flies ? flight_new() : NULL, tid, &call);
}

#define LET_GO(tid, number, ...) let_go(tid, number, 1000, (struct operation){ __VA_ARGS__ })

static void seen(pid_t tid, long number)
{
	struct operation_call call = call_of(number);

	taint_thread_seen(&threads, tid, &call);
}

static bool disturbed(enum core_kind kind, enum core_mode mode, uint64_t start, uint64_t end)
{
	struct guard_seal seal = { .kind = kind, .mode = mode, .start = start, .end = end };

	return taint_disturbs(&taint, &seal);
}

static bool window(uint64_t start, uint64_t end)
{
	return disturbed(CORE_WINDOW, CORE_READ, start, end);
}

START_TEST(reads_leave_nothing)
{
	LET_GO(1, 0, .want = CORE_WANT_FOREIGN_READ, .end = 100, .flight = true);
	LET_GO(1, 0, .want = CORE_WANT_NOTHING, .opens = true);
	ck_assert(taint_empty(&taint));
}
END_TEST

START_TEST(a_flight_ends_elsewhere)
{
	LET_GO(1, 9, .want = CORE_WANT_LAYOUT, .start = 10, .end = 20, .flight = true);
	ck_assert(window(0, 11) && !window(0, 10) && !window(20, 30));
	seen(2, 9);
	seen(1, 9); /* the same call may make another event */
	ck_assert(window(0, 11));
	seen(1, 8);
	ck_assert(taint_empty(&taint));
}
END_TEST

START_TEST(a_call_of_one_event_ends_with_the_next)
{
	LET_GO(1, 9, .want = CORE_WANT_LAYOUT, .end = 20, .flight = true, .single = true);
	seen(1, 9);
	ck_assert(taint_empty(&taint));
}
END_TEST

START_TEST(one_call_is_one_flight)
{
	LET_GO(1, 9, .want = CORE_WANT_FOREIGN_WRITE, .start = 10, .end = 20, .flight = true);
	LET_GO(1, 9, .want = CORE_WANT_FOREIGN_WRITE, .start = 20, .end = 30, .flight = true);
	ck_assert_uint_eq(taint.n_flights, 1);
	ck_assert(window(10, 11) && window(29, 30));
	taint_thread_done(&threads, &taint, 1);
	ck_assert(taint_empty(&taint));
}
END_TEST

/* What was a hole when it began is allocated by it. */
START_TEST(a_write_may_allocate)
{
	LET_GO(1, 9, .want = CORE_WANT_FOREIGN_WRITE, .end = 20, .flight = true);
	ck_assert(disturbed(CORE_DIRECT, CORE_READ, 0, 10));
}
END_TEST

START_TEST(lasting_ends_with_nobody)
{
	LET_GO(1, 9, .want = CORE_WANT_FOREIGN_MAP_WRITE, .end = CORE_INFINITY, .lasting = true);
	LET_GO(1, 9, .want = CORE_WANT_FOREIGN_MAP, .end = CORE_INFINITY, .lasting = true);
	seen(1, 8);
	ck_assert(window(0, 1));
	ck_assert(!disturbed(CORE_DIRECT, CORE_READ, 0, 1));
	taint_no_writers(&threads, &taint);
	ck_assert(!window(0, 1) && !taint_empty(&taint));
	ck_assert(disturbed(CORE_WINDOW, CORE_WRITE, 0, 1));
	taint_nobody(&threads, &taint);
	ck_assert(taint_empty(&taint));
}
END_TEST

START_TEST(who_has_it_open_writes)
{
	LET_GO(1, 9, .want = CORE_WANT_FOREIGN_WRITE, .end = 20, .flight = true);
	taint_nobody(&threads, &taint);
	ck_assert(taint_empty(&taint));
}
END_TEST

START_TEST(a_name_needs_no_opener)
{
	LET_GO(1, 9, .want = CORE_WANT_LAYOUT, .start = 50, .end = CORE_INFINITY, .flight = true,
	       .path = true);
	taint_nobody(&threads, &taint);
	ck_assert(taint_has_path(&taint) && window(0, 51));
	seen(1, 8);
	ck_assert(taint_empty(&taint));
}
END_TEST

/* It goes where the end is when it lands. */
START_TEST(appends_follow_the_size)
{
	LET_GO(1, 9, .want = CORE_WANT_FOREIGN_WRITE, .end = 20, .append = true, .flight = true);
	LET_GO(2, 9, .want = CORE_WANT_FOREIGN_WRITE, .end = 20, .append = true, .lasting = true);
	ck_assert(!window(500, 1000) && window(500, 1001));
	LET_GO(3, 9, .want = CORE_WANT_LAYOUT, .start = 600, .end = CORE_INFINITY, .flight = true);
	seen(3, 8);
	ck_assert(!window(500, 600) && window(500, 601));
	taint_thread_done(&threads, &taint, 1);
	ck_assert(window(500, 601));
	taint_no_writers(&threads, &taint);
	ck_assert(taint_empty(&taint));
}
END_TEST

/* With an outsider nothing else needs to be kept, but for what it does not cover. */
START_TEST(outsiders_cover_flights)
{
	taint_outsiders(&taint, true);
	LET_GO(1, 9, .want = CORE_WANT_FOREIGN_WRITE, .end = 20, .flight = true);
	ck_assert_uint_eq(taint.n_flights, 0);
	LET_GO(1, 9, .want = CORE_WANT_LAYOUT, .end = CORE_INFINITY, .flight = true, .path = true);
	ck_assert_uint_eq(taint.n_flights, 1);
	taint_nobody(&threads, &taint);
	ck_assert(window(0, 1));
	seen(1, 8);
	taint_outsiders(&taint, false);
	ck_assert(!window(0, 1) && disturbed(CORE_WINDOW, CORE_WRITE, 0, 1));
}
END_TEST

START_TEST(many_threads)
{
	for (pid_t tid = 1; tid <= 1000; tid++)
		LET_GO(tid, 9, .want = CORE_WANT_LAYOUT, .start = (uint64_t)tid, .end = 2000,
		       .flight = true);
	ck_assert_uint_eq(taint.n_flights, 1000);
	for (pid_t tid = 1; tid < 1000; tid++)
		seen(tid, 8);
	ck_assert(!window(0, 1000) && window(0, 1001));
}
END_TEST

/* ---- many ------------------------------------------------------------------------------- */

static uint64_t below(uint64_t n)
{
	static uint64_t x = 1;

	x = x * 6364136223846793005u + 1442695040888963407u;
	return (x >> 33) % n;
}

/* By looking at every flight. */
static bool one_disturbs(const struct guard_seal *seal)
{
	list_for_each (l, &taint.flights) {
		struct flight *flight = list_entry(l, struct flight, link);

		if (range_overlap(flight->range.start, flight->range.end, seal->start, seal->end) &&
		    conflict_check(seal->kind, seal->mode, false, flight->want) != CONFLICT_SHARE)
			return true;
		if (flight->append.start < seal->end &&
		    conflict_check(seal->kind, seal->mode, false, CORE_WANT_FOREIGN_EXTEND) !=
			    CONFLICT_SHARE)
			return true;
	}
	return false;
}

static void ask_about_seals(void)
{
	for (int i = 0; i < 4; i++) {
		struct guard_seal seal = {
			.kind = below(2) ? CORE_DIRECT : CORE_WINDOW,
			.mode = below(2) ? CORE_WRITE : CORE_READ,
			.start = below(2000),
		};

		seal.end = seal.start + 1 + below(20);
		ck_assert_int_eq(taint_disturbs(&taint, &seal), one_disturbs(&seal));
	}
}

/* What is found in trees is what is found by looking at all of them, whatever came and went. */
START_TEST(many_flights)
{
	static const enum core_want wants[] = { CORE_WANT_LAYOUT, CORE_WANT_FOREIGN_WRITE,
						CORE_WANT_FOREIGN_CLONE, CORE_WANT_FOREIGN_MAP };

	for (int i = 0; i < 20000; i++) {
		pid_t tid = 1 + (pid_t)below(300);
		struct operation op = {
			.want = wants[below(4)],
			.start = below(2000),
			.flight = true,
			.path = below(8) == 0,
			.single = below(2),
		};

		op.end = op.start + below(30);
		op.append = op.want == CORE_WANT_FOREIGN_WRITE && below(2);
		/* of each three, on average, two end, so that there are few as well as many */
		if (below(3) == 0 || i / 2000 % 2)
			let_go(tid, (long)below(3), below(3000), op);
		else if (below(2))
			seen(tid, (long)below(3));
		else
			taint_thread_done(&threads, &taint, tid);
		ask_about_seals();
	}
}
END_TEST

/* They have an end, beyond which they are lasting. Those that a lease can't end have none. */
START_TEST(more_flights_than_are_told_apart)
{
	for (pid_t tid = 1; tid <= TAINT_FLIGHTS_MAX; tid++)
		LET_GO(tid, 9, .want = CORE_WANT_LAYOUT, .start = 10, .end = 20, .flight = true);
	LET_GO(TAINT_FLIGHTS_MAX + 1, 9, .want = CORE_WANT_LAYOUT, .start = 50, .end = 60,
	       .flight = true);
	ck_assert_uint_eq(taint.n_flights, TAINT_FLIGHTS_MAX);
	for (pid_t tid = 1; tid <= TAINT_FLIGHTS_MAX + 1; tid++)
		taint_thread_done(&threads, &taint, tid);
	ck_assert(!window(10, 20) && window(50, 60));
	taint_nobody(&threads, &taint);
	ck_assert(taint_empty(&taint));
	for (pid_t tid = 1; tid <= TAINT_FLIGHTS_MAX + 10; tid++)
		LET_GO(tid, 9, .want = CORE_WANT_LAYOUT, .end = 20, .flight = true, .path = true);
	ck_assert_uint_eq(taint.n_flights, TAINT_FLIGHTS_MAX + 10);
	taint_nobody(&threads, &taint);
	ck_assert(taint_has_path(&taint));
	for (pid_t tid = 1; tid <= TAINT_FLIGHTS_MAX + 10; tid++)
		seen(tid, 8);
	ck_assert(taint_empty(&taint) && !taint_has_path(&taint));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("taint");
	TCase *tc = tcase_create("taint");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, reads_leave_nothing);
	tcase_add_test(tc, a_flight_ends_elsewhere);
	tcase_add_test(tc, a_call_of_one_event_ends_with_the_next);
	tcase_add_test(tc, one_call_is_one_flight);
	tcase_add_test(tc, a_write_may_allocate);
	tcase_add_test(tc, lasting_ends_with_nobody);
	tcase_add_test(tc, who_has_it_open_writes);
	tcase_add_test(tc, a_name_needs_no_opener);
	tcase_add_test(tc, appends_follow_the_size);
	tcase_add_test(tc, outsiders_cover_flights);
	tcase_add_test(tc, many_threads);
	tcase_add_test(tc, many_flights);
	tcase_add_test(tc, more_flights_than_are_told_apart);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
