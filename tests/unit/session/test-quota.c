/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Charges are counted a uid, refunded once, and outlive sessions. */

#include <check.h>

#include "daemon/session/quota.h"

static struct quota *quota;

static void setup(void)
{
	struct quota_limits limits = { .max = { 2, 10, 1000, 4 } };

	ck_assert_int_eq(quota_new(&limits, &quota), 0);
}

static void teardown(void)
{
	quota = quota_free(quota);
}

START_TEST(one_account_a_uid)
{
	struct quota_user *a, *b, *other;
	struct quota_charge charge, second;

	ck_assert_int_eq(quota_user_get(quota, 1000, &a), 0);
	ck_assert_int_eq(quota_user_get(quota, 1000, &b), 0);
	ck_assert_int_eq(quota_user_get(quota, 1064, &other), 0);
	ck_assert_ptr_eq(a, b);
	ck_assert_ptr_ne(a, other);
	ck_assert_int_eq(quota_charge(a, QUOTA_WINDOW_BYTES, 600, &charge), 0);
	ck_assert_int_eq(quota_charge(b, QUOTA_WINDOW_BYTES, 401, &second), QUOTA_EXCEEDED);
	ck_assert_int_eq(quota_charge(b, QUOTA_WINDOW_BYTES, UINT64_MAX, &second), QUOTA_EXCEEDED);
	ck_assert_int_eq(quota_charge(other, QUOTA_WINDOW_BYTES, 1000, &second), 0);
	quota_refund(&charge);
	quota_refund(&second);
	ck_assert_uint_eq(quota_used(a, QUOTA_WINDOW_BYTES), 0);
	quota_user_put(a);
	quota_user_put(b);
	quota_user_put(other);
}
END_TEST

START_TEST(refunded_once)
{
	struct quota_user *user;
	struct quota_charge charge, moved;

	ck_assert_int_eq(quota_user_get(quota, 1, &user), 0);
	ck_assert_int_eq(quota_charge(user, QUOTA_SEALS, 3, &charge), 0);
	moved = quota_charge_take(&charge);
	quota_refund(&charge);
	ck_assert_uint_eq(quota_used(user, QUOTA_SEALS), 3);
	quota_refund(&moved);
	quota_refund(&moved);
	ck_assert_uint_eq(quota_used(user, QUOTA_SEALS), 0);
	quota_user_put(user);
}
END_TEST

START_TEST(forced_goes_over)
{
	struct quota_user *user;
	struct quota_charge forced, more;

	ck_assert_int_eq(quota_user_get(quota, 1, &user), 0);
	quota_charge_forced(user, QUOTA_WINDOW_BYTES, 1500, &forced);
	ck_assert_uint_eq(quota_used(user, QUOTA_WINDOW_BYTES), 1500);
	ck_assert_int_eq(quota_charge(user, QUOTA_WINDOW_BYTES, 0, &more), QUOTA_EXCEEDED);
	quota_refund_part(&forced, 1000);
	ck_assert_int_eq(quota_charge(user, QUOTA_WINDOW_BYTES, 500, &more), 0);
	quota_refund(&more);
	quota_refund_part(&forced, 9999);
	ck_assert_uint_eq(quota_used(user, QUOTA_WINDOW_BYTES), 0);
	quota_refund(&forced);
	quota_user_put(user);
}
END_TEST

START_TEST(a_charge_outlives_the_session)
{
	struct quota_user *user, *again;
	struct quota_charge charge, more;

	ck_assert_int_eq(quota_user_get(quota, 7, &user), 0);
	ck_assert_int_eq(quota_charge(user, QUOTA_SEALS, 10, &charge), 0);
	quota_user_put(user);
	ck_assert_int_eq(quota_user_get(quota, 7, &again), 0);
	ck_assert_int_eq(quota_charge(again, QUOTA_SEALS, 1, &more), QUOTA_EXCEEDED);
	quota_refund(&charge);
	ck_assert_int_eq(quota_charge(again, QUOTA_SEALS, 1, &more), 0);
	quota_refund(&more);
	quota_user_put(again);
}
END_TEST

START_TEST(short_once_with_some_slack)
{
	struct quota_user *user;
	struct quota_charge charge, more;

	ck_assert_int_eq(quota_user_get(quota, 7, &user), 0);
	quota_charge_forced(user, QUOTA_WINDOW_BYTES, 875, &charge);
	ck_assert(!quota_became_short(user, QUOTA_WINDOW_BYTES));
	quota_refund(&charge);
	quota_charge_forced(user, QUOTA_WINDOW_BYTES, 876, &charge);
	ck_assert(quota_became_short(user, QUOTA_WINDOW_BYTES));
	ck_assert(!quota_became_short(user, QUOTA_WINDOW_BYTES));
	/* not less enough to count as over */
	quota_refund_part(&charge, 125);
	quota_charge_forced(user, QUOTA_WINDOW_BYTES, 200, &more);
	ck_assert(!quota_became_short(user, QUOTA_WINDOW_BYTES));
	/* though nobody looked in between */
	quota_refund(&more);
	quota_refund_part(&charge, 1);
	quota_charge_forced(user, QUOTA_WINDOW_BYTES, 200, &more);
	ck_assert(quota_became_short(user, QUOTA_WINDOW_BYTES));
	quota_refund(&more);
	quota_refund(&charge);
	/* the last one of a few */
	quota_charge_forced(user, QUOTA_SESSIONS, 1, &charge);
	ck_assert(!quota_became_short(user, QUOTA_SESSIONS));
	quota_refund(&charge);
	quota_user_put(user);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session");
	TCase *tc = tcase_create("quota");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, one_account_a_uid);
	tcase_add_test(tc, refunded_once);
	tcase_add_test(tc, forced_goes_over);
	tcase_add_test(tc, a_charge_outlives_the_session);
	tcase_add_test(tc, short_once_with_some_slack);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
