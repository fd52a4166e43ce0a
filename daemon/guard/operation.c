/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a held thread is about to do.
 *
 * The event gives the range, the number of the system call says what becomes of it. Whatever is not
 * understood is the worst that it can be, so a mistake here costs somebody a recall, never a
 * promise.
 *
 * When is a number believed? /proc/TID/syscall shows the register that held it, and that may be:
 * - of another table: a 32-bit call, also one that a 64-bit program makes by int 0x80. So the table
 *   below has only calls that can make such an event, and none of those shares its number with a
 *   32-bit call that makes one of the same kind (but for io_uring_enter and openat2, which are the
 *   same in both). Calls that would break this rule (finit_module, readahead) are left out.
 * - of nobody: kernel threads and io_uring's workers have no user stack, and a number that their
 *   creator left. The number is not looked at then.
 * - of a call that the thread is on its way out of, while it does what io_uring had queued for it.
 *   Then the descriptor of that call is usually another file, which is why it is looked at. Only a
 *   program that means to deceive has the same file there, as only such a one lets another thread
 *   exchange descriptors under a held call; and both need the file open for writing.
 *
 * So everything that may be misread rests on a description that can write. Where it is known that
 * no stranger has one (`writers`; with writable opens held this is so while a seal is in force), an
 * access is a reading one, whatever the call: all that remains is to truncate by name, whose event
 * is of a page at most, and deduplication, for which the owner of the file needs no such
 * description.
 *
 * A write goes to the event's range, or to the end: O_APPEND is looked at after the event was made,
 * and can be set meanwhile. The kernel's position of a read-only description means nothing to an
 * mmap, whose reach mremap and remap_file_pages change without an event: mappings are of the whole
 * file.
 */

#include "daemon/guard/operation.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define PAGE 4096

enum shape {
	SHAPE_NONE,
	SHAPE_READ,	/* descriptor: arg 0 */
	SHAPE_WRITE,	/* descriptor: arg 0 */
	SHAPE_MAP,	/* mmap */
	SHAPE_EXEC,
	SHAPE_TRUNCATE, /* by name */
	SHAPE_FTRUNCATE,
	SHAPE_FALLOCATE,
	SHAPE_COPY,	/* from arg `in` to arg `out`; bytes go through the page cache */
	SHAPE_RANGE,	/* ... or blocks are shared */
	SHAPE_IOCTL,
	SHAPE_SUBMIT,	/* libaio */
	SHAPE_URING,
	SHAPE_OPEN,	/* flags: arg `in` */
	SHAPE_WRITER,	/* opens for writing */
};

static const struct call {
	long number;
	enum shape shape;
	const char *name;
	unsigned char in, out;
} calls[] = {
	{ SYS_read, SHAPE_READ, "read", 0, 0 },
	{ SYS_pread64, SHAPE_READ, "read", 0, 0 },
	{ SYS_readv, SHAPE_READ, "read", 0, 0 },
	{ SYS_preadv, SHAPE_READ, "read", 0, 0 },
	{ SYS_preadv2, SHAPE_READ, "read", 0, 0 },
	{ SYS_write, SHAPE_WRITE, "write", 0, 0 },
	{ SYS_pwrite64, SHAPE_WRITE, "write", 0, 0 },
	{ SYS_writev, SHAPE_WRITE, "write", 0, 0 },
	{ SYS_pwritev, SHAPE_WRITE, "write", 0, 0 },
	{ SYS_pwritev2, SHAPE_WRITE, "write", 0, 0 },
	{ SYS_mmap, SHAPE_MAP, "mmap", 0, 0 },
	{ SYS_execve, SHAPE_EXEC, "exec", 0, 0 },
	{ SYS_execveat, SHAPE_EXEC, "exec", 0, 0 },
	{ SYS_truncate, SHAPE_TRUNCATE, "truncate", 0, 0 },
	{ SYS_ftruncate, SHAPE_FTRUNCATE, "ftruncate", 0, 0 },
	{ SYS_fallocate, SHAPE_FALLOCATE, "fallocate", 0, 0 },
	{ SYS_sendfile, SHAPE_COPY, "sendfile", 1, 0 },
	{ SYS_splice, SHAPE_COPY, "splice", 0, 2 },
	{ SYS_copy_file_range, SHAPE_RANGE, "copy_file_range", 0, 2 },
	{ SYS_ioctl, SHAPE_IOCTL, "ioctl", 0, 0 },
	{ SYS_io_submit, SHAPE_SUBMIT, "libaio", 0, 0 },
	{ SYS_io_uring_enter, SHAPE_URING, "io_uring", 0, 0 },
#ifdef SYS_open
	{ SYS_open, SHAPE_OPEN, "open", 1, 0 },
#endif
#ifdef SYS_creat
	{ SYS_creat, SHAPE_WRITER, "open to truncate", 0, 0 },
#endif
	{ SYS_openat, SHAPE_OPEN, "open", 2, 0 },
	{ SYS_open_by_handle_at, SHAPE_OPEN, "open by handle", 2, 0 },
	{ SYS_swapon, SHAPE_WRITER, "swapon", 0, 0 },
	{ SYS_acct, SHAPE_WRITER, "acct", 0, 0 },
};

/* ---- /proc/TID/syscall ------------------------------------------------------------------- */

enum operation_text operation_parse(const char *text, struct operation_call *ret)
{
	struct operation_call call = { .known = true };
	const char *at = text;
	char *end;

	if (strncmp(text, "running", 7) == 0)
		return OPERATION_TEXT_RUNNING;
	errno = 0;
	call.number = strtol(at, &end, 10);
	if (end == at || errno)
		return OPERATION_TEXT_BROKEN;
	if (call.number < 0)
		return OPERATION_TEXT_OUTSIDE;
	for (int i = 0; i < 8; i++) {
		uint64_t *to = i < 6 ? &call.arg[i] : i == 6 ? &call.sp : &call.pc;

		at = end;
		*to = strtoull(at, &end, 16);
		if (end == at || errno)
			return OPERATION_TEXT_BROKEN;
	}
	call.known = call.sp != 0 && call.pc != 0;
	*ret = call;
	return OPERATION_TEXT_CALL;
}

bool operation_same_call(const struct operation_call *a, const struct operation_call *b)
{
	return a->number == b->number && a->sp == b->sp && a->pc == b->pc &&
	       memcmp(a->arg, b->arg, sizeof(a->arg)) == 0;
}

/* ---- decoding ---------------------------------------------------------------------------- */

static const struct call *find(const struct operation_event *event,
			       const struct operation_call *call)
{
	for (size_t i = 0; call->known && i < sizeof(calls) / sizeof(calls[0]); i++) {
		enum shape shape = calls[i].shape;
		bool opens = shape >= SHAPE_OPEN;

		if (calls[i].number != call->number)
			continue;
		/* one that can't have made this event has made none: see above */
		if (event->open ? !opens && shape != SHAPE_EXEC : opens)
			return NULL;
		return &calls[i];
	}
	return NULL;
}

int operation_needs(const struct operation_event *event, const struct operation_call *call,
		    int ret_fd[OPERATION_FILES])
{
	const struct call *c = find(event, call);

	switch (c ? c->shape : SHAPE_NONE) {
	case SHAPE_READ:
		if (!event->writers)
			return 0;
		ret_fd[0] = (int)call->arg[0];
		return 1;
	case SHAPE_WRITE:
	case SHAPE_FALLOCATE:
	case SHAPE_FTRUNCATE:
	case SHAPE_IOCTL:
		ret_fd[0] = (int)call->arg[0];
		return 1;
	case SHAPE_MAP:
		if (!event->writers)
			return 0;
		ret_fd[0] = (int)call->arg[4];
		return 1;
	case SHAPE_COPY:
	case SHAPE_RANGE:
		if (!event->writers)
			return 0;
		ret_fd[0] = (int)call->arg[c->in];
		ret_fd[1] = (int)call->arg[c->out];
		return 2;
	default:
		return 0;
	}
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* From where on something may change that neither maps the file nor opens it. */
static uint64_t from(const struct operation_event *event)
{
	return event->ranged ? least(event->start, event->size) : 0;
}

/* To @size, which the event does not contradict. */
static bool grows(const struct operation_event *event, uint64_t size)
{
	return size > event->size &&
	       !(event->ranged && event->start < event->size && event->size - event->start >= PAGE);
}

static void decode_uring(const struct operation_event *event, struct operation *op)
{
	op->name = "io_uring";
	op->single = false;
	if (!event->writers) {
		op->want = CORE_WANT_FOREIGN_READ;
		return;
	}
	op->want = CORE_WANT_LAYOUT;
	op->start = from(event);
	op->end = CORE_INFINITY;
	op->lasting = true;
}

/* Nothing is known about the call. */
static void worst(const struct operation_event *event, struct operation *op)
{
	*op = (struct operation){
		.want = CORE_WANT_LAYOUT,
		.end = CORE_INFINITY,
		.lasting = true,
		.name = "something unknown",
	};
	if (event->open) {
		op->opens = true;
		op->name = "open of an unknown kind";
	} else if (event->ranged && event->count <= PAGE) {
		op->start = event->writers ? 0 : from(event);
		op->flight = op->path = true;
	} else if (!event->writers) {
		op->want = CORE_WANT_FOREIGN_CLONE;
	}
}

static void decode_open(const struct operation_event *event, const struct call *c, uint64_t flags,
			struct operation *op)
{
	bool writes = c->shape == SHAPE_WRITER || (flags & O_ACCMODE) != O_RDONLY;
	bool truncates = c->number != SYS_swapon && c->number != SYS_acct &&
			 (c->shape == SHAPE_WRITER || flags & O_TRUNC);
	/* what goes to swap space afterwards makes no event */
	bool held = writes && (event->opens == GUARD_OPENS_HOLD || c->number == SYS_swapon);

	op->opens = writes;
	if (truncates || held) {
		op->want = CORE_WANT_LAYOUT;
		op->start = 0;
		op->end = CORE_INFINITY;
		op->flight = truncates;
		op->lasting = held;
		if (c->shape == SHAPE_OPEN)
			op->name = truncates ? "open to truncate" : "open for writing";
	} else {
		op->want = CORE_WANT_NOTHING;
	}
}

static void decode_write(const struct operation_file *file, struct operation *op)
{
	op->want = CORE_WANT_FOREIGN_WRITE;
	op->append = true;
	op->flight = file->known && !(file->flags & O_DIRECT);
	op->lasting = !op->flight;
}

static void decode_fallocate(uint64_t mode, struct operation *op)
{
	const uint64_t moves = FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE;
	const uint64_t stays = FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE |
			       FALLOC_FL_UNSHARE_RANGE | FALLOC_FL_NO_HIDE_STALE | 0x80;

	mode &= UINT32_MAX;
	op->want = CORE_WANT_LAYOUT;
	op->flight = true;
	if (mode & moves)
		op->end = CORE_INFINITY;
	else if (mode & ~stays)
		op->start = 0, op->end = CORE_INFINITY;
}

static bool may_be(const struct operation_file *file)
{
	return !file->known || file->same;
}

/* What is not known not to be the target is the target. */
static void decode_copy(const struct operation_event *event, const struct call *c,
			const struct operation_file *in, const struct operation_file *out,
			struct operation *op)
{
	bool shares = c->shape == SHAPE_RANGE, source = !event->writers || !may_be(out);

	op->flight = true;
	op->single = false;
	if (event->writers && !may_be(in) && !may_be(out)) {
		worst(event, op);
	} else if (source) {
		op->want = shares ? CORE_WANT_FOREIGN_CLONE : CORE_WANT_FOREIGN_READ;
	} else {
		decode_write(out, op);
		if (shares)
			op->want = CORE_WANT_LAYOUT;
	}
}

static void decode_ioctl(const struct operation_event *event, const struct operation_call *call,
			 const struct operation_file *file, struct operation *op)
{
	uint32_t command = (uint32_t)call->arg[1];

	op->flight = true;
	op->single = false;
	if (event->count == 0)
		op->end = CORE_INFINITY; /* of a clone: to the end */
	switch (command) {
	case FICLONE:
	case FICLONERANGE:
		op->name = "reflink";
		op->want = may_be(file) ? CORE_WANT_LAYOUT : CORE_WANT_FOREIGN_CLONE;
		return;
	case FIDEDUPERANGE:
		/* Both sides end with the bytes that they had, on the same blocks. */
		op->name = "deduplication";
		op->want = CORE_WANT_FOREIGN_CLONE;
		return;
	default:
		worst(event, op);
		op->flight = true;
	}
}

void operation_decode(const struct operation_event *event, const struct operation_call *call,
		      const struct operation_file files[OPERATION_FILES], struct operation *ret)
{
	const struct call *c = find(event, call);
	struct operation op = { .start = 0, .end = CORE_INFINITY };
	int fds[OPERATION_FILES], n = operation_needs(event, call, fds);

	if (event->ranged) {
		op.start = event->start;
		if (event->count < CORE_INFINITY - event->start)
			op.end = event->start + event->count;
	}
	/* With one descriptor in the call it is that file, or the call did not make the event. */
	if (!c || (n == 1 && c->shape != SHAPE_IOCTL && !(files[0].known && files[0].same))) {
		if (call->worker && !event->open)
			decode_uring(event, &op);
		else
			worst(event, &op);
		*ret = op;
		return;
	}
	op.name = c->name;
	op.single = true;
	switch (c->shape) {
	case SHAPE_READ:
		op.want = CORE_WANT_FOREIGN_READ;
		break;
	case SHAPE_WRITE:
		decode_write(&files[0], &op);
		break;
	case SHAPE_MAP:
	case SHAPE_EXEC:
		op.want = CORE_WANT_FOREIGN_MAP;
		op.lasting = true;
		op.start = 0;
		op.end = CORE_INFINITY;
		if (c->shape == SHAPE_MAP && n && (call->arg[3] & MAP_TYPE) != MAP_PRIVATE &&
		    (files[0].flags & O_ACCMODE) != O_RDONLY) {
			op.want = CORE_WANT_FOREIGN_MAP_WRITE;
			op.name = "writable mmap";
		}
		break;
	case SHAPE_TRUNCATE:
	case SHAPE_FTRUNCATE:
		op.want = CORE_WANT_LAYOUT;
		op.start = grows(event, call->arg[1]) ? event->size : from(event);
		op.end = CORE_INFINITY;
		op.flight = true;
		op.path = c->shape == SHAPE_TRUNCATE;
		break;
	case SHAPE_FALLOCATE:
		decode_fallocate(call->arg[1], &op);
		break;
	case SHAPE_COPY:
	case SHAPE_RANGE:
		decode_copy(event, c, &files[0], &files[1], &op);
		break;
	case SHAPE_IOCTL:
		decode_ioctl(event, call, &files[0], &op);
		break;
	case SHAPE_SUBMIT:
		op.single = false;
		if (event->writers)
			decode_write(&(struct operation_file){ 0 }, &op);
		else
			op.want = CORE_WANT_FOREIGN_READ;
		break;
	case SHAPE_URING:
		decode_uring(event, &op);
		break;
	case SHAPE_OPEN:
	case SHAPE_WRITER:
		decode_open(event, c, c->shape == SHAPE_OPEN ? call->arg[c->in] : 0, &op);
		break;
	case SHAPE_NONE:
		break;
	}
	*ret = op;
}
