/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writing pages to the object.
 *
 * The bytes are copied out of the memory into a buffer and written from there: what the holder, or
 * a device, does to the page meanwhile is not torn into the write. A page that is being written is
 * `writing`, one that was written again meanwhile is dirty too; a write that failed makes what it
 * did not write dirty again, so nothing is ever forgotten.
 *
 * The object is never extended: bytes past the grant, the size we were told or the size it has are
 * dropped, as a mapping drops them.
 *
 * Buffers are mappings of their own, because a write that hangs in the kernel must not be able to
 * land later, over what a breaker wrote. It can't be called back; but its buffer can be made
 * inaccessible, and then there is nothing more that it could copy. A buffer is entered in the view
 * in the same critical section in which its pages become `writing`, so whoever revokes finds it at
 * every moment from then on.
 */

#include "daemon/pager/writer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/pager/state.h"

#define BUFFER_PAGES 64
#define BUFFERS_OF_WRITER 8
#define BUFFERS_BUSY 64 /* when so many are, each writer gets one at a time */
#define BUFFERS_SPARE 32

struct buffer {
	struct list link; /* in view->buffers, or spare */
	struct loop_op op;
	struct writer *writer;
	struct view *view;
	uint64_t first, last;
	uint64_t offset, size, done; /* bytes of the object */
	bool revoked;		     /* under view->lock */
	uint8_t *bytes;
};

/* ---- buffers ----------------------------------------------------------------------------- */

static struct buffer *buffer_take(struct pager *pager)
{
	struct list *spare = list_first(&pager->spare_buffers);
	struct buffer *buffer;

	if (spare) {
		list_unlink(spare);
		pager->n_spare_buffers--;
		pager->n_buffers++;
		return list_entry(spare, struct buffer, link);
	}
	buffer = calloc(1, sizeof(*buffer));
	if (!buffer)
		return NULL;
	buffer->bytes = mmap(NULL, BUFFER_PAGES << PAGE_SHIFT, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer->bytes == MAP_FAILED) {
		free(buffer);
		return NULL;
	}
	list_init(&buffer->link);
	pager->n_buffers++;
	return buffer;
}

static void buffer_free(struct buffer *buffer)
{
	munmap(buffer->bytes, BUFFER_PAGES << PAGE_SHIFT);
	free(buffer);
}

static void buffer_give(struct pager *pager, struct buffer *buffer)
{
	pager->n_buffers--;
	if (buffer->revoked || pager->n_spare_buffers >= BUFFERS_SPARE) {
		buffer_free(buffer);
		return;
	}
	list_append(&pager->spare_buffers, &buffer->link);
	pager->n_spare_buffers++;
}

void writer_deinit(struct pager *pager)
{
	list_for_each (pos, &pager->spare_buffers)
		buffer_free(list_entry(pos, struct buffer, link));
	list_init(&pager->spare_buffers);
}

void view_revoke(struct view *view, uint64_t first, uint64_t last)
{
	bitmap_set(view->revoked, first, last);
	list_for_each (pos, &view->buffers) {
		struct buffer *buffer = list_entry(pos, struct buffer, link);

		if (buffer->first >= last || first >= buffer->last || buffer->revoked)
			continue;
		mprotect(buffer->bytes, BUFFER_PAGES << PAGE_SHIFT, PROT_NONE);
		buffer->revoked = true;
	}
}

bool view_is_revoked(struct view *view, uint64_t first, uint64_t last)
{
	bool any;

	pthread_mutex_lock(&view->lock);
	any = bitmap_next_set(view->revoked, first, last) < last;
	pthread_mutex_unlock(&view->lock);
	return any;
}

bool writer_may(const struct writer *writer)
{
	if (writer->under_way >= BUFFERS_OF_WRITER)
		return false;
	return writer->under_way == 0 || writer->pager->n_buffers < BUFFERS_BUSY;
}

/* Under view->lock: the next run of [first, last) that is to be written. */
static bool next_run(const struct view *view, uint64_t *first, uint64_t last, uint64_t *ret_end)
{
	uint64_t end;

	for (;;) {
		*first = bitmap_next_set(view->dirty, *first, last);
		if (*first == last)
			return false;
		if (!bitmap_test(view->revoked, *first))
			break;
		*first = bitmap_next_clear(view->revoked, *first, last);
	}
	end = bitmap_next_clear(view->dirty, *first, last);
	end = bitmap_next_set(view->revoked, *first, end);
	*ret_end = end - *first > BUFFER_PAGES ? *first + BUFFER_PAGES : end;
	return true;
}

/* ---- what became of it ------------------------------------------------------------------- */

void writer_settle(struct writer *writer, uint64_t first, uint64_t last, bool clean)
{
	struct view *view = writer->view;

	pthread_mutex_lock(&view->lock);
	while (first < last) {
		uint64_t end;

		first = bitmap_next_set(view->writing, first, last);
		end = bitmap_next_clear(view->writing, first, last);
		bitmap_clear(view->writing, first, end);
		if (!clean)
			bitmap_set(view->dirty, first, end);
		first = end;
	}
	pthread_mutex_unlock(&view->lock);
}

static void finish(struct buffer *buffer, int error)
{
	struct writer *writer = buffer->writer;
	struct view *view = buffer->view;
	struct pager *pager = writer->pager;
	bool revoked;

	pthread_mutex_lock(&view->lock);
	list_unlink(&buffer->link);
	revoked = buffer->revoked;
	pthread_mutex_unlock(&view->lock);
	if (revoked) {
		/* whoever revoked it has taken care of its pages */
		if (!writer->error)
			writer->error = -ECANCELED;
	} else {
		uint64_t last = error ? buffer->first + (buffer->done >> PAGE_SHIFT) : buffer->last;

		if (error && !writer->error)
			writer->error = error;
		if (writer->take && writer->settle && last > buffer->first)
			writer_settle(writer, buffer->first, last, true);
		writer->bytes += buffer->done;
		COUNT(pager, pages_written, last - buffer->first);
	}
	buffer_give(pager, buffer);
	view_unuse(view);
	writer->under_way--;
	op_again(writer->op);
}

/* ---- writing ----------------------------------------------------------------------------- */

static int queue_write(struct buffer *buffer)
{
	struct pager *pager = buffer->writer->pager;

	return loop_write(pager->loop, &buffer->op, buffer->view->object->fd,
			  buffer->bytes + buffer->done, (unsigned int)(buffer->size - buffer->done),
			  buffer->offset + buffer->done);
}

static void written(struct loop_op *op, int result)
{
	struct buffer *buffer = op->data;
	int r;

	if (result > 0)
		buffer->done += (uint64_t)result;
	else if (result != -EINTR && result != -EAGAIN) {
		finish(buffer, result < 0 ? result : -EIO);
		return;
	}
	if (buffer->done >= buffer->size) {
		finish(buffer, 0);
		return;
	}
	r = queue_write(buffer);
	if (r < 0)
		finish(buffer, r);
}

/* Memory is written on the spot: no disk to wait for. */
static int write_now(struct buffer *buffer)
{
	while (buffer->done < buffer->size) {
		ssize_t n =
			pwrite(buffer->view->object->fd, buffer->bytes + buffer->done,
			       buffer->size - buffer->done, (off_t)(buffer->offset + buffer->done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		buffer->done += (uint64_t)n;
	}
	return 0;
}

/* Where writing has to stop: bytes of the object. */
static uint64_t write_limit(const struct view *view)
{
	uint64_t limit = view->end;
	struct stat st;

	if (limit > view->object->size)
		limit = view->object->size;
	if (fstat(view->object->fd, &st) == 0 && limit > (uint64_t)st.st_size)
		limit = (uint64_t)st.st_size;
	return limit;
}

static void write_run(struct writer *writer, struct buffer *buffer, uint64_t limit)
{
	struct view *view = writer->view;
	uint64_t start = view->start + (buffer->first << PAGE_SHIFT);
	uint64_t end = view->start + (buffer->last << PAGE_SHIFT);
	ssize_t n;

	if (end > limit)
		end = limit;
	buffer->offset = start;
	buffer->size = start < end ? end - start : 0;
	buffer->done = 0;
	if (buffer->size == 0) {
		finish(buffer, 0);
		return;
	}
	n = pread(view->memory, buffer->bytes, buffer->size, (off_t)(buffer->first << PAGE_SHIFT));
	if (n < 0 || (uint64_t)n != buffer->size) {
		finish(buffer, n < 0 ? -errno : -EIO);
		return;
	}
	if (view->object->anonymous) {
		finish(buffer, write_now(buffer));
		return;
	}
	buffer->op = (struct loop_op){ .fn = written, .data = buffer };
	n = queue_write(buffer);
	if (n < 0)
		finish(buffer, (int)n);
}

uint64_t writer_write(struct writer *writer, uint64_t first, uint64_t last)
{
	struct view *view = writer->view;
	uint64_t limit = write_limit(view), end;

	while (first < last) {
		struct buffer *buffer;
		bool more;

		if (!writer_may(writer))
			return first;
		buffer = buffer_take(writer->pager);
		if (!buffer) {
			if (!writer->error)
				writer->error = -ENOMEM;
			return last;
		}
		pthread_mutex_lock(&view->lock);
		more = next_run(view, &first, last, &end);
		if (more) {
			if (writer->take) {
				bitmap_clear(view->dirty, first, end);
				bitmap_set(view->writing, first, end);
			}
			buffer->writer = writer;
			buffer->view = view;
			buffer->first = first;
			buffer->last = end;
			list_append(&view->buffers, &buffer->link);
		}
		pthread_mutex_unlock(&view->lock);
		if (!more) {
			buffer_give(writer->pager, buffer);
			return last;
		}
		view_use(view);
		writer->under_way++;
		first = end;
		write_run(writer, buffer, limit);
	}
	return last;
}
