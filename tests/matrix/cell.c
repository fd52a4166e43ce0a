/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * One cell: files, holder, stranger, and the verdict. See cell.h.
 *
 * The files are new for each cell, so that nothing that one leaves behind is another's. The order:
 * descriptors from before; the seal; the operation, with descriptors from after; the holder looks;
 * and only then is the file looked at, for to open it is an operation as well.
 */

#include "tests/matrix/cell.h"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/system/rig.h"

#define STRANGER_UID (RIG_UID - 1)

bool is_by_holder(enum view view)
{
	return view == HOLDER_AFTER || view == HOLDER_BEFORE || view == HOLDER_GIVEN;
}

/* ---- files ------------------------------------------------------------------------------- */

int places(int fd, uint64_t ret[PAGES])
{
	const unsigned int bad = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC |
				 FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_DATA_INLINE |
				 FIEMAP_EXTENT_UNWRITTEN | FIEMAP_EXTENT_SHARED;
	_Alignas(struct fiemap) char
		room[sizeof(struct fiemap) + 2 * PAGES * sizeof(struct fiemap_extent)] = { 0 };
	struct fiemap *map = (struct fiemap *)room;

	map->fm_length = FILE_SIZE;
	map->fm_flags = FIEMAP_FLAG_SYNC;
	map->fm_extent_count = 2 * PAGES;
	if (ioctl(fd, FS_IOC_FIEMAP, map) < 0)
		return -errno;
	for (size_t i = 0; i < PAGES; i++)
		ret[i] = NOWHERE;
	for (size_t i = 0; i < map->fm_mapped_extents; i++) {
		const struct fiemap_extent *e = &map->fm_extents[i];

		for (uint64_t at = 0; at < e->fe_length && !(e->fe_flags & bad); at += MATRIX_PAGE)
			if (e->fe_logical + at < FILE_SIZE)
				ret[(e->fe_logical + at) / MATRIX_PAGE] = e->fe_physical + at;
	}
	return 0;
}

static void write_file(const char *path, const unsigned char *bytes, bool hole)
{
	const unsigned int in_place = FS_NOCOW_FL; /* or btrfs has no swap files */
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0777);

	expect(fd >= 0 && fchmod(fd, 0777) == 0);
	if (hole) {
		expect_eq(pwrite(fd, bytes, HOLE_START, 0), HOLE_START);
		expect_eq(pwrite(fd, bytes + HOLE_END, FILE_SIZE - HOLE_END, (off_t)HOLE_END),
			  FILE_SIZE - HOLE_END);
	} else {
		ioctl(fd, FS_IOC_SETFLAGS, &in_place);
		expect_eq(pwrite(fd, bytes, FILE_SIZE, 0), FILE_SIZE);
	}
	expect(fsync(fd) == 0);
	close(fd);
}

static void write_swap_header(unsigned char *bytes)
{
	const uint32_t words[] = { 1 /* version */, PAGES - 1 /* the last page */, 0 };

	memset(bytes, 0, MATRIX_PAGE);
	memcpy(bytes + 1024, words, sizeof(words));
	memcpy(bytes + MATRIX_PAGE - 10, "SWAPSPACE2", 10);
}

/* ... and what is expected of it. */
static void make_files(const struct cell_place *place, struct stage *stage)
{
	unsigned int flags = stage->operation->flags;
	unsigned char *bytes = stage->expected;

	snprintf(stage->directory, sizeof(stage->directory), "%s", place->directory);
	snprintf(stage->path, sizeof(stage->path), "%s/%s", place->directory, place->name);
	snprintf(stage->other, sizeof(stage->other), "%s/%s.other", place->directory, place->name);
	snprintf(stage->spare, sizeof(stage->spare), "%s/%s.spare", place->directory, place->name);
	snprintf(stage->object, sizeof(stage->object), "%s/%s", place->export, place->name);
	rig_fill(bytes, 0, FILE_SIZE, 1);
	memcpy(bytes, SCRIPT_TRUE, strlen(SCRIPT_TRUE));
	if (flags & NO_HOLE)
		write_swap_header(bytes);
	else
		memset(bytes + HOLE_START, 0, HOLE_END - HOLE_START);
	write_file(stage->path, bytes, !(flags & NO_HOLE));
	if (flags & TWINS)
		write_file(stage->other, bytes, !(flags & NO_HOLE));
	if (flags & TWO_FILES) {
		static unsigned char others[FILE_SIZE];

		rig_fill(others, 0, FILE_SIZE, 2);
		write_file(stage->other, others, false);
	}
	stage->start = flags & ALL_SEALED ? 0 : SEAL_START;
	stage->end = flags & ALL_SEALED ? FILE_SIZE : SEAL_END;
}

static void remove_files(struct stage *stage)
{
	unlink(stage->path);
	unlink(stage->other);
	unlink(stage->spare);
}

/* What the holder writes; it does so itself. */
static void expect_written(struct stage *stage)
{
	unsigned char *at = stage->expected + stage->start;

	memset(at, 'h', MATRIX_PAGE);
	if (stage->start == 0)
		memcpy(at, SCRIPT_FALSE, strlen(SCRIPT_FALSE));
}

struct doing stage_doing(struct stage *stage)
{
	return (struct doing){
		.directory = stage->directory,
		.path = stage->path,
		.other = stage->other,
		.spare = stage->spare,
		.fd = -1,
		.seen = &stage->seen,
		.a = stage->operation->a,
		.b = stage->operation->b,
	};
}

/* ---- processes --------------------------------------------------------------------------- */

static int stranger_main(int channel, void *data)
{
	struct stage *stage = data;
	struct doing doing = stage_doing(stage);
	int r = 0;

	if (stage->view == STRANGER_BEFORE)
		r = operation_open(stage->operation, &doing);
	cue(channel, "ready");
	cue_wait(channel, "go");
	if (stage->view == STRANGER_AFTER)
		r = operation_open(stage->operation, &doing);
	stage->held_back = atomic_load(&stage->asked);
	stage->result = r < 0 ? r : stage->operation->fn(&doing);
	cue(channel, "done");
	cue_wait(channel, "end");
	return 0;
}

static bool answers(const struct actor *actor, const char *word)
{
	struct pollfd pollfd = { .fd = actor->channel, .events = POLLIN };

	if (poll(&pollfd, 1, LIMIT_MS) != 1)
		return false;
	cue_wait(actor->channel, word);
	return true;
}

static struct actor start_stranger(struct stage *stage)
{
	uid_t uid = stage->operation->flags & AS_ROOT ? 0 : STRANGER_UID;
	struct actor actor = actor_start_as(uid, uid, stranger_main, stage);

	expect(answers(&actor, "ready"));
	return actor;
}

static void reset(struct stage *stage, const struct operation *operation, enum seal seal,
		  enum view view)
{
	memset(stage, 0, sizeof(*stage));
	stage->operation = operation;
	stage->seal = seal;
	stage->view = view;
	for (size_t i = 0; i < PAGES; i++)
		stage->promised[i] = NOWHERE;
}

/* ---- the verdict ------------------------------------------------------------------------- */

static bool saw_stale(const struct stage *stage)
{
	return stage->seen.n &&
	       memcmp(stage->seen.bytes, stage->expected + stage->seen.at, stage->seen.n) != 0;
}

/* By name it could not be found any more when it was renamed. */
static int open_again(int path_fd)
{
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", path_fd);
	return open(name, O_RDONLY | O_CLOEXEC);
}

static bool file_same(int fd, const struct stage *stage, size_t start, size_t end)
{
	static unsigned char bytes[FILE_SIZE];

	return pread(fd, bytes, end - start, (off_t)start) == (ssize_t)(end - start) &&
	       memcmp(bytes, stage->expected + start, end - start) == 0;
}

static bool places_same(int fd, const struct stage *stage)
{
	uint64_t now[PAGES];

	expect_eq(places(fd, now), 0);
	return memcmp(now + stage->start / MATRIX_PAGE,
		      stage->promised + stage->start / MATRIX_PAGE,
		      (stage->end - stage->start) / MATRIX_PAGE * sizeof(now[0])) == 0;
}

/* EINVAL: btrfs defragments no file that somebody listens to. */
static bool is_denial(int result)
{
	return result == -EINVAL || result == -ETXTBSY || result == -EBUSY || result == -EAGAIN;
}

static enum verdict because(struct cell_result *ret, const char *why, enum verdict verdict)
{
	snprintf(ret->why, sizeof(ret->why), "%s", why);
	return verdict;
}

/* Its holder was asked, and it was not held. */
static bool is_heard_late(const struct stage *stage)
{
	return stage->operation->flags & UNHEARD && stage->recalled && !stage->held_back &&
	       !stage->weak;
}

/* Of a weak seal nothing is promised that depends on who is faster. */
static bool is_heard_by_chance(const struct stage *stage)
{
	return stage->operation->flags & UNHEARD && stage->weak && !stage->held_back &&
	       stage->guard != MAPSEAL_GUARD_COOPERATIVE;
}

static enum verdict not_caught(const struct stage *stage, struct cell_result *ret, const char *why)
{
	if (stage->reported || is_heard_late(stage))
		return because(ret, why, VERDICT_DETECTED);
	return because(ret, why, stage->weak ? VERDICT_WEAK : VERDICT_MISSED);
}

/* It is not held any more. What its holder wrote has to be in the file, whoever came after it. */
static enum verdict judge_ended(const struct stage *stage, int fd, struct cell_result *ret)
{
	if (stage->late)
		return not_caught(stage, ret, "it had begun when the seal was recalled");
	if (stage->seal == SEAL_WRITE && !(stage->operation->flags & OVERWRITES) &&
	    !file_same(fd, stage, stage->start, stage->start + MATRIX_PAGE))
		return because(ret, "what the holder wrote is lost", VERDICT_MISSED);
	if (is_heard_late(stage))
		return because(ret, "it was at work when the seal was recalled", VERDICT_DETECTED);
	/* then what denies it, if anything, is the kernel, for a description that the supervisor
	 * still has */
	if (stage->recalled)
		return VERDICT_HELD;
	return is_denial(stage->result) ? VERDICT_DENIED : VERDICT_TAKEN;
}

static enum verdict judge(const struct stage *stage, int fd, struct cell_result *ret)
{
	if (is_heard_by_chance(stage))
		return because(ret, "it makes no event", VERDICT_WEAK);
	if (saw_stale(stage))
		return not_caught(stage, ret, "it read what the holder had replaced");
	if (stage->recalled || !stage->held)
		return judge_ended(stage, fd, ret);
	if (stage->seal == SEAL_DIRECT) {
		if (!places_same(fd, stage))
			return not_caught(stage, ret, "blocks moved");
	} else {
		if (!stage->kept)
			return not_caught(stage, ret, "the window changed");
		if (!file_same(fd, stage, stage->start, stage->end))
			return not_caught(stage, ret, "the file changed");
	}
	if (is_denial(stage->result))
		return VERDICT_DENIED;
	return stage->seal == SEAL_WRITE && stage->seen.n ? VERDICT_FLUSHED : VERDICT_PASSED;
}

/* ---- performing -------------------------------------------------------------------------- */

int cell_without(const struct cell_place *place, const struct operation *operation,
		 struct stage *stage, char why[160])
{
	struct actor stranger;

	reset(stage, operation, SEAL_READ, STRANGER_AFTER);
	make_files(place, stage);
	stranger = start_stranger(stage);
	cue(stranger.channel, "go");
	expect(answers(&stranger, "done"));
	cue(stranger.channel, "end");
	actor_join(&stranger);
	if (stage->result == 0 && saw_stale(stage))
		stage->result = -EILSEQ;
	snprintf(why, 160, "%s", stage->result ? strerror(-stage->result) : "");
	remove_files(stage);
	return stage->result;
}

static void end(struct actor *actor, bool orderly)
{
	if (orderly) {
		cue(actor->channel, "end");
		actor_join(actor);
	} else {
		actor_kill(actor, SIGKILL);
	}
}

static enum verdict act(struct stage *stage, struct actor *holder, struct actor *stranger,
			int path_fd, struct cell_result *ret)
{
	struct actor *who = stranger ? stranger : holder;
	enum verdict verdict;
	int fd;

	cue(who->channel, "go");
	if (!answers(who, "done"))
		return because(ret, "it hangs", VERDICT_STRANGE);
	cue(holder->channel, stranger ? "go" : "look");
	if (!answers(holder, "looked"))
		return because(ret, "its holder hangs", VERDICT_STRANGE);
	fd = open_again(path_fd);
	expect(fd >= 0);
	/* what is on the disk counts */
	expect(fsync(fd) == 0 && posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0);
	verdict = judge(stage, fd, ret);
	close(fd);
	if (stage->result < 0 && !is_denial(stage->result)) {
		snprintf(ret->why, sizeof(ret->why), "it failed: %s", strerror(-stage->result));
		return VERDICT_STRANGE;
	}
	return verdict;
}

void cell_perform(const struct cell_place *place, const struct operation *operation, enum seal seal,
		  enum view view, struct stage *stage, struct cell_result *ret)
{
	struct actor holder, stranger;
	bool foreign = !is_by_holder(view);
	int path_fd;

	*ret = (struct cell_result){ .verdict = VERDICT_STRANGE };
	reset(stage, operation, seal, view);
	make_files(place, stage);
	path_fd = open(stage->path, O_PATH | O_CLOEXEC);
	expect(path_fd >= 0);
	if (seal != SEAL_READ)
		expect_written(stage);
	if (foreign)
		stranger = start_stranger(stage);
	holder = actor_start(holder_main, stage);
	if (!answers(&holder, "acquired")) {
		because(ret, "the seal is not granted", VERDICT_STRANGE);
		end(&holder, false);
	} else if (stage->acquired < 0) {
		ret->verdict = stage->acquired == -EBUSY ? VERDICT_REFUSED : VERDICT_STRANGE;
		snprintf(ret->why, sizeof(ret->why), "acquire: %.140s", stage->words);
		actor_join(&holder);
	} else {
		stage->weak |= stage->guard < place->guard;
		ret->verdict = act(stage, &holder, foreign ? &stranger : NULL, path_fd, ret);
		end(&holder, ret->verdict != VERDICT_STRANGE);
	}
	if (foreign)
		end(&stranger, false);
	close(path_fd);
	remove_files(stage);
}
