/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a held seal means for what somebody else wants to do; see conflict.c. */

#include <stdbool.h>

#include "daemon/core/core.h"

enum conflict {
	CONFLICT_SHARE,	 /* both can be */
	CONFLICT_RECALL, /* the seal has to be returned first */
	CONFLICT_FLUSH,	 /* the seal stays, its written pages have to be in the object first */
};

enum conflict conflict_check(enum core_kind kind, enum core_mode mode, bool pinnable,
			     enum core_want want);

/* Whether one session would hold two incoherent copies. */
bool conflict_own(enum core_kind kind_a, enum core_mode mode_a, enum core_kind kind_b,
		  enum core_mode mode_b);

/* What an acquire of this kind and mode wants. */
enum core_want conflict_want(enum core_kind kind, enum core_mode mode);
