/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A hostile user's process lets nobody read the pages that it names at ATTACH, on many connections at once: a
 * few are given up on, the rest is refused and told what to do, and meanwhile and afterwards others attach.
 */

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 8192, PAGE = 4096, FEW = 4, MANY = 12 };

/* A child asks, over connections of its parent, whose pages wait for a userfaultfd that nobody serves. */
static void attach_all(int channel, struct raw *raws, unsigned char *pages)
{
	unsigned int n_tried = 0;

	for (int i = 0; i < MANY; i++) {
		struct proto_message attach = {
			.type = PROTO_ATTACH,
			.attach = { .probe = (uintptr_t)(pages + i * PAGE) },
		};
		int fd = raw_userfaultfd();

		raw_send(&raws[i], &attach, &fd, 1);
	}
	cue(channel, "asked");
	for (int i = 0; i < MANY; i++) {
		const struct proto_refused *refused = &raws[i].answer.refused;

		expect_eq(raw_receive(&raws[i]), PROTO_REFUSED);
		n_tried += refused->code == PROTO_E_BAD_ADDRESS;
		if (refused->code == PROTO_E_BAD_ADDRESS)
			continue;
		expect_str(proto_error_name(refused->code), "QUOTA");
		expect(strstr(refused->text, "end them"));
	}
	expect_eq(n_tried, FEW);
	cue(channel, "refused");
	cue_wait(channel, "end");
	_exit(0);
}

static int hostile(int channel, void *data)
{
	static struct raw raws[MANY];
	struct uffdio_api api = { .api = UFFD_API };
	unsigned char *pages = mmap(NULL, MANY * PAGE, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register reg = {
		.range = { (uintptr_t)pages, MANY * PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	/* one for faults of the kernel too, such as a user gets who is trusted with the device */
	int uffd = ioctl(*(int *)data, USERFAULTFD_IOC_NEW, O_CLOEXEC), status;
	pid_t child;

	expect(ioctl(uffd, UFFDIO_API, &api) == 0);
	expect(ioctl(uffd, UFFDIO_REGISTER, &reg) == 0);
	for (int i = 0; i < MANY; i++)
		raw_hello(&raws[i]);
	child = fork();
	if (child == 0)
		attach_all(channel, raws, pages);
	expect_eq(waitpid(child, &status, 0), child);
	return WEXITSTATUS(status);
}

static int other(int channel, void *data)
{
	struct raw raw;

	(void)channel, (void)data;
	raw_hold(&raw, "file", SIZE, PROTO_MODE_READ);
	expect(rig_same(raw_map(&raw), 0, SIZE, 1));
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", SIZE, 1);
	int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	struct actor bad, good;

	expect(device >= 0);
	rig_start(rig, "[export file]\npath = %s\nread = *\n", path);
	bad = actor_start(hostile, &device);
	cue_wait(bad.channel, "asked");
	good = actor_start_as(RIG_UID - 1, RIG_UID - 1, other, NULL);
	actor_join(&good);
	cue_wait(bad.channel, "refused");
	good = actor_start_as(RIG_UID - 1, RIG_UID - 1, other, NULL);
	actor_join(&good);
	cue(bad.channel, "end");
	actor_join(&bad);
	rig_free(rig);
	return 0;
}
