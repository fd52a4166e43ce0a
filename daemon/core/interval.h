/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Ranges [start, end) in a balanced tree, embedded in what they are the ranges of.
 *
 *	for (n = interval_first(tree, start, end); n; n = interval_next(n, start, end))
 *
 * visits all that overlap [start, end) in order of start, those with the same start in order of
 * insertion, in O(log n + hits). The tree must not change meanwhile. An end of UINT64_MAX is past
 * everything.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct interval {
	struct interval *parent, *left, *right;
	uint64_t start, end;
	uint64_t max; /* the largest end in the subtree */
	int height;
};

struct interval_tree {
	struct interval *root;
};

void interval_insert(struct interval_tree *tree, struct interval *n, uint64_t start, uint64_t end);
void interval_remove(struct interval_tree *tree, struct interval *n);
struct interval *interval_first(const struct interval_tree *tree, uint64_t start, uint64_t end);
struct interval *interval_next(const struct interval *n, uint64_t start, uint64_t end);

static inline bool range_overlap(uint64_t a_start, uint64_t a_end, uint64_t b_start, uint64_t b_end)
{
	return a_start < b_end && b_start < a_end;
}

static inline bool interval_empty(const struct interval_tree *tree)
{
	return !tree->root;
}
