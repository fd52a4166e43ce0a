/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A full disk: a commit into a hole of the file is refused with ENOSPC and loses nothing; when a break has to go on
 * the bytes are quarantined: listed, readable by their owner and not by another uid, and the file is left as the
 * breaker finds it. mapsealctl puts them where they belong in a copy, and leaves the rest of it alone.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { SIZE = 1024 * 1024 };

static int find(const struct mapseal_quarantine_info *info, void *data)
{
	expect_eq(info->error, ENOSPC);
	expect_eq(info->uid, RIG_UID);
	expect(info->bytes >= 4096);
	*(uint64_t *)data = info->id;
	return 0;
}

static enum mapseal_verdict keep(struct mapseal_recall *recall, void *data)
{
	(void)recall, (void)data;
	return MAPSEAL_LATER;
}

static int holder(int channel, void *data)
{
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_seal *seal = hold_with(m, "file", 0, 0, MAPSEAL_WRITE, 0, keep, NULL);
	unsigned char *bytes = mapseal_address(seal), *kept;
	uint64_t id = 0, offset, length;
	int fd;

	(void)data;
	memset(bytes + 65536, 'q', 4096);
	must_refuse(mapseal_commit(seal, 0, SIZE), ENOSPC);
	expect(strlen(mapseal_last_error()->text) > 0);
	must_refuse(mapseal_return(seal, 0, SIZE, 0), ENOSPC);
	/* nothing is lost: the pages are as they were, and still mine */
	expect_eq(bytes[65536], 'q');
	expect_eq(mapseal_seal_state(seal), MAPSEAL_HELD);
	cue(channel, "refused");
	cue_wait(channel, "broken");

	must(mapseal_list_quarantine(m, 0, find, &id));
	expect(id != 0);
	cue_number(channel, id); /* by root and by a stranger, meanwhile */
	cue_wait(channel, "tried");
	fd = mapseal_quarantine_open(m, id, &offset, &length);
	must(fd);
	expect(offset <= 65536 && offset + length >= 65536 + 4096);
	kept = mmap(NULL, length, PROT_READ, MAP_SHARED, fd, 0);
	expect(kept != MAP_FAILED);
	for (int i = 0; i < 4096; i++)
		expect_eq(kept[65536 - offset + i], 'q');
	expect(mmap(NULL, length, PROT_WRITE, MAP_SHARED, fd, 0) == MAP_FAILED);
	must(mapseal_quarantine_drop(m, id));
	id = 0;
	must(mapseal_list_quarantine(m, 0, find, &id));
	expect_eq(id, 0);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static int stranger(int channel, void *data)
{
	struct mapseal *m = client(0);
	uint64_t offset, length, id = 0;
	int r;

	(void)channel;
	must(mapseal_list_quarantine(m, 0, find, &id));
	expect_eq(id, 0);
	r = mapseal_quarantine_open(m, *(uint64_t *)data, &offset, &length);
	expect(r == -ENOENT || r == -EACCES);
	r = mapseal_quarantine_drop(m, *(uint64_t *)data);
	expect(r == -ENOENT || r == -EACCES);
	mapseal_close(m);
	return 0;
}

static int find_offset(const struct mapseal_quarantine_info *info, void *data)
{
	*(uint64_t *)data = info->offset;
	return 0;
}

/* `quarantine read ID` into an existing file, from where the entry begins. */
static void read_into_copy(struct rig *rig, struct mapseal *m, uint64_t id)
{
	const char *copy = rig_file(rig, "copy", SIZE, 9), *builddir = getenv("top_builddir");
	int fd = open(copy, O_RDWR | O_CLOEXEC), status;
	char program[512], number[32];
	uint64_t offset = 0;
	pid_t pid;

	must(mapseal_list_quarantine(m, id, find_offset, &offset));
	expect_eq(lseek(fd, (off_t)offset, SEEK_SET), offset);
	snprintf(program, sizeof(program), "%s/mapsealctl", builddir ? builddir : ".");
	snprintf(number, sizeof(number), "%llu", (unsigned long long)id);
	pid = fork();
	if (pid == 0) {
		dup2(fd, STDOUT_FILENO);
		execl(program, "mapsealctl", "quarantine", "read", number, (char *)NULL);
		_exit(127);
	}
	expect_eq(waitpid(pid, &status, 0), pid);
	expect_eq(status, 0);
	close(fd);
	rig_file_is(copy, SIZE, 9, 65536, 4096, 'q');
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *disk = rig_mount(rig, "disk", "tmpfs", 512 * KiB);
	const struct mapseal_account *account;
	struct mapseal_break *brk;
	char path[256], filler[256];
	struct actor actor, other;
	struct mapseal *m;
	uint64_t id;
	void *zeros;
	int fd;

	snprintf(path, sizeof(path), "%s/file", disk);
	snprintf(filler, sizeof(filler), "%s/filler", disk);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	expect(fd >= 0 && ftruncate(fd, SIZE) == 0);
	close(fd);
	fd = open(filler, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	zeros = calloc(1, 4096);
	while (write(fd, zeros, 4096) == 4096)
		;
	expect_eq(errno, ENOSPC);
	close(fd);
	free(zeros);

	rig_start(rig,
		  "[pager]\ngranule-pages = 1\n[defaults]\ndeadline-ms = 200\nhard-ms = 1000\n"
		  "[export file]\npath = %s\nread = *\nwrite = *\n",
		  path);
	actor = actor_start(holder, NULL);
	cue_wait(actor.channel, "refused");
	m = client(0);
	brk = break_range(m, "file", 0, 0, 0);
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->result, "revoked");
	expect(account->quarantined >= 4096);
	mapseal_break_end(brk);
	/* room again: nothing may come back by itself */
	expect(unlink(filler) == 0);
	cue(actor.channel, "broken");
	id = cue_wait_number(actor.channel);
	other = actor_start_as(RIG_UID - 1, RIG_UID - 1, stranger, &id);
	actor_join(&other);
	read_into_copy(rig, m, id);
	cue(actor.channel, "tried");
	actor_join(&actor);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	for (uint64_t at = 0; at < SIZE; at += 4096) {
		unsigned char bytes[4096];

		expect_eq(pread(fd, bytes, 4096, (off_t)at), 4096);
		for (int i = 0; i < 4096; i++)
			expect_eq(bytes[i], 0);
	}
	close(fd);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
