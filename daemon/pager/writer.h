/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Writing pages of a view to its object: what flush, commit and a fence have in common.
 */

#include <stdbool.h>
#include <stdint.h>

struct op;
struct pager;
struct view;

struct writer {
	struct pager *pager;
	struct view *view;
	struct op *op; /* runs when a write has ended */
	bool take;	  /* dirty pages become `writing`; else they stay dirty */
	bool settle;	  /* ... and clean once they are written, without writer_settle() */
	unsigned int under_way;
	int error; /* the first one */
	uint64_t bytes;
};

/* Begins to write what is dirty in [first, last), which can't be written by its holder just now. As
 * much as there are buffers for: returns where it stopped. */
uint64_t writer_write(struct writer *writer, uint64_t first, uint64_t last);

/* Room for more? If not the operation is run when there is. */
bool writer_may(const struct writer *writer);

/* `writing` pages of [first, last) become clean, or dirty again. */
void writer_settle(struct writer *writer, uint64_t first, uint64_t last, bool clean);

void writer_deinit(struct pager *pager);

/* Under view->lock, any thread: no write of pages in [first, last) begins any more, and those that
 * began can't read their bytes any more, wherever they are in the kernel. */
void view_revoke(struct view *view, uint64_t first, uint64_t last);

/* Were any of these pages revoked, and not cleaned up since? */
bool view_is_revoked(struct view *view, uint64_t first, uint64_t last);
