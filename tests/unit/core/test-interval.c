/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The interval tree against a list, and its balance. */

#include <check.h>
#include <stdlib.h>

#include "daemon/core/interval.h"

#define N 300

static uint64_t state;

static uint64_t number(uint64_t below)
{
	state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
	return (state >> 33) % below;
}

static int check_below(const struct interval *n)
{
	int l, r;
	uint64_t max;
	bool right;

	if (!n)
		return 0;
	l = check_below(n->left);
	r = check_below(n->right);
	max = n->end;
	right = abs(l - r) <= 1 && n->height == (l > r ? l : r) + 1;
	if (n->left) {
		right &= n->left->parent == n && n->left->start <= n->start;
		max = n->left->max > max ? n->left->max : max;
	}
	if (n->right) {
		right &= n->right->parent == n && n->right->start >= n->start;
		max = n->right->max > max ? n->right->max : max;
	}
	ck_assert(right);
	ck_assert_uint_eq(n->max, max);
	return n->height;
}

/* Every hit, in order of start, equal starts in order of insertion; nothing else. */
static void check_search(const struct interval_tree *tree, struct interval *nodes, const int *age,
			 uint64_t start, uint64_t end)
{
	size_t expected = 0, found = 0;
	const struct interval *last = NULL;
	bool hit = true, ordered = true; /* an assertion for each is most of the test's time */

	for (int i = 0; i < N; i++)
		expected += age[i] && nodes[i].start < end && nodes[i].end > start;
	for (struct interval *n = interval_first(tree, start, end); n;
	     n = interval_next(n, start, end)) {
		hit &= n->start < end && n->end > start;
		if (last)
			ordered &= last->start < n->start ||
				   (last->start == n->start && age[last - nodes] < age[n - nodes]);
		last = n;
		found++;
	}
	ck_assert(hit);
	ck_assert(ordered);
	ck_assert_uint_eq(found, expected);
}

START_TEST(same_as_a_list)
{
	static struct interval nodes[N];
	struct interval_tree tree = { 0 };
	int age[N] = { 0 }, clock = 0;

	state = _i + 1;
	for (int step = 0; step < 3000; step++) {
		int i = number(N);
		uint64_t start = number(200), end = start + 1 + number(40);

		if (age[i]) {
			interval_remove(&tree, &nodes[i]);
			age[i] = 0;
		} else {
			interval_insert(&tree, &nodes[i], start, number(50) ? end : UINT64_MAX);
			age[i] = ++clock;
		}
		if (step % 16 == 0)
			check_below(tree.root);
		start = number(220);
		check_search(&tree, nodes, age, start, start + 1 + number(20));
		check_search(&tree, nodes, age, 0, UINT64_MAX);
	}
}
END_TEST

START_TEST(ends_are_exclusive)
{
	struct interval n;
	struct interval_tree tree = { 0 };

	interval_insert(&tree, &n, 10, 20);
	ck_assert_ptr_null(interval_first(&tree, 0, 10));
	ck_assert_ptr_null(interval_first(&tree, 20, 30));
	ck_assert_ptr_eq(interval_first(&tree, 9, 11), &n);
	ck_assert_ptr_eq(interval_first(&tree, 19, 20), &n);
	interval_remove(&tree, &n);
	ck_assert(interval_empty(&tree));
}
END_TEST

START_TEST(depth_stays_logarithmic)
{
	struct interval_tree tree = { 0 };
	struct interval *nodes = calloc(1 << 16, sizeof(*nodes));

	for (size_t i = 0; i < 1 << 16; i++)
		interval_insert(&tree, &nodes[i], i, i + 1);
	ck_assert_int_le(tree.root->height, 24); /* 1.44 log2 n */
	for (size_t i = 0; i < 1 << 16; i += 2)
		interval_remove(&tree, &nodes[i]);
	ck_assert_int_le(tree.root->height, 23);
	free(nodes);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("interval");
	TCase *tc = tcase_create("core");
	SRunner *runner = srunner_create(s);
	int failed;

	tcase_set_timeout(tc, 0);
	tcase_add_loop_test(tc, same_as_a_list, 0, 4);
	tcase_add_test(tc, ends_are_exclusive);
	tcase_add_test(tc, depth_stays_logarithmic);
	suite_add_tcase(s, tc);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
