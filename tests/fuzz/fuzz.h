/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What every fuzz target defines: libFuzzer calls it, or replay.c with inputs that were kept. */

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Once, before the first input, if the target has it. May end the program with 77 and a reason. */
int LLVMFuzzerInitialize(int *argc, char ***argv) __attribute__((weak));

/* A promise that must hold for any input; not assert(), which NDEBUG takes away. */
#define promise(condition)                                                                         \
	do {                                                                                       \
		if (!(condition)) {                                                                \
			fprintf(stderr, "%s:%d: broken: %s\n", __FILE__, __LINE__, #condition);    \
			abort();                                                                   \
		}                                                                                  \
	} while (0)
