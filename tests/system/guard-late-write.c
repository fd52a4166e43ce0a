/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A stranger submits a large O_DIRECT write and is let go; the write lands long after that. A
 * window that is granted meanwhile waits for it, or is a weak one. So what a strong READ window
 * shows is what is in the file when nobody writes any more, on whichever page one looks first.
 *
 * Each way to write, twice: nobody was in the way of it; or somebody was, and gave the range
 * back. Who closes the description after the submission can be waited for; who keeps it open
 * can't be told from somebody who submits yet another write, and the window is weak.
 */

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/aio_abi.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/system/stranger.h"

enum { SIZE = 16 * 1024 * 1024, PAGE = 4096 };

static char *bytes_of(int c)
{
	char *bytes = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	expect(bytes != MAP_FAILED);
	memset(bytes, c, SIZE);
	return bytes;
}

/* Both say when it was submitted; @length: keep the description open until told. */
static void submitted(const struct deed *deed, int channel, int fd)
{
	if (!deed->length)
		close(fd);
	cue(channel, "submitted");
}

static void landed(const struct deed *deed, int channel)
{
	cue(channel, "landed");
	if (deed->length)
		cue_wait(channel, "end");
}

static int64_t by_libaio(const struct deed *deed, int channel)
{
	struct iocb cb = { .aio_lio_opcode = IOCB_CMD_PWRITE, .aio_nbytes = SIZE }, *list = &cb;
	int fd = open(deed->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	aio_context_t context = 0;
	struct io_event event;

	expect(fd >= 0);
	cb.aio_fildes = (uint32_t)fd;
	cb.aio_offset = PAGE;
	cb.aio_buf = (uint64_t)(uintptr_t)bytes_of('n');
	expect(syscall(SYS_io_setup, 4, &context) == 0);
	expect_eq(syscall(SYS_io_submit, context, 1, &list), 1);
	submitted(deed, channel, fd);
	expect_eq(syscall(SYS_io_getevents, context, 1, 1, &event, NULL), 1);
	landed(deed, channel);
	return event.res;
}

/* By a worker when @offset says so: who submits does not sleep then, and keeps its description. */
static int64_t by_io_uring(const struct deed *deed, int channel)
{
	int fd = open(deed->path, O_RDWR | O_DIRECT | O_CLOEXEC);
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;
	int64_t r;

	expect(fd >= 0);
	expect(io_uring_queue_init(4, &ring, 0) == 0);
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_write(sqe, fd, bytes_of('n'), SIZE, PAGE);
	if (deed->offset)
		sqe->flags |= IOSQE_ASYNC;
	expect_eq(io_uring_submit(&ring), 1);
	submitted(deed, channel, fd);
	expect(io_uring_wait_cqe(&ring, &cqe) == 0);
	r = cqe->res;
	io_uring_queue_exit(&ring);
	landed(deed, channel);
	return r;
}

static const struct deed deeds[] = {
	{ "libaio", by_libaio, 0, 0, NULL },
	{ "libaio, kept open", by_libaio, 0, 1, NULL },
	{ "io_uring", by_io_uring, 0, 0, NULL },
	{ "io_uring, kept open", by_io_uring, 0, 1, NULL },
	{ "io_uring's worker, kept open", by_io_uring, 1, 1, NULL },
};

static enum mapseal_verdict on_recall(struct mapseal_recall *recall, void *data)
{
	const int *channel = data;

	(void)recall;
	cue(*channel, "recalled");
	return MAPSEAL_RETURN;
}

static int is_weak(const struct mapseal_seal_info *info, void *data)
{
	*(bool *)data |= info->weak;
	return 0;
}

/* What is kept open is not waited for long, all else until it is over. */
static const char *export_of(const struct deed *deed)
{
	return deed->length ? "impatient" : "patient";
}

/* Old everywhere, or new everywhere? */
static bool is_new(const struct mapseal_seal *seal)
{
	const volatile unsigned char *bytes = mapseal_address(seal);

	if (rig_same(bytes, PAGE, SIZE, 1))
		return false;
	for (size_t i = 0; i < SIZE; i += 512)
		if (bytes[i] != 'n')
			expect_failed(__FILE__, __LINE__, "at %zu: %d", i, bytes[i]);
	return true;
}

/*
 * Seals what is being written once the write was submitted, and looks at it at once and again. A
 * worker may not have begun by then, and is held; then it is the old bytes until the seal was
 * given back.
 */
static int late_holder(int channel, void *data)
{
	const struct deed *deed = data;
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal;
	bool weak = false, was_new = false;

	cue_wait(channel, "submitted");
	seal = hold_with(m, export_of(deed), PAGE, SIZE, MAPSEAL_READ, MAPSEAL_WEAK_OK, NULL, NULL);
	must(mapseal_list_seals(m, mapseal_id(seal), is_weak, &weak));
	printf("    %s\n", weak ? "weak" : "strong");
	if (!deed->offset)
		expect_eq(weak, deed->length);
	if (!weak && mapseal_enter(seal) == 0) {
		was_new = is_new(seal);
		mapseal_exit(seal);
	}
	cue(channel, "looked");
	cue_wait(channel, "landed");
	if (!weak && mapseal_enter(seal) == 0) {
		expect(is_new(seal) && was_new);
		mapseal_exit(seal);
	}
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static int first_holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal =
		hold_with(m, export_of(data), PAGE, SIZE, MAPSEAL_READ, 0, on_recall, &channel);

	cue(channel, "holding");
	cue_wait(channel, "end");
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static void late(const char *path, const struct deed *deed, bool in_the_way)
{
	/* so that the file is guarded all the time; in nobody's way */
	const struct keeping before = {
		.object = export_of(deed),
		.length = PAGE,
		.mode = MAPSEAL_READ,
		.guard = MAPSEAL_GUARD_FANOTIFY,
	};
	struct deed what = *deed;
	struct actor keeper, stranger, holder, first;

	printf("  %s, %s\n", deed->name, in_the_way ? "held" : "not held");
	file_again(path, PAGE + SIZE, 1);
	keeper = keeper_start(&before);
	holder = actor_start(late_holder, &what);
	if (in_the_way) {
		first = actor_start(first_holder, &what);
		cue_wait(first.channel, "holding");
	}
	stranger = stranger_start(deed, path);
	if (in_the_way)
		cue_wait(first.channel, "recalled");
	cue_wait(stranger.channel, "submitted");
	cue(holder.channel, "submitted");
	cue_wait(stranger.channel, "landed");
	cue_wait(holder.channel, "looked");
	cue(holder.channel, "landed");
	actor_join(&holder);
	if (deed->length)
		cue(stranger.channel, "end");
	expect_eq(stranger_end(&stranger), SIZE);
	if (in_the_way) {
		cue(first.channel, "end");
		actor_join(&first);
	}
	keeper_does(&keeper, "old");
	keeper_does(&keeper, "undisturbed");
	keeper_end(&keeper);
}

int main(void)
{
	struct rig *rig = fanotify_rig();
	const char *patient = common_file(rig, "patient", PAGE + SIZE, 1);
	const char *impatient = common_file(rig, "impatient", PAGE + SIZE, 1);
	struct io_uring ring;

	if (io_uring_queue_init(4, &ring, 0) < 0) {
		printf("needs io_uring\n");
		rig_free(rig);
		return 77;
	}
	io_uring_queue_exit(&ring);
	rig_start(rig,
		  "[defaults]\n" PATIENT
		  "[export patient]\npath = %s\nread = *\nsettle-ms = 120000\n"
		  "[export impatient]\npath = %s\nread = *\nsettle-ms = 200\n",
		  patient, impatient);
	for (size_t i = 0; i < sizeof(deeds) / sizeof(deeds[0]); i++) {
		const char *path = deeds[i].length ? impatient : patient;

		late(path, &deeds[i], false);
		late(path, &deeds[i], true);
	}
	rig_free(rig);
	return 0;
}
