/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Breaks, and the lines of their accounts; see break.c. */

#include "client/connection.h"
#include "mapseal.h"

/* The longest hold was reached. Under the lock. */
void break_on_expired(struct mapseal *m, uint64_t id);

/* For the end of the connection. */
void break_end_all(struct mapseal *m);
void break_free_all(struct mapseal *m);

/* *ret points to nothing in @holder. */
void break_account(const struct proto_break_holder *holder, struct mapseal_account *ret);
