/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Pages pinned by a device (io_uring registered buffers) in a PINNABLE window: what the device wrote before a
 * commit is in the commit, though no fault told of it; after a revocation the device's writes do not
 * reach the file.
 */

#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 256 * 1024 };

/* "DMA": the kernel copies from a pipe into the pinned pages, past every page table. */
static void device_write(struct io_uring *ring, int pipe_fds[2], unsigned char *at, char byte)
{
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	char bytes[1000];

	memset(bytes, byte, sizeof(bytes));
	expect_eq(write(pipe_fds[1], bytes, sizeof(bytes)), sizeof(bytes));
	sqe = io_uring_get_sqe(ring);
	io_uring_prep_read_fixed(sqe, pipe_fds[0], at, sizeof(bytes), 0, 0);
	expect_eq(io_uring_submit_and_wait(ring, 1), 1);
	expect_eq(io_uring_peek_cqe(ring, &cqe), 0);
	expect_eq(cqe->res, sizeof(bytes));
	io_uring_cqe_seen(ring, cqe);
}

static int holder(int channel, void *data)
{
	struct proto_message commit = { .type = PROTO_COMMIT }, populate = { .type = PROTO_POPULATE };
	unsigned char *bytes;
	struct io_uring ring;
	struct iovec iov;
	int pipe_fds[2];
	struct raw raw;

	(void)data;
	expect(pipe(pipe_fds) == 0);
	raw_hello(&raw);
	raw_attach(&raw);
	raw_acquire(&raw, "file", 0, SIZE, PROTO_MODE_WRITE, PROTO_ACQUIRE_PINNABLE);
	commit.commit.seal = populate.populate.seal = raw.answer.granted.seal;
	commit.commit.length = populate.populate.length = SIZE;
	populate.populate.mode = PROTO_MODE_WRITE;
	bytes = raw_map(&raw);
	/* pinning is a kernel access: the pages have to be there */
	expect_eq(raw_call(&raw, &populate, -1), PROTO_DONE);
	expect_eq(io_uring_queue_init(4, &ring, 0), 0);
	iov.iov_base = bytes;
	iov.iov_len = SIZE;
	expect_eq(io_uring_register_buffers(&ring, &iov, 1), 0);

	expect_eq(raw_call(&raw, &commit, -1), PROTO_DONE);
	/* written by the device only, after a commit had made everything clean for a CPU */
	device_write(&ring, pipe_fds, bytes + 5000, 'd');
	expect_eq(raw_call(&raw, &commit, -1), PROTO_DONE);
	cue(channel, "committed");
	cue_wait(channel, "go on");
	device_write(&ring, pipe_fds, bytes + 100000, 'x');
	device_write(&ring, pipe_fds, bytes + 5000, 'x');
	cue(channel, "written");
	cue_wait(channel, "end");
	device_write(&ring, pipe_fds, bytes + 100000, 'y');
	raise(SIGKILL);
	return 0;
}

static void check(const char *path)
{
	static unsigned char bytes[SIZE];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	expect_eq(pread(fd, bytes, SIZE, 0), SIZE);
	for (size_t n = 0; n < SIZE; n++)
		expect(bytes[n] == (n >= 5000 && n < 6000 ? 'd' : rig_byte(1, n)));
	close(fd);
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	const struct mapseal_account *account;
	struct mapseal_break *brk;
	struct actor actor;
	struct mapseal *m;

	rig_start(rig,
		  "[defaults]\ndeadline-ms = 200\nhard-ms = 1000\n"
		  "[export file]\npath = %s\nread = *\nwrite = *\n",
		  path);
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "committed");
	check(path);
	m = client(MAPSEAL_THREAD);
	brk = break_range(m, "file", 0, 0, 0);
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->result, "revoked");
	expect_str(account->fence, "fenced");
	mapseal_break_end(brk);
	cue(actor.channel, "go on");
	cue_wait(actor.channel, "written");
	check(path);
	cue(actor.channel, "end");
	actor_kill(&actor, SIGKILL);
	brk = break_range(m, "file", 0, 0, 0);
	mapseal_break_end(brk);
	check(path);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
