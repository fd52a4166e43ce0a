/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Quotas of a uid.
 *
 * A user exists as long as somebody holds it: a session, or a charge. So what a client leaves behind
 * when it hangs up (windows that are still being taken back, kept bytes) goes on counting against
 * its uid, and hanging up and coming back gains nothing.
 *
 * Invariant: used[kind] is the sum of the outstanding charges of that kind.
 */

#include "daemon/session/quota.h"

#include <string.h>

#include "util/list.h"

#define BUCKETS 64

struct quota_user {
	struct list link;
	struct quota *quota;
	uid_t uid;
	size_t refs;
	uint64_t used[_QUOTA_N];
	bool is_short[_QUOTA_N];
};

struct quota {
	struct quota_limits limits;
	struct list users[BUCKETS];
};

int quota_new(const struct quota_limits *limits, struct quota **ret)
{
	struct quota *quota = calloc(1, sizeof(*quota));

	if (!quota)
		return -ENOMEM;
	quota->limits = *limits;
	for (size_t i = 0; i < BUCKETS; i++)
		list_init(&quota->users[i]);
	*ret = quota;
	return 0;
}

struct quota *quota_free(struct quota *quota)
{
	free(quota);
	return NULL;
}

int quota_user_get(struct quota *quota, uid_t uid, struct quota_user **ret)
{
	struct list *bucket = &quota->users[uid % BUCKETS];
	struct quota_user *user;

	list_for_each (l, bucket) {
		user = list_entry(l, struct quota_user, link);
		if (user->uid == uid) {
			user->refs++;
			*ret = user;
			return 0;
		}
	}
	user = calloc(1, sizeof(*user));
	if (!user)
		return -ENOMEM;
	user->quota = quota;
	user->uid = uid;
	user->refs = 1;
	list_append(bucket, &user->link);
	*ret = user;
	return 0;
}

struct quota_user *quota_user_put(struct quota_user *user)
{
	if (user && --user->refs == 0) {
		list_unlink(&user->link);
		free(user);
	}
	return NULL;
}

void quota_charge_forced(struct quota_user *user, enum quota_kind kind, uint64_t amount,
			 struct quota_charge *ret)
{
	user->refs++;
	user->used[kind] += amount;
	*ret = (struct quota_charge){ .user = user, .kind = kind, .amount = amount };
}

int quota_charge(struct quota_user *user, enum quota_kind kind, uint64_t amount,
		 struct quota_charge *ret)
{
	uint64_t max = user->quota->limits.max[kind];

	if (user->used[kind] > max || amount > max - user->used[kind])
		return QUOTA_EXCEEDED;
	quota_charge_forced(user, kind, amount, ret);
	return 0;
}

struct quota_charge quota_charge_take(struct quota_charge *charge)
{
	struct quota_charge taken = *charge;

	memset(charge, 0, sizeof(*charge));
	return taken;
}

static void take_back(struct quota_user *user, enum quota_kind kind, uint64_t amount)
{
	uint64_t max = user->quota->limits.max[kind];

	user->used[kind] -= amount;
	if (user->used[kind] <= max - max / 4)
		user->is_short[kind] = false;
}

void quota_refund(struct quota_charge *charge)
{
	struct quota_charge taken = quota_charge_take(charge);

	if (!taken.user)
		return;
	take_back(taken.user, taken.kind, taken.amount);
	quota_user_put(taken.user);
}

void quota_refund_part(struct quota_charge *charge, uint64_t amount)
{
	if (!charge->user)
		return;
	if (amount > charge->amount)
		amount = charge->amount;
	charge->amount -= amount;
	take_back(charge->user, charge->kind, amount);
}

uint64_t quota_used(const struct quota_user *user, enum quota_kind kind)
{
	return user->used[kind];
}

uint64_t quota_limit(const struct quota_user *user, enum quota_kind kind)
{
	return user->quota->limits.max[kind];
}

bool quota_became_short(struct quota_user *user, enum quota_kind kind)
{
	uint64_t max = user->quota->limits.max[kind];
	bool before = user->is_short[kind];

	if (user->used[kind] > max - max / 8)
		user->is_short[kind] = true;
	return user->is_short[kind] && !before;
}
