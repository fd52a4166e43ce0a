/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Failing writes: with a limit on the size of files the kernel refuses to write past it, in every
 * file. One export reaches past it. The memory of windows begins at 0 and stays below.
 */

#include "tests/fuzz/session-files.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/stat.h>

#include "daemon/config/config.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/session-ops.h"

static char directory[64];
static bool disturbed;

static const char *const files[] = {
	"file", "ranges", "hard", "discard", "limited", "dir/a", "dir/b",
};

static const char *const names[_SESSION_NAME_N] = {
	[SESSION_NAME_FILE] = "file",
	[SESSION_NAME_RANGES] = "ranges",
	[SESSION_NAME_HARD] = "hard",
	[SESSION_NAME_DISCARD] = "discard",
	[SESSION_NAME_FULL] = "full",
	[SESSION_NAME_LIMITED] = "limited",
	[SESSION_NAME_DIR_A] = "dir/a",
	[SESSION_NAME_DIR_B] = "dir/b",
	[SESSION_NAME_DIR_LINK] = "dir/link",
	[SESSION_NAME_DIR_FIFO] = "dir/fifo",
	[SESSION_NAME_DIR_OUT] = "dir/../file",
	[SESSION_NAME_DIR] = "dir",
	[SESSION_NAME_EMPTY_FILE] = "empty",
	[SESSION_NAME_NONE] = "none",
	[SESSION_NAME_NOTHING] = "",
};

static const char configuration[] =
	"[quota]\nmax-sessions = 8\nmax-seals = 24\nmax-window-bytes = 8M\nmax-in-flight = 12\n"
	"[pager]\nspin-us = 0\n"
	"[export file]\npath = %1$s/file\nread = *\nwrite = *\nkernel-faults = yes\n"
	"[export ranges]\npath = %1$s/ranges\nread = *@0-64K, *@128K-192K\n"
	"write = uid:65534@64K-128K\n"
	"[export hard]\npath = %1$s/hard\nread = *\nwrite = *\non-conflict = deny\n"
	"[export discard]\npath = %1$s/discard\nread = *\nwrite = *\non-death = discard\n"
	"[export full]\npath = %1$s/full\nread = *\nwrite = *\nkernel-faults = uid:0\n"
	"[export limited]\npath = %1$s/limited\nread = *\nwrite = *\nmax-seals = 2\n"
	"max-window-bytes = 128K\ndeadline-ms = 1\nhard-ms = 1\nmin-hold-ms = 0\nfence-ms = 1\n"
	"[export dir]\ndirectory = %1$s/dir\nread = *\nwrite = uid:0\n"
	"[export empty]\npath = %1$s/empty\nread = *\nwrite = *\n";

const char *files_name(unsigned int name)
{
	return names[name % _SESSION_NAME_N];
}

static const char *path_of(const char *name)
{
	static char path[RIG_PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

int files_open(const char *name, int flags)
{
	return open(path_of(name), flags | O_CLOEXEC, 0600);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
	(void)st;
	(void)flag;
	(void)ftw;
	return remove(path);
}

static void remove_files(void)
{
	nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void make_file(const char *name, uint64_t size)
{
	static char text[FILES_BYTES + 17];
	_cleanup_fd_ int fd = files_open(name, O_RDWR | O_CREAT);

	promise(fd >= 0);
	for (size_t at = 0; !text[FILES_BYTES - 1] && at < FILES_BYTES; at += 16)
		snprintf(text + at, 17, "%15zx\n", at);
	if (size <= FILES_BYTES)
		promise(pwrite(fd, text, size, 0) == (ssize_t)size);
	promise(ftruncate(fd, (off_t)size) == 0);
}

void files_begin(char socket_path[RIG_PATH_MAX], struct config **ret)
{
	_cleanup_fd_ int fd = -1;
	char fault[CONFIG_FAULT_MAX];

	snprintf(directory, sizeof(directory), "/tmp/mapseal-fuzz-XXXXXX");
	promise(mkdtemp(directory));
	atexit(remove_files);
	promise(chmod(directory, 0755) == 0 && mkdir(path_of("dir"), 0755) == 0);
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		make_file(files[i], FILES_BYTES);
	make_file("full", FILES_LIMIT + 64 * 1024);
	make_file("empty", 0);
	make_file("own", 16 * 4096);
	promise(symlink("../file", path_of("dir/link")) == 0);
	promise(mkfifo(path_of("dir/fifo"), 0666) == 0);
	fd = files_open("conf", O_RDWR | O_CREAT);
	promise(fd >= 0 && dprintf(fd, configuration, directory) > 0);
	if (config_load(path_of("conf"), ret, fault, sizeof(fault)) < 0) {
		fprintf(stderr, "%s\n", fault);
		abort();
	}
	strcpy(socket_path, path_of("socket"));
}

void files_disturb(unsigned int which, unsigned int what)
{
	static const off_t sizes[] = {
		0, 1, 4095, 4096, 4097, 65536, 131072, FILES_BYTES - 1, FILES_BYTES + 1, 1 << 20,
	};
	_cleanup_fd_ int fd = -1;

	disturbed = true;
	/* Where fanotify guards, what this process does is let go as its own. Where a lease does,
	 * nobody would answer while this waits: that it came is all that it does then. */
	fd = files_open(files[which % (sizeof(files) / sizeof(*files))], O_RDWR | O_NONBLOCK);
	if (fd < 0 && errno == EWOULDBLOCK)
		return;
	promise(fd >= 0);
	what %= sizeof(sizes) / sizeof(*sizes) + 1;
	if (what < sizeof(sizes) / sizeof(*sizes))
		promise(ftruncate(fd, sizes[what]) == 0);
	else
		promise(pwrite(fd, "disturbed", 9, 4090) == 9);
}

bool files_disturbed(void)
{
	return disturbed;
}

void files_restore(void)
{
	if (!disturbed)
		return;
	disturbed = false;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++)
		promise(truncate(path_of(files[i]), FILES_BYTES) == 0);
}
