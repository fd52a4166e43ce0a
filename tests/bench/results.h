/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What came out: see bench_report() in bench.h for how rows get here. */

#include <stdbool.h>

void results_init(void);
void results_print(void);

/* A list of { name, value, unit, floor, ratio }; floor and ratio are null where there is no floor.
 * False and errno; the old file is then left as it was. */
bool results_write(const char *path);
