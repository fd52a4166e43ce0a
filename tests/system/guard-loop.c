/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A loop device, where opens for writing are watched and pass. What is written through it makes no
 * event, so nobody is held, but every window of the file is taken back as soon as the device is
 * there, hard ones too. As long as it is, windows are weak, and show what is in the file by then.
 * When it is gone they are not. One that only reads takes back windows that are written. Where
 * opens for writing are held the device is held with them.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/system/stranger.h"

enum { SIZE = 256 * 1024, LENGTH = 4096 };

/* Weak will do: a device that was closed lets go of its file when the kernel comes to it. */
static const struct keeping reading = {
	.mode = MAPSEAL_READ,
	.flags = MAPSEAL_WEAK_OK,
	.guard = MAPSEAL_GUARD_FANOTIFY,
};

static int attach_to(const char *path, int mode)
{
	int file = open(path, mode | O_CLOEXEC), device;

	expect(file >= 0);
	device = rig_attach(file);
	expect(device >= 0);
	close(file);
	return device;
}

/* Root alone may make one. */
static int attacher(int channel, void *data)
{
	static char page[LENGTH];
	int device = attach_to(data, O_RDWR);
	char what[16];

	memset(page, 'n', sizeof(page));
	cue(channel, "attached");
	for (;;) {
		ssize_t n = recv(channel, what, sizeof(what) - 1, 0);

		expect(n > 0);
		what[n] = '\0';
		if (strcmp(what, "detach") == 0)
			break;
		expect_str(what, "write");
		expect_eq(pwrite(device, page, sizeof(page), 0), LENGTH);
		expect(fsync(device) == 0);
		cue(channel, "written");
	}
	close(device);
	return 0;
}

static struct actor attach(const char *path)
{
	return actor_start_as(0, 0, attacher, (void *)(uintptr_t)path);
}

static void detach(struct actor *loop)
{
	cue(loop->channel, "detach");
	actor_join(loop);
}

static void taken_back(const char *object, const char *path)
{
	struct keeping keeping = reading;
	struct actor keeper, loop;

	printf("  %s\n", object);
	keeping.object = object;
	file_again(path, SIZE, 1);
	keeper = keeper_start(&keeping);
	loop = attach(path);
	cue_wait(loop.channel, "attached");
	cue_wait(keeper.channel, "recalled");
	keeper_does(&keeper, "old");
	keeper_does(&keeper, "return");
	keeper_end(&keeper);
	detach(&loop);
}

static int look(const struct mapseal_seal_info *info, void *data)
{
	*(bool *)data = info->weak;
	return 0;
}

static bool is_weak(struct mapseal *m)
{
	bool weak = false;

	must(mapseal_list_seals(m, 0, look, &weak));
	return weak;
}

static void weak_meanwhile(const char *path)
{
	struct mapseal *m = client(0);
	struct actor keeper, loop;

	printf("  weak as long as it is there\n");
	file_again(path, SIZE, 1);
	keeper = keeper_start(&reading);
	while (is_weak(m))
		sched_yield();
	loop = attach(path);
	cue_wait(loop.channel, "attached");
	cue_wait(keeper.channel, "recalled");
	keeper_does(&keeper, "return");
	keeper_end(&keeper);
	cue(loop.channel, "write");
	cue_wait(loop.channel, "written");
	keeper = keeper_start(&reading);
	expect(is_weak(m));
	keeper_does(&keeper, "new");
	keeper_end(&keeper);
	detach(&loop);
	keeper = keeper_start(&reading);
	/* seen when it is looked for, which no message tells */
	while (is_weak(m))
		sched_yield();
	keeper_does(&keeper, "new");
	keeper_end(&keeper);
	mapseal_close(m);
}

/* Then mostly nobody can say any more which file it had. */
static void gone_at_once(const char *path)
{
	static const char page[LENGTH];
	struct actor keeper;
	int device;

	file_again(path, SIZE, 1);
	keeper = keeper_start(&reading);
	device = attach_to(path, O_RDWR);
	expect_eq(pwrite(device, page, sizeof(page), 0), LENGTH);
	close(device);
	cue_wait(keeper.channel, "recalled");
	keeper_does(&keeper, "return");
	keeper_end(&keeper);
}

/* Nothing holds who opens the file to read. What the device reads, the cache of its own keeps. */
static void read_only(const char *path)
{
	struct keeping writing = reading;
	struct actor keeper;
	char byte = 0;
	int device;

	printf("  read-only\n");
	writing.mode = MAPSEAL_WRITE;
	file_again(path, SIZE, 1);
	keeper = keeper_start(&writing);
	keeper_does(&keeper, "write");
	device = attach_to(path, O_RDONLY);
	cue_wait(keeper.channel, "recalled");
	keeper_does(&keeper, "return");
	expect_eq(pread(device, &byte, 1, 0), 1);
	expect_eq(byte, 'w');
	close(device);
	keeper_end(&keeper);
}

static void held(const char *path)
{
	struct keeping keeping = reading;
	struct actor keeper, loop;

	printf("  held\n");
	keeping.object = "hold";
	file_again(path, SIZE, 1);
	keeper = keeper_start(&keeping);
	loop = attach(path);
	heard_first(&keeper, "recalled", &loop);
	keeper_does(&keeper, "old");
	expect(stranger_is_held(&loop));
	keeper_does(&keeper, "return");
	cue_wait(loop.channel, "attached");
	keeper_end(&keeper);
	detach(&loop);
}

int main(void)
{
	struct rig *rig = fanotify_rig();
	const char *file = common_file(rig, "file", SIZE, 1);
	const char *hard = common_file(rig, "hard", SIZE, 1);
	const char *hold = common_file(rig, "hold", SIZE, 1);

	rig_start(rig,
		  "[defaults]\n" PATIENT
		  "[export file]\npath = %s\nread = *\nwrite = *\n"
		  "[export hard]\npath = %s\nread = *\non-conflict = deny\n"
		  "[export hold]\npath = %s\nread = *\nwritable-opens = hold\n",
		  file, hard, hold);
	taken_back("file", file);
	taken_back("hard", hard);
	weak_meanwhile(file);
	printf("  gone at once\n");
	for (int i = 0; i < 20; i++)
		gone_at_once(file);
	read_only(file);
	held(hold);
	rig_free(rig);
	return 0;
}
