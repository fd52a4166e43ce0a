/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a uid may have at once. A user is charged before something is made for it, and refunded when
 * that is gone; the charge remembers both, so it can't be refunded to somebody else or twice.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "util/cleanup.h"

enum quota_kind {
	QUOTA_SESSIONS,
	QUOTA_SEALS,
	QUOTA_WINDOW_BYTES, /* windows, anonymous objects, kept bytes: what memory is spent on */
	QUOTA_WAITING,	    /* requests that wait for others: acquires and breaks */
	_QUOTA_N,
};

enum { QUOTA_EXCEEDED = 1 };

struct quota;
struct quota_user;

struct quota_limits {
	uint64_t max[_QUOTA_N];
};

struct quota_charge {
	struct quota_user *user; /* NULL: nothing is charged */
	uint64_t amount;
	enum quota_kind kind;
};

int quota_new(const struct quota_limits *limits, struct quota **ret);
struct quota *quota_free(struct quota *quota); /* after the last user was put */
DEFINE_CLEANUP(struct quota *, quota_free)

/* The user of @uid, the same for all of its sessions. Put it back when done. */
int quota_user_get(struct quota *quota, uid_t uid, struct quota_user **ret);
struct quota_user *quota_user_put(struct quota_user *user);
DEFINE_CLEANUP(struct quota_user *, quota_user_put)

/* 0, or QUOTA_EXCEEDED, which changes nothing. A charge keeps its user. */
int quota_charge(struct quota_user *user, enum quota_kind kind, uint64_t amount,
		 struct quota_charge *ret);

/* For what exists already and can't be refused: counts, and goes over the limit if it has to. */
void quota_charge_forced(struct quota_user *user, enum quota_kind kind, uint64_t amount,
			 struct quota_charge *ret);

/* Moves a charge to a new owner; the old one holds nothing afterwards. */
struct quota_charge quota_charge_take(struct quota_charge *charge);

void quota_refund(struct quota_charge *charge);

/* Gives back a part: a range that became smaller. */
void quota_refund_part(struct quota_charge *charge, uint64_t amount);

uint64_t quota_used(const struct quota_user *user, enum quota_kind kind);
uint64_t quota_limit(const struct quota_user *user, enum quota_kind kind);

/* Whether little is left, less than 1/8 of the limit; true once, and again only after there was 1/4
 * in between. */
bool quota_became_short(struct quota_user *user, enum quota_kind kind);
