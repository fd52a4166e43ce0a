/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * An AVL tree ordered by start, where each node also knows the largest end beneath it.
 *
 * The search rests on one observation: if the left subtree has an end beyond the wanted start, the
 * leftmost hit is there, or there is none at all, for the leftmost node of that kind starts too
 * late and everything right of it starts later still. So a search never turns back, and it costs
 * O(log n) to the first hit and O(log n) at worst, O(1) on average, from each hit to the next.
 *
 * Every change walks up to the root: heights settle early, largest ends need not. Nothing recurses.
 */

#include "daemon/core/interval.h"

static int height(const struct interval *n)
{
	return n ? n->height : 0;
}

static void update(struct interval *n)
{
	int l = height(n->left), r = height(n->right);

	n->height = (l > r ? l : r) + 1;
	n->max = n->end;
	if (n->left && n->left->max > n->max)
		n->max = n->left->max;
	if (n->right && n->right->max > n->max)
		n->max = n->right->max;
}

/* Puts @to where @from hangs below @parent. */
static void replace(struct interval_tree *tree, struct interval *parent, struct interval *from,
		    struct interval *to)
{
	if (!parent)
		tree->root = to;
	else if (parent->left == from)
		parent->left = to;
	else
		parent->right = to;
	if (to)
		to->parent = parent;
}

static struct interval *rotate_left(struct interval_tree *tree, struct interval *n)
{
	struct interval *top = n->right;

	replace(tree, n->parent, n, top);
	n->right = top->left;
	if (n->right)
		n->right->parent = n;
	top->left = n;
	n->parent = top;
	update(n);
	update(top);
	return top;
}

static struct interval *rotate_right(struct interval_tree *tree, struct interval *n)
{
	struct interval *top = n->left;

	replace(tree, n->parent, n, top);
	n->left = top->right;
	if (n->left)
		n->left->parent = n;
	top->right = n;
	n->parent = top;
	update(n);
	update(top);
	return top;
}

static void rebalance(struct interval_tree *tree, struct interval *n)
{
	for (; n; n = n->parent) {
		int balance = height(n->left) - height(n->right);

		if (balance > 1) {
			if (height(n->left->left) < height(n->left->right))
				rotate_left(tree, n->left);
			n = rotate_right(tree, n);
		} else if (balance < -1) {
			if (height(n->right->right) < height(n->right->left))
				rotate_right(tree, n->right);
			n = rotate_left(tree, n);
		} else {
			update(n);
		}
	}
}

void interval_insert(struct interval_tree *tree, struct interval *n, uint64_t start, uint64_t end)
{
	struct interval *parent = NULL, **link = &tree->root;

	while (*link) {
		parent = *link;
		link = start < parent->start ? &parent->left : &parent->right;
	}
	*n = (struct interval){ .parent = parent, .start = start, .end = end };
	*link = n;
	rebalance(tree, n);
}

void interval_remove(struct interval_tree *tree, struct interval *n)
{
	struct interval *from; /* the lowest node whose subtree changed */

	if (n->left && n->right) {
		struct interval *next = n->right;

		while (next->left)
			next = next->left;
		from = next->parent == n ? next : next->parent;
		if (next->parent != n) {
			replace(tree, next->parent, next, next->right);
			next->right = n->right;
			next->right->parent = next;
		}
		next->left = n->left;
		next->left->parent = next;
		replace(tree, n->parent, n, next);
	} else {
		from = n->parent;
		replace(tree, n->parent, n, n->left ? n->left : n->right);
	}
	rebalance(tree, from);
	n->parent = n->left = n->right = NULL;
}

static struct interval *first_below(struct interval *n, uint64_t start, uint64_t end)
{
	while (n && n->max > start) {
		if (n->left && n->left->max > start) {
			n = n->left;
			continue;
		}
		if (n->start >= end)
			return NULL;
		if (n->end > start)
			return n;
		n = n->right;
	}
	return NULL;
}

struct interval *interval_first(const struct interval_tree *tree, uint64_t start, uint64_t end)
{
	return first_below(tree->root, start, end);
}

struct interval *interval_next(const struct interval *n, uint64_t start, uint64_t end)
{
	for (;;) {
		const struct interval *child;

		if (n->right && n->right->max > start)
			return first_below(n->right, start, end);
		do {
			child = n;
			n = n->parent;
			if (!n)
				return NULL;
		} while (n->right == child);
		if (n->start >= end)
			return NULL;
		if (n->end > start)
			return (struct interval *)n;
	}
}
