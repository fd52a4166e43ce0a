/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Flush and commit.
 *
 * Slice by slice: write-protect what is dirty, copy it out, write it. Threads of the holder go on;
 * the first write to a protected page makes it dirty anew, and belongs to the next flush or commit.
 * Pages that were populated for writing stay writable (system calls on them must not fail) and are
 * copied as they are; they stay dirty.
 *
 * A holder can keep write-protecting at EAGAIN for as long as it likes, and others wait behind it:
 * for their turn, or for what is flushed, strangers among them that are held in the kernel. After a
 * while the rest is done without, as of pages that are kept writable. That time begins when the
 * flush or commit is asked for: or as many of them as its holder may ask for would take it one
 * after the other.
 *
 * A commit ends with one fdatasync, and only then are its pages clean: until that they are
 * `writing`, and any failure makes all of them dirty again. Syncing once more without writing once
 * more could report success about bytes that the kernel has given up. And the kernel reports a
 * failure once for each description, to whoever syncs first, though it may be about another
 * window's bytes: so an object has one sync under way at a time, for all commits whose bytes were
 * written when it began, and a failure is the failure of every commit that has begun to write.
 *
 * A flush makes nothing clean:
 * its caller cannot know whether a device is still at work on a page, which write-protection does
 * not see. Only the holder can, when it commits.
 */

#include <errno.h>
#include <stdlib.h>

#include "daemon/pager/state.h"
#include "daemon/pager/writer.h"

struct writeback {
	struct op op;
	struct turn turn;
	struct writer writer;
	struct loop_op sync;
	struct list sync_link; /* in object->syncing or ->to_sync */
	struct job *job;
	struct window *window;
	uint64_t first, last, cursor;
	uint64_t failed_before; /* syncs of the object, when this began to write */
	uint64_t patient_until; /* with an address space that changes */
	bool changed;		/* it did */
	bool commit, begun, syncing, synced;
	int error;
};

static void finish(struct writeback *wb)
{
	struct pager *pager = wb->op.pager;

	/* pages that were taken by force meanwhile did not get there */
	if (!wb->error && view_is_revoked(wb->window->view, wb->first, wb->last))
		wb->error = -ECANCELED;
	if (wb->commit)
		writer_settle(&wb->writer, wb->first, wb->last, wb->error == 0);
	op_stop(&wb->op);
	if (wb->commit && wb->error == 0) {
		struct notice *notice = wb->job->committed;

		wb->job->committed = NULL;
		notice->event = wb->job->done->event;
		notice->event.type = PAGER_EVENT_COMMITTED;
		notice->event.value = wb->writer.bytes;
		queue_add(&pager->events, &notice->link);
	}
	job_done(pager, wb->job, wb->error, wb->writer.bytes);
	turn_end(wb->window, &wb->turn);
	free(wb);
	pager->n_ops--;
}

/* ---- syncing ----------------------------------------------------------------------------- */

static void start_sync(struct object *object);

static void sync_over(struct object *object, int result)
{
	if (result < 0) {
		object->failed_syncs++;
		object->sync_error = result;
	}
	list_for_each (pos, &object->syncing) {
		struct writeback *wb = list_entry(pos, struct writeback, sync_link);

		list_unlink(&wb->sync_link);
		wb->syncing = false;
		wb->synced = true;
		if (!wb->error && wb->failed_before != object->failed_syncs)
			wb->error = object->sync_error;
		op_again(&wb->op);
	}
	if (!list_empty(&object->to_sync))
		start_sync(object);
}

static void synced(struct loop_op *op, int result)
{
	struct writeback *wb = op->data;

	sync_over(wb->window->view->object, result);
}

static void start_sync(struct object *object)
{
	struct writeback *wb = list_entry(list_first(&object->to_sync), struct writeback, sync_link);
	int r;

	list_for_each (pos, &object->to_sync) {
		list_unlink(pos);
		list_append(&object->syncing, pos);
	}
	wb->sync = (struct loop_op){ .fn = synced, .data = wb };
	r = loop_fdatasync(object->pager->loop, &wb->sync, object->fd);
	if (r < 0)
		sync_over(object, r);
}

static void join_sync(struct writeback *wb, struct object *object)
{
	wb->syncing = true;
	list_append(&object->to_sync, &wb->sync_link);
	if (list_empty(&object->syncing))
		start_sync(object);
}

/* ---- writing ----------------------------------------------------------------------------- */

/* Runs of pages that are dirty and not kept writable are protected. */
static int protect_dirty(struct writeback *wb, uint64_t first, uint64_t last)
{
	const uint64_t *kept = wb->window->kept;
	struct view *view = wb->window->view;

	while (first < last) {
		uint64_t end;
		int r;

		/* only this thread sets dirty bits; others may clear some, which does no harm
		 * here */
		pthread_mutex_lock(&view->lock);
		first = bitmap_next_set(view->dirty, first, last);
		end = bitmap_next_clear(view->dirty, first, last);
		pthread_mutex_unlock(&view->lock);
		if (first == last)
			break;
		if (bitmap_test(kept, first)) {
			first = bitmap_next_clear(kept, first, end);
			continue;
		}
		end = bitmap_next_set(kept, first, end);
		r = window_protect(wb->window, first, end);
		if (r)
			return r;
		first = end;
	}
	return 0;
}

static bool is_patient(struct writeback *wb)
{
	uint64_t now = loop_now();

	/* the turn may have come late, behind a slow disk; most changes are over at once */
	if (!wb->changed && wb->patient_until < now + DEADLINE_RETRY_MAX_NS)
		wb->patient_until = now + DEADLINE_RETRY_MAX_NS;
	wb->changed = true;
	return now < wb->patient_until;
}

/* What was written while it could change must be dirty after a commit just as before it. */
static void stay_dirty(const struct window *window, bool all, uint64_t first, uint64_t last)
{
	struct view *view = window->view;

	pthread_mutex_lock(&view->lock);
	for (uint64_t page = first; page < last; page++) {
		if (!all)
			page = bitmap_next_set(window->kept, page, last);
		if (page < last && bitmap_test(view->writing, page))
			bitmap_set(view->dirty, page, page + 1);
	}
	pthread_mutex_unlock(&view->lock);
}

static void step(struct op *op)
{
	struct writeback *wb = container_of(op, struct writeback, op);
	struct view *view = wb->window->view;
	bool writable;
	uint64_t end;

	if (list_first(&wb->window->line) != &wb->turn.link || wb->syncing)
		return;
	if (!wb->begun) {
		wb->begun = true;
		wb->failed_before = view->object->failed_syncs;
	}
	if (wb->window->closed && wb->cursor < wb->last) {
		wb->error = -ECANCELED;
		wb->cursor = wb->last;
	}
	if (wb->writer.error && !wb->error) {
		wb->error = wb->writer.error;
		wb->cursor = wb->last;
	}
	if (wb->cursor < wb->last) {
		if (!writer_may(&wb->writer))
			return;
		end = wb->last - wb->cursor < SLICE_PAGES ? wb->last : wb->cursor + SLICE_PAGES;
		writable = protect_dirty(wb, wb->cursor, end) == UFFD_AGAIN;
		if (writable && is_patient(wb)) {
			space_ready(wb->window->space);
			op_sleep(op, loop_now() + DEADLINE_RETRY_NS);
			return;
		}
		end = writer_write(&wb->writer, wb->cursor, end);
		if (wb->commit)
			stay_dirty(wb->window, writable, wb->cursor, end);
		wb->cursor = end;
		op_again(op);
		return;
	}
	if (wb->writer.under_way)
		return;
	if (wb->writer.error && !wb->error)
		wb->error = wb->writer.error;
	if (wb->commit && !wb->error && !wb->synced && !view->object->anonymous) {
		join_sync(wb, view->object);
		return;
	}
	finish(wb);
}

void writeback_start(struct pager *pager, struct job *job)
{
	struct window *window = window_get(pager, job->job.window);
	struct writeback *wb;

	if (!window) {
		job_done(pager, job, -EINVAL, 0);
		return;
	}
	if (!window->view->write) {
		job_done(pager, job, -EACCES, 0);
		return;
	}
	wb = calloc(1, sizeof(*wb));
	if (!wb) {
		job_done(pager, job, -ENOMEM, 0);
		return;
	}
	if (!window_pages(window, job->job.start, job->job.end, &wb->first, &wb->last)) {
		free(wb);
		job_done(pager, job, job->job.start <= job->job.end ? 0 : -EINVAL, 0);
		return;
	}
	op_init(&wb->op, pager, step);
	list_init(&wb->sync_link);
	wb->job = job;
	wb->window = window;
	wb->commit = job->job.type == PAGER_COMMIT;
	wb->cursor = wb->first;
	wb->patient_until = loop_now() + DEADLINE_STORM_NS;
	wb->writer = (struct writer){
		.pager = pager,
		.view = window->view,
		.op = &wb->op,
		.take = wb->commit,
	};
	pager->n_ops++;
	turn_take(window, &wb->turn, &wb->op);
}
