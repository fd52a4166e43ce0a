/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * With shmem huge pages forced on, windows behave as without: the bytes, a partial return, and a revocation of
 * pages that a device has pinned, where a folio survives a punch of its part.
 */

#include <fcntl.h>
#include <liburing.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 8 * 1024 * 1024 };

static const char *const setting = "/sys/kernel/mm/transparent_hugepage/shmem_enabled";
static char before[32];

static bool set(const char *value)
{
	int fd = open(setting, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, value, strlen(value)) == (ssize_t)strlen(value);

	if (fd >= 0)
		close(fd);
	return done;
}

static void restore(void)
{
	set(before);
}

static int holder(int channel, void *data)
{
	struct proto_message give = { .type = PROTO_RETURN }, populate = { .type = PROTO_POPULATE };
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
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
	give.return_.seal = populate.populate.seal = raw.answer.granted.seal;
	populate.populate.length = SIZE;
	populate.populate.mode = PROTO_MODE_WRITE;
	bytes = raw_map(&raw);
	expect_eq(raw_call(&raw, &populate, -1), PROTO_DONE);
	expect(rig_same(bytes, 0, SIZE, 1));
	memset(bytes + 4 * MiB, 'h', 4096);
	expect_eq(io_uring_queue_init(4, &ring, 0), 0);
	iov.iov_base = bytes;
	iov.iov_len = 4 * MiB;
	expect_eq(io_uring_register_buffers(&ring, &iov, 1), 0);

	/* half a folio, which is pinned */
	give.return_.seq = 1;
	give.return_.offset = 0;
	give.return_.length = MiB;
	expect_eq(raw_call(&raw, &give, -1), PROTO_RETURNED);
	cue(channel, "held");
	cue_wait(channel, "revoked");
	expect_eq(write(pipe_fds[1], "DMA", 3), 3);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_read_fixed(sqe, pipe_fds[0], bytes + 100, 3, 0, 0);
	expect_eq(io_uring_submit_and_wait(&ring, 1), 1);
	expect_eq(io_uring_peek_cqe(&ring, &cqe), 0);
	expect_eq(cqe->res, 3);
	cue(channel, "written");
	cue_wait(channel, "end");
	raise(SIGKILL);
	return 0;
}

static void check(const char *path)
{
	static unsigned char bytes[SIZE];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	expect_eq(pread(fd, bytes, SIZE, 0), SIZE);
	for (size_t n = 0; n < SIZE; n++)
		expect(bytes[n] == (n >= 4 * MiB && n < 4 * MiB + 4096 ? 'h' : rig_byte(1, n)));
	close(fd);
}

static int reader(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_READ, 0);

	(void)channel, (void)data;
	expect_eq(*(unsigned char *)mapseal_address(seal), rig_byte(1, 0));
	expect_eq(((unsigned char *)mapseal_address(seal))[100], rig_byte(1, 100));
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	const struct mapseal_account *account;
	struct mapseal_break *brk;
	struct actor actor;
	struct mapseal *m;
	char line[256];
	FILE *file = fopen(setting, "re");

	if (!file || !fgets(line, sizeof(line), file) || !strchr(line, '[')) {
		printf("no shmem huge pages in this kernel\n");
		rig_free(rig);
		return 77;
	}
	fclose(file);
	snprintf(before, sizeof(before), "%.*s", (int)strcspn(strchr(line, '[') + 1, "]"),
		 strchr(line, '[') + 1);
	expect(set("force"));
	atexit(restore);
	expect_last_words = restore;

	rig_start(rig,
		  "[defaults]\ndeadline-ms = 200\nhard-ms = 1000\n"
		  "[export file]\npath = %s\nread = *\nwrite = *\n",
		  path);
	actor = actor_start(reader, NULL);
	actor_join(&actor);
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "held");
	m = client(0);
	brk = break_range(m, "file", MiB, 0, 0);
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->result, "revoked");
	expect_str(account->fence, "fenced");
	mapseal_break_end(brk);
	cue(actor.channel, "revoked");
	cue_wait(actor.channel, "written");
	check(path);
	cue(actor.channel, "end");
	actor_kill(&actor, SIGKILL);
	check(path);
	actor = actor_start(reader, NULL);
	actor_join(&actor);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
