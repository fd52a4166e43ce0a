/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writes that land long after the call that submitted them: a window that was granted meanwhile is
 * settled only when no byte under it changes any more.
 */

#include <liburing.h>
#include <linux/aio_abi.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "tests/unit/guard/rig.h"

#define SIZE (32ul << 20)

static void *bytes_of(char c)
{
	char *bytes = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (bytes == MAP_FAILED)
		_exit(1);
	memset(bytes, c, SIZE);
	return bytes;
}

/* Both say when the write was submitted, and do not wait for anybody. */
static int64_t by_libaio(const struct doing *doing)
{
	struct iocb cb = { .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_nbytes = SIZE }, *list = &cb;
	int fd = open(doing->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	aio_context_t context = 0;
	struct io_event event;

	cb.aio_fildes = (uint32_t)fd;
	cb.aio_buf = (uint64_t)(uintptr_t)bytes_of((char)doing->b);
	if (fd < 0 || syscall(SYS_io_setup, 4, &context) < 0 ||
	    syscall(SYS_io_submit, context, 1, &list) != 1)
		return -errno;
	close(fd);
	say(doing);
	if (syscall(SYS_io_getevents, context, 1, 1, &event, NULL) != 1)
		return -errno;
	return event.res;
}

static int64_t by_io_uring(const struct doing *doing)
{
	int fd = open(doing->path, O_RDWR | O_CLOEXEC | (doing->a & 1 ? O_DIRECT : 0));
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;

	if (fd < 0 || io_uring_queue_init(4, &ring, 0) < 0)
		return -errno;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_write(sqe, fd, bytes_of((char)doing->b), SIZE, 0);
	if (doing->a & 2)
		sqe->flags |= IOSQE_ASYNC;
	if (io_uring_submit(&ring) != 1)
		return -errno;
	if (!(doing->a & 2))
		close(fd); /* a worker would look for it only when it begins */
	say(doing);
	if (io_uring_wait_cqe(&ring, &cqe) < 0)
		return -errno;
	return cqe->res;
}

/* All bytes are the same; which? */
static char everywhere(struct rig *rig)
{
	char *bytes = malloc(SIZE), first;

	check(bytes && pread(rig->fd, bytes, SIZE, 0) == (ssize_t)SIZE);
	first = *bytes;
	for (size_t i = 0; i < SIZE; i += 512)
		check_is(bytes[i], first);
	free(bytes);
	return first;
}

static void let_go(struct rig *rig)
{
	struct guard_event event = rig_event(rig, GUARD_EVENT_HELD);

	guard_seal_remove(rig->guard, rig->next_seal);
	guard_answer(rig->guard, event.ticket, GUARD_ALLOW);
	rig_window(rig, 0, SIZE);
}

static void late(struct rig *rig, deed_fn deed, uint64_t how, char before)
{
	struct stranger stranger;

	printf("  %s %d\n", deed == by_libaio ? "libaio" : "io_uring", (int)how);
	fflush(stdout);
	/* Nobody was asked, unless a worker has not begun until the window was there. */
	stranger = rig_stranger(rig, deed, how, (uint64_t)before + 1);
	rig_heard(&stranger);
	rig_window(rig, 0, SIZE);
	if (everywhere(rig) == before)
		let_go(rig);
	check_is(everywhere(rig), before + 1);
	check_is(stranger_end(&stranger), SIZE);
	guard_seal_remove(rig->guard, rig->next_seal);
	/* Somebody was, and gave the range back. */
	rig_window(rig, 0, SIZE);
	stranger = rig_stranger(rig, deed, how, (uint64_t)before + 2);
	let_go(rig);
	check_is(everywhere(rig), before + 2);
	rig_heard(&stranger);
	check_is(stranger_end(&stranger), SIZE);
	guard_seal_remove(rig->guard, rig->next_seal);
}

static void test(struct rig *rig)
{
	rig_arm(rig, GUARD_OPENS_WATCH, GUARD_FANOTIFY);
	late(rig, by_libaio, 0, 'a');
	for (int how = 0; how < 4; how++)
		late(rig, by_io_uring, (uint64_t)how, (char)('c' + 2 * how));
}

int main(void)
{
	struct io_uring ring;

	if (io_uring_queue_init(4, &ring, 0) < 0)
		rig_skip("no io_uring");
	io_uring_queue_exit(&ring);
	rig_run(rig_disks, 3, GUARD_FANOTIFY, SIZE, test);
	return 0;
}
