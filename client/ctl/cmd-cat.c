/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mapsealctl cat: the bytes of an object, as they were at one moment.
 *
 * One READ seal covers the whole range, so that every byte is of the moment of the grant; a chunk
 * at a time is brought in and written from the window itself. What has been written out is given
 * back in large steps: those bytes may change from then on, those still to come may not, so the
 * output stays whole while neither we nor the supervisor keep a large object in memory, and
 * breakers of its beginning need not wait for its end.
 *
 * If the seal is recalled in the middle, the rest could only be had in a later state, and the
 * output would be torn. It ends there, says so, and the exit status tells.
 *
 * A reader that does not read must not keep the seal from being returned: on anything but a file it
 * is waited for outside mapseal_enter(), and then given no more than a pipe takes without blocking.
 *
 * write(2) and not a copy: should the seal be revoked under us, the kernel answers EFAULT where a
 * load would be SIGBUS. Without kernel-faults it also answers EFAULT for a page that was dropped
 * again, hence the second look.
 */

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/ctl/ctl.h"

#define CHUNK (UINT64_C(1) << 20)
#define GIVE_BACK (UINT64_C(64) << 20)
#define FRUITLESS_MAX 64 /* times in a row that a populated page was gone again */

struct output {
	struct mapseal *m;
	struct mapseal_seal *seal;
	bool waits; /* not a file: may block */
	uint64_t position, end, populated, returned;
	unsigned int fruitless;
};

static uint64_t page_mask(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE) - 1;
}

static int torn(const struct output *o, uint64_t start)
{
	struct mapseal_status status;
	int r = mapseal_get_status(o->m, &status);

	/* A supervisor that went away takes seals with it, which is another thing to be told. */
	if (r == -ECONNRESET)
		return ctl_fail(r);
	ctl_complain("the seal was taken back after %" PRIu64
		     " bytes; what follows may have changed, so the output ends here",
		     o->position - start);
	return EXIT_REVOKED;
}

static int failed_output(int error)
{
	if (error == EPIPE)
		return EXIT_SIGNAL + SIGPIPE;
	ctl_complain("cannot write to standard output: %s", strerror(error));
	return EXIT_FAILED;
}

static int wait_for_reader(void)
{
	struct pollfd p = { .fd = STDOUT_FILENO, .events = POLLOUT };

	while (poll(&p, 1, -1) < 0) {
		if (errno != EINTR)
			return failed_output(errno);
	}
	return EXIT_OK;
}

/* Inside mapseal_enter(): writes what can be written at once. Returns bytes, or a negative errno.
 */
static int64_t write_some(struct output *o)
{
	uint64_t n = o->end - o->position;
	const char *from;
	ssize_t written;
	int r;

	if (o->populated <= o->position) {
		n = n < CHUNK ? n : CHUNK;
		r = mapseal_populate(o->seal, o->position, n, MAPSEAL_READ);
		if (r < 0)
			return r;
		o->populated = o->position + n;
	}
	n = o->populated - o->position;
	if (o->waits && n > PIPE_BUF)
		n = PIPE_BUF;
	from = (const char *)mapseal_address(o->seal) + (o->position - mapseal_offset(o->seal));
	written = write(STDOUT_FILENO, from, n);
	return written < 0 ? -errno : written;
}

/* Those that are gone already are nothing to complain of: the next mapseal_enter() tells. */
static void give_back(struct output *o)
{
	uint64_t upto = o->position & ~page_mask();

	if (upto - o->returned < GIVE_BACK || o->position == o->end)
		return;
	if (mapseal_return(o->seal, o->returned, upto - o->returned, 0) == 0)
		o->returned = upto;
}

static int copy_out(struct output *o)
{
	uint64_t start = o->position;

	while (o->position < o->end) {
		int64_t n;
		int r;

		if (o->waits && (r = wait_for_reader()) != EXIT_OK)
			return r;
		r = mapseal_enter(o->seal);
		if (r == -ESTALE)
			return torn(o, start);
		if (r < 0)
			return ctl_fail(r);
		n = write_some(o);
		mapseal_exit(o->seal);

		if (n > 0) {
			o->position += (uint64_t)n;
			o->fruitless = 0;
			give_back(o);
			continue;
		}
		switch (-n) {
		case 0:
		case EINTR:
			continue;
		case EAGAIN:
			r = wait_for_reader();
			if (r != EXIT_OK)
				return r;
			continue;
		case EFAULT:
			if (mapseal_seal_state(o->seal) != MAPSEAL_HELD)
				return torn(o, start);
			if (++o->fruitless > FRUITLESS_MAX) {
				ctl_complain("pages at offset %" PRIu64 " cannot be brought in",
					     o->position);
				return EXIT_FAILED;
			}
			o->populated = o->position;
			continue;
		case ESTALE:
			return torn(o, start);
		case ECONNRESET:
			return ctl_fail((int)n);
		default:
			return mapseal_last_error()->error == -n ? ctl_fail((int)n) :
								   failed_output((int)-n);
		}
	}
	return EXIT_OK;
}

/* The object's size, asked of an export by holding a seal that is sure to fit for a moment. */
static int size_of(struct mapseal *m, struct mapseal_request request, uint64_t offset,
		   uint64_t *ret)
{
	_cleanup_(mapseal_seal_freep) struct mapseal_seal *seal = NULL;
	uint64_t page = page_mask() + 1;
	int r;

	request.offset = offset >= page ? offset - page : 0;
	request.length = offset >= page ? page : 0;
	r = mapseal_acquire(m, &request, &seal);
	if (r < 0)
		return r;
	*ret = mapseal_object_size(seal);
	return 0;
}

/*
 * Seals lie on page boundaries, but for the object's end; people's ranges need not. The seal is
 * widened to pages here, which for the last page means to the object's end.
 */
static int acquire(struct mapseal *m, const struct object *object, int fd,
		   struct mapseal_seal **ret)
{
	uint64_t mask = page_mask(), end = object->range.offset + object->range.length;
	uint64_t size = 0;
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = object->is_path ? NULL : object->name,
		.fd = fd,
		.mode = MAPSEAL_READ,
		.kind = MAPSEAL_WINDOW,
	};
	struct stat st;
	int r;

	if (object->whole)
		return mapseal_acquire(m, &request, ret);

	request.offset = object->range.offset & ~mask;
	request.length = ((end + mask) & ~mask) - request.offset;
	if (fd >= 0 && fstat(fd, &st) == 0 && end <= (uint64_t)st.st_size &&
	    request.offset + request.length > (uint64_t)st.st_size)
		request.length = (uint64_t)st.st_size - request.offset;
	r = mapseal_acquire(m, &request, ret);
	if (r != -EINVAL || (end & mask) == 0 || fd >= 0)
		return r;

	r = size_of(m, request, end & ~mask, &size);
	if (r < 0)
		return r;
	/* Past the end, the range as it was given gets the refusal that is about it. */
	request.length = (end <= size ? size : end) - request.offset;
	return mapseal_acquire(m, &request, ret);
}

static int cat(struct mapseal *m, const struct object *object, int fd)
{
	_cleanup_(mapseal_seal_freep) struct mapseal_seal *seal = NULL;
	struct output o = { .m = m };
	struct stat st;
	int r;

	if (object->whole && fd >= 0 && fstat(fd, &st) == 0 && st.st_size == 0)
		return EXIT_OK; /* there is no seal on nothing */
	r = acquire(m, object, fd, &seal);
	if (r < 0)
		return ctl_fail(r);

	o.seal = seal;
	o.position = object->whole ? mapseal_offset(seal) : object->range.offset;
	o.end = object->whole ? mapseal_offset(seal) + mapseal_length(seal) :
				object->range.offset + object->range.length;
	o.populated = o.position;
	o.returned = mapseal_offset(seal);
	o.waits = fstat(STDOUT_FILENO, &st) < 0 || !(S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
	return copy_out(&o);
}

COMMAND_FN(cmd_cat)
{
	const struct option_spec options[] = { OPTION_END };
	struct mapseal_options wanted = { .flags = MAPSEAL_THREAD };
	_cleanup_(mapseal_closep) struct mapseal *m = NULL;
	_cleanup_(object_done) struct object object = { 0 };
	_cleanup_fd_ int fd = -1;
	struct options_rest rest;
	int ret;

	if (!ctl_arguments(ctl, self, options, CTL_NO_JSON, argv, 1, 1, &rest, &ret))
		return ret;
	ret = ctl_object(rest.operands[0], false, &object, &fd);
	if (!ret)
		ret = ctl_connect(ctl, &wanted, &m);
	if (ret)
		return ret;
	/* A reader that goes away is then EPIPE, and the seal is returned before we go. */
	signal(SIGPIPE, SIG_IGN);
	return cat(m, &object, fd);
}
