/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The connections of the process, for fork(2); see fork.c. */

#include "mapseal.h"

int fork_add(struct mapseal *m);
void fork_remove(struct mapseal *m);
