/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Sequence numbers, tokens, and the heap of timers. */

#include "daemon/core/seq.h"
#include "daemon/core/timer.h"
#include "daemon/core/token.h"
#include "tests/unit/core/core-test.h"

START_TEST(next_is_never_zero)
{
	ck_assert_uint_eq(seq_next(1), 2);
	ck_assert_uint_eq(seq_next(0x7fffffff), 0x80000000);
	ck_assert_uint_eq(seq_next(UINT32_MAX - 1), UINT32_MAX);
	ck_assert_uint_eq(seq_next(UINT32_MAX), 1);
}
END_TEST

START_TEST(older_goes_the_shorter_way)
{
	ck_assert(seq_older(1, 2));
	ck_assert(!seq_older(2, 1));
	ck_assert(!seq_older(5, 5));
	ck_assert(seq_older(UINT32_MAX, 1));
	ck_assert(!seq_older(1, UINT32_MAX));
	ck_assert(seq_older(UINT32_MAX - 5, 10));
	ck_assert(!seq_older(10, UINT32_MAX - 5));
	ck_assert(seq_older(1, 0x7fffffff));
	ck_assert(!seq_older(1, 0x80000001));
}
END_TEST

START_TEST(older_is_never_both)
{
	static const uint32_t some[] = { 1, 2, 3, 0x7ffffffe, 0x7fffffff, 0x80000000, 0x80000001,
					 0x80000002, UINT32_MAX - 1, UINT32_MAX };
	const size_t n = sizeof(some) / sizeof(some[0]);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			ck_assert_int_eq(seq_older(some[i], some[j]) + seq_older(some[j], some[i]),
					 i != j);
}
END_TEST

START_TEST(next_is_newer)
{
	for (uint32_t seq = UINT32_MAX - 100; seq != 100; seq = seq_next(seq)) {
		ck_assert_uint_ne(seq, 0);
		ck_assert(seq_older(seq, seq_next(seq)));
	}
}
END_TEST

START_TEST(tokens_differ_and_hang_on_the_seed)
{
	for (uint64_t i = 0; i < 1000; i++) {
		ck_assert_uint_ne(token_draw(1, i), 0);
		ck_assert_uint_eq(token_draw(1, i), token_draw(1, i));
		ck_assert_uint_ne(token_draw(1, i), token_draw(2, i));
		ck_assert_uint_ne(token_draw(1, i), token_draw(1, i + 1));
		/* Neither counted on nor close. */
		ck_assert_uint_gt(token_draw(1, i) ^ token_draw(1, i + 1), UINT32_MAX);
	}
}
END_TEST

START_TEST(heap_is_ordered_by_key_then_tie)
{
	struct heap heap = { 0 };
	struct heap_node nodes[500] = { 0 }, *n, *last = NULL;
	size_t left = 0;

	for (size_t i = 0; i < 500; i++)
		ck_assert_int_eq(heap_insert(&heap, &nodes[i], i * 7919 % 97, i), 0);
	for (size_t i = 0; i < 500; i += 3)
		heap_remove(&heap, &nodes[i]);
	heap_remove(&heap, &nodes[0]); /* not in there: nothing */
	while ((n = heap_first(&heap))) {
		heap_remove(&heap, n);
		ck_assert(!heap_has(n));
		if (last)
			ck_assert(last->key < n->key || (last->key == n->key && last->tie < n->tie));
		last = n;
		left++;
	}
	ck_assert_uint_eq(left, 333);
	heap_deinit(&heap);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("seq");
	TCase *tc = core_tests(s);

	tcase_add_test(tc, next_is_never_zero);
	tcase_add_test(tc, older_goes_the_shorter_way);
	tcase_add_test(tc, older_is_never_both);
	tcase_add_test(tc, next_is_newer);
	tcase_add_test(tc, tokens_differ_and_hang_on_the_seed);
	tcase_add_test(tc, heap_is_ordered_by_key_then_tie);
	return core_run(s);
}
