/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* See stranger.h. */

#include "tests/system/stranger.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/guard/fan.h"

enum { PAGE = 4096 };

struct rig *fanotify_rig(void)
{
	struct rig *rig = rig_new();
	int group = fanotify_init(FAN_CLASS_PRE_CONTENT | FAN_CLOEXEC, O_RDONLY), r = -1;
	const char *path = rig_file(rig, "probe", PAGE, 1);

	if (group >= 0) {
		r = fanotify_mark(group, FAN_MARK_ADD, FAN_PRE_ACCESS, AT_FDCWD, path);
		close(group);
	}
	expect(unlink(path) == 0);
	if (r == 0)
		return rig;
	printf("needs accesses that fanotify holds: Linux 6.14, on ext4, XFS or btrfs\n");
	rig_free(rig);
	exit(77);
}

const char *common_file(struct rig *rig, const char *name, uint64_t size, unsigned int seed)
{
	const char *path = rig_file(rig, name, size, seed);

	expect(chmod(path, 0666) == 0);
	return path;
}

void file_again(const char *path, uint64_t size, unsigned int seed)
{
	unsigned char *bytes = malloc(size);
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	expect(bytes && fd >= 0);
	rig_fill(bytes, 0, size, seed);
	expect_eq(pwrite(fd, bytes, size, 0), size);
	free(bytes);
	close(fd);
}

void file_is(const char *path, uint64_t size, unsigned int seed)
{
	struct stat st;

	rig_file_is(path, size, seed, size, 0, 0);
	expect(stat(path, &st) == 0);
	expect_eq(st.st_size, size);
}

unsigned char file_byte(const char *path, uint64_t offset)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char byte;

	expect(fd >= 0);
	expect_eq(pread(fd, &byte, 1, (off_t)offset), 1);
	close(fd);
	return byte;
}

/* ---- strangers --------------------------------------------------------------------------- */

static int64_t result(int64_t r)
{
	return r < 0 ? -errno : r;
}

static int64_t end(int fd, int64_t r)
{
	r = result(r);
	if (fd >= 0)
		close(fd);
	return r;
}

int64_t deed_write(const struct deed *deed, int channel)
{
	char *bytes = malloc(deed->length);
	int fd = open(deed->path, O_WRONLY | O_CLOEXEC);
	int64_t r;

	(void)channel;
	expect(bytes);
	memset(bytes, 'n', deed->length);
	r = end(fd, fd < 0 ? fd : pwrite(fd, bytes, deed->length, (off_t)deed->offset));
	free(bytes);
	return r;
}

int64_t deed_read(const struct deed *deed, int channel)
{
	int fd = open(deed->path, O_RDONLY | O_CLOEXEC);
	unsigned char byte = 0;
	int64_t r = end(fd, fd < 0 ? fd : pread(fd, &byte, 1, (off_t)deed->offset));

	(void)channel;
	return r == 1 ? byte : r;
}

int64_t deed_truncate(const struct deed *deed, int channel)
{
	(void)channel;
	return result(truncate(deed->path, (off_t)deed->offset));
}

int64_t deed_ftruncate(const struct deed *deed, int channel)
{
	int fd = open(deed->path, O_WRONLY | O_CLOEXEC);

	(void)channel;
	return end(fd, fd < 0 ? fd : ftruncate(fd, (off_t)deed->offset));
}

int64_t deed_open_truncate(const struct deed *deed, int channel)
{
	int fd = open(deed->path, O_WRONLY | O_TRUNC | O_CLOEXEC);

	(void)channel;
	return end(fd, fd < 0 ? fd : 0);
}

int64_t deed_open_write(const struct deed *deed, int channel)
{
	int fd = open(deed->path, O_WRONLY | O_CLOEXEC);

	(void)channel;
	return end(fd, fd < 0 ? fd : 0);
}

int64_t deed_punch(const struct deed *deed, int channel)
{
	int fd = open(deed->path, O_WRONLY | O_CLOEXEC);

	(void)channel;
	return end(fd, fd < 0 ? fd
			      : fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					  (off_t)deed->offset, (off_t)deed->length));
}

static int stranger(int channel, void *data)
{
	const struct deed *deed = data;

	cue_number(channel, (uint64_t)deed->fn(deed, channel));
	return 0;
}

struct actor stranger_start(const struct deed *deed, const char *path)
{
	struct deed what = *deed;

	what.path = path;
	return actor_start_as(STRANGER_UID, STRANGER_UID, stranger, &what);
}

bool stranger_is_held(const struct actor *actor)
{
	char c;

	return recv(actor->channel, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

int64_t stranger_end(struct actor *actor)
{
	int64_t r = (int64_t)cue_wait_number(actor->channel);

	actor_join(actor);
	return r;
}

void stranger_goes_on(const struct deed *deed, const char *path, int64_t expected)
{
	struct actor actor = stranger_start(deed, path);

	expect_eq(stranger_end(&actor), expected);
}

/* ---- keepers ----------------------------------------------------------------------------- */

static int keeper_channel;
static int asked;

static enum mapseal_verdict on_recall(struct mapseal_recall *recall, void *data)
{
	(void)recall, (void)data;
	__atomic_store_n(&asked, 1, __ATOMIC_SEQ_CST);
	cue(keeper_channel, "recalled");
	return MAPSEAL_LATER;
}

static void keeper_do(struct mapseal_seal *seal, const char *what)
{
	unsigned char *bytes = mapseal_address(seal);
	uint64_t offset = mapseal_offset(seal), length = mapseal_length(seal);

	if (strcmp(what, "old") == 0) {
		expect(rig_same(bytes, offset, length, 1));
	} else if (strcmp(what, "new") == 0) {
		for (int i = 0; i < PAGE; i++)
			expect_eq(bytes[i], 'n');
		expect(rig_same(bytes + PAGE, offset + PAGE, length - PAGE, 1));
	} else if (strcmp(what, "write") == 0) {
		memset(bytes, 'w', PAGE);
	} else if (strcmp(what, "undisturbed") == 0) {
		expect(!__atomic_load_n(&asked, __ATOMIC_SEQ_CST));
		expect_eq(mapseal_seal_state(seal), MAPSEAL_HELD);
		expect_eq(mapseal_seq(seal), 1);
	} else if (strcmp(what, "lapsed") == 0) {
		await_state(seal, MAPSEAL_HELD);
	} else if (strcmp(what, "revoked") == 0) {
		await_state(seal, MAPSEAL_REVOKED);
	} else {
		expect_str(what, "return");
		must(mapseal_return(seal, offset, length, 0));
	}
}

static int keeper(int channel, void *data)
{
	const struct keeping *keeping = data;
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = keeping->object ? keeping->object : "file",
		.fd = -1,
		.offset = keeping->offset,
		.length = keeping->length,
		.mode = keeping->mode,
		.kind = keeping->kind,
		.flags = keeping->flags,
		.on_recall = on_recall,
	};
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal;
	char what[64];

	keeper_channel = channel;
	must(mapseal_acquire(m, &request, &seal));
	expect_eq(mapseal_seal_guard(seal), keeping->guard);
	cue(channel, "holding");
	for (;;) {
		ssize_t n = recv(channel, what, sizeof(what) - 1, 0);

		expect(n > 0);
		what[n] = '\0';
		if (strcmp(what, "end") == 0)
			break;
		keeper_do(seal, what);
		cue(channel, what);
	}
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

struct actor keeper_start(const struct keeping *keeping)
{
	struct keeping copy = *keeping;
	struct actor actor = actor_start(keeper, &copy);

	cue_wait(actor.channel, "holding");
	return actor;
}

void keeper_does(struct actor *actor, const char *what)
{
	char heard[64];

	cue(actor->channel, what);
	do { /* it is asked again when somebody else wants more */
		ssize_t n = recv(actor->channel, heard, sizeof(heard) - 1, 0);

		expect(n > 0);
		heard[n] = '\0';
	} while (strcmp(heard, "recalled") == 0);
	expect_str(heard, what);
}

void keeper_end(struct actor *actor)
{
	cue(actor->channel, "end");
	actor_join(actor);
}

void heard_first(const struct actor *actor, const char *word, const struct actor *other)
{
	struct pollfd fds[2] = { { .fd = actor->channel, .events = POLLIN },
				 { .fd = other->channel, .events = POLLIN } };

	expect(poll(fds, 2, -1) > 0);
	if (!fds[0].revents)
		expect_failed(__FILE__, __LINE__, "before \"%s\" the other one went on", word);
	cue_wait(actor->channel, word);
}
