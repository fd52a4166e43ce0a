/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdint.h>

/* The @n-th token drawn from @seed; never 0. See token.c for what it promises. */
uint64_t token_draw(uint64_t seed, uint64_t n);
