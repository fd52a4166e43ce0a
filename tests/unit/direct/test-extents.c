/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Maps are compared byte by byte here, as slowly as can be, and by the code; both must say the
 * same of any two maps, however their extents are split.
 */

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/direct/extents.h"

static void add(struct extents *e, uint64_t logical, uint64_t physical, uint64_t length,
		uint32_t flags)
{
	struct extent one = { logical, physical, length, flags };

	ck_assert_int_eq(extents_add(e, &one), 0);
}

START_TEST(neighbours_are_one)
{
	struct extents e = { 0 };

	add(&e, 0, 100, 10, 0);
	add(&e, 10, 110, 10, 0);
	ck_assert_uint_eq(e.n, 1);
	ck_assert_uint_eq(e.v[0].length, 20);
	add(&e, 20, 120, 10, EXTENT_UNWRITTEN);
	add(&e, 30, 200, 10, EXTENT_UNWRITTEN);
	add(&e, 50, 210, 10, EXTENT_UNWRITTEN);
	ck_assert_uint_eq(e.n, 4);
	extents_deinit(&e);
	ck_assert_uint_eq(e.n, 0);
}
END_TEST

START_TEST(what_is_no_extent_is_refused)
{
	struct extents e = { 0 };
	struct extent bad[] = {
		{ 20, 0, 0, 0 },
		{ 5, 0, 10, 0 },
		{ UINT64_MAX - 5, 0, 10, 0 },
		{ 100, UINT64_MAX - 5, 10, 0 },
	};

	add(&e, 0, 100, 10, 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ck_assert_int_eq(extents_add(&e, &bad[i]), -EINVAL);
	ck_assert_uint_eq(e.n, 1);
	extents_deinit(&e);
}
END_TEST

START_TEST(parts_are_cut)
{
	struct extents e = { 0 }, part = { 0 };

	add(&e, 0, 1000, 100, 0);
	add(&e, 200, 5000, 100, 0);
	ck_assert_int_eq(extents_copy(&part, &e, 50, 250), 0);
	ck_assert_uint_eq(part.n, 2);
	ck_assert_uint_eq(part.v[0].logical, 50);
	ck_assert_uint_eq(part.v[0].physical, 1050);
	ck_assert_uint_eq(part.v[0].length, 50);
	ck_assert_uint_eq(part.v[1].logical, 200);
	ck_assert_uint_eq(part.v[1].length, 50);
	extents_deinit(&part);
	ck_assert_int_eq(extents_copy(&part, &e, 100, 200), 0);
	ck_assert_uint_eq(part.n, 0);
	extents_deinit(&e);
}
END_TEST

START_TEST(gaps)
{
	struct extents e = { 0 };
	uint64_t start, end;

	ck_assert(extents_gap(&e, 5, 10, &start, &end));
	ck_assert_uint_eq(start, 5);
	ck_assert_uint_eq(end, 10);
	add(&e, 0, 1000, 100, 0);
	add(&e, 100, 3000, 50, EXTENT_SHARED);
	add(&e, 200, 5000, 100, 0);
	ck_assert(!extents_gap(&e, 0, 150, &start, &end));
	ck_assert(!extents_gap(&e, 210, 300, &start, &end));
	ck_assert(extents_gap(&e, 0, 300, &start, &end));
	ck_assert_uint_eq(start, 150);
	ck_assert_uint_eq(end, 200);
	ck_assert(extents_gap(&e, 250, 400, &start, &end));
	ck_assert_uint_eq(start, 300);
	ck_assert_uint_eq(end, 400);
	ck_assert_uint_eq(extents_flags(&e, 0, 100), 0);
	ck_assert_uint_eq(extents_flags(&e, 99, 101), EXTENT_SHARED);
	ck_assert_uint_eq(extents_flags(&e, 150, 300), 0);
	extents_deinit(&e);
}
END_TEST

/* ---- comparing ---- */

enum { BYTES = 64 };

struct byte {
	uint64_t at; /* EXTENTS_HOLE */
	uint32_t flags;
};

static void paint(struct byte *bytes)
{
	uint64_t at = EXTENTS_HOLE;
	uint32_t flags = 0;

	for (int i = 0; i < BYTES; i++) {
		if (i == 0 || random() % 6 == 0) {
			at = random() % 4 == 0 ? EXTENTS_HOLE : (uint64_t)(random() % 3) * 1000 + i;
			flags = at == EXTENTS_HOLE || random() % 4 ? 0 : 1u << random() % 5;
		}
		bytes[i] = (struct byte){ at, flags };
		if (at != EXTENTS_HOLE)
			at++;
	}
}

/* With splits that mean nothing. */
static void to_extents(const struct byte *bytes, struct extents *e)
{
	for (int i = 0, n; i < BYTES; i += n) {
		n = 1;
		if (bytes[i].at == EXTENTS_HOLE)
			continue;
		while (i + n < BYTES && bytes[i + n].at == bytes[i].at + (uint64_t)n &&
		       bytes[i + n].flags == bytes[i].flags && random() % 8)
			n++;
		add(e, (uint64_t)i, bytes[i].at, (uint64_t)n, bytes[i].flags);
	}
}

struct told {
	const struct byte *promised, *now;
	bool seen[BYTES];
	size_t n;
	uint64_t bytes, end;
};

static void on_difference(const struct extents_difference *d, void *data)
{
	struct told *told = data;
	bool right = true; /* an assertion for each byte is most of the test's time */

	told->n++;
	ck_assert_uint_gt(d->length, 0);
	ck_assert_uint_ge(d->logical, told->end);
	told->end = d->logical + d->length;
	for (uint64_t i = 0; i < d->length; i++) {
		const struct byte *promised = &told->promised[d->logical + i];
		const struct byte *now = &told->now[d->logical + i];

		right &= promised->at ==
			 (d->promised == EXTENTS_HOLE ? d->promised : d->promised + i);
		right &= now->at == (d->now == EXTENTS_HOLE ? d->now : d->now + i);
		right &= now->flags == d->flags;
		told->seen[d->logical + i] = true;
		told->bytes++;
	}
	ck_assert(right);
}

START_TEST(same_as_byte_by_byte)
{
	srandom((unsigned int)_i);
	for (int round = 0; round < 2000; round++) {
		struct byte promised[BYTES], now[BYTES];
		struct told told = { .promised = promised, .now = now };
		struct extents a = { 0 }, b = { 0 };
		uint64_t start = (uint64_t)(random() % BYTES), end, bytes;
		bool right = true;

		end = start + (uint64_t)(random() % (BYTES - (long)start)) + 1;
		paint(promised);
		memcpy(now, promised, sizeof(now));
		if (random() % 2)
			paint(now);
		to_extents(promised, &a);
		to_extents(now, &b);
		ck_assert_uint_eq(extents_compare(&a, &b, start, end, on_difference, &told,
						  &bytes),
				  told.n);
		ck_assert_uint_eq(bytes, told.bytes);
		for (uint64_t i = 0; i < BYTES; i++) {
			bool differs = i >= start && i < end &&
				       (promised[i].at != now[i].at ||
					now[i].flags & ~promised[i].flags);

			right &= told.seen[i] == differs;
		}
		ck_assert(right);
		extents_deinit(&a);
		extents_deinit(&b);
	}
}
END_TEST

START_TEST(runs_are_told_as_one)
{
	struct extents a = { 0 }, b = { 0 };
	struct extents_difference d;
	char text[160];

	add(&a, 0, 1000, 100, 0);
	add(&b, 0, 1000, 10, 0);
	add(&b, 40, 1040, 60, 0);
	ck_assert_uint_eq(extents_compare(&a, &b, 0, 100, NULL, NULL, NULL), 1);
	/* written at last is no difference */
	extents_deinit(&a);
	add(&a, 0, 1000, 100, EXTENT_UNWRITTEN);
	extents_deinit(&b);
	add(&b, 0, 1000, 50, 0);
	add(&b, 50, 1050, 50, EXTENT_UNWRITTEN);
	ck_assert_uint_eq(extents_compare(&a, &b, 0, 100, NULL, NULL, NULL), 0);
	extents_deinit(&a);
	extents_deinit(&b);
	d = (struct extents_difference){ 4096, 8192, 100, EXTENTS_HOLE, 0 };
	ck_assert_str_eq(extents_describe(&d, text, sizeof(text)),
			 "bytes 4096+8192: promised at 100, now a hole");
	d = (struct extents_difference){ 0, 1, EXTENTS_HOLE, 7, EXTENT_SHARED | EXTENT_UNWRITTEN };
	ck_assert_str_eq(extents_describe(&d, text, sizeof(text)),
			 "bytes 0+1: promised a hole, now unwritten, shared at 7");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("extents");
	TCase *tc = tcase_create("direct");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_add_test(tc, neighbours_are_one);
	tcase_add_test(tc, what_is_no_extent_is_refused);
	tcase_add_test(tc, parts_are_cut);
	tcase_add_test(tc, gaps);
	tcase_add_loop_test(tc, same_as_byte_by_byte, 0, 4);
	tcase_add_test(tc, runs_are_told_as_one);
	suite_add_tcase(s, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
