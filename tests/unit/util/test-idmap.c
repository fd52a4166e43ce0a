/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table of ids, against a slow and obvious model. */

#include <check.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "util/idmap.h"

static uint64_t dice(uint64_t *state, uint64_t sides)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (*state >> 33) % sides;
}

START_TEST(finds_what_is_in_it)
{
	struct idmap map = { 0 };
	struct idmap_node *nodes = calloc(5000, sizeof(*nodes));

	ck_assert_ptr_null(idmap_find(&map, 1));
	ck_assert_ptr_null(idmap_any(&map));
	for (size_t i = 0; i < 5000; i++)
		idmap_insert(&map, &nodes[i], i * i + 1);
	for (size_t i = 0; i < 5000; i += 2)
		idmap_remove(&map, &nodes[i]);
	for (size_t i = 0; i < 5000; i++)
		ck_assert_ptr_eq(idmap_find(&map, i * i + 1), i % 2 ? &nodes[i] : NULL);
	ck_assert_uint_eq(map.n, 2500);
	/* At most two pointers of the table for a node. */
	ck_assert_uint_le(map.size, 2 * 5000);
	while (map.n > 10)
		idmap_remove(&map, idmap_any(&map));
	/* Before where idmap_any() has come to, and beyond. */
	for (size_t i = 0; i < 100; i += 2)
		idmap_insert(&map, &nodes[i], i);
	for (size_t left = 60; left > 0; left--)
		idmap_remove(&map, idmap_any(&map));
	ck_assert_uint_eq(map.n, 0);
	ck_assert_ptr_null(idmap_any(&map));
	idmap_deinit(&map);
	free(nodes);
}
END_TEST

START_TEST(comes_and_goes_at_random)
{
	enum { IDS = 500 };
	static struct idmap_node nodes[IDS];
	struct idmap map = { 0 };
	bool model[IDS] = { false };
	uint64_t state = 1;
	size_t n = 0;

	for (int i = 0; i < 50000; i++) {
		/* numbers far apart collide as well as neighbours */
		uint64_t k = dice(&state, IDS), id = k % 2 ? k + 1 : (k + 1) << 32 | 7;

		if (dice(&state, 3) == 0) {
			ck_assert_ptr_eq(idmap_find(&map, id), model[k] ? &nodes[k] : NULL);
		} else if (model[k]) {
			idmap_remove(&map, &nodes[k]);
			model[k] = false;
			n--;
		} else {
			idmap_insert(&map, &nodes[k], id);
			model[k] = true;
			n++;
		}
		ck_assert_uint_eq(map.n, n);
	}
	idmap_deinit(&map);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("idmap");
	TCase *tc = tcase_create("idmap");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, finds_what_is_in_it);
	tcase_add_test(tc, comes_and_goes_at_random);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
