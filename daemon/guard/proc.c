/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What /proc tells about a thread.
 *
 * Nothing here asks the file behind a descriptor: it may be on a file system whose server is the
 * very stranger that is being looked at, and never answers. fdinfo names the inode without asking;
 * its number alone may be that of another file elsewhere, which then counts as the same.
 *
 * A thread that is held once is likely to be held again soon, and to open what is read of it costs
 * more than to read it. A descriptor is the thread's that it was opened of: when that is gone it
 * says so, also if another thread has got its number.
 */

#include "daemon/guard/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/cleanup.h"

static ssize_t read_text(const char *path, char *text, size_t size)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n < 0)
		return -errno;
	text[n] = 0;
	return n;
}

static int open_call(pid_t tid)
{
	char path[64];
	int fd;

	if (tid <= 0)
		return -EINVAL;
	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static enum operation_text read_call(int fd, int tries, struct operation_call *ret, bool *ret_gone)
{
	enum operation_text result;
	char text[256];

	do {
		ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

		*ret_gone = n < 0 && errno == ESRCH;
		if (n < 0)
			return OPERATION_TEXT_BROKEN;
		text[n] = 0;
		result = operation_parse(text, ret);
	} while (result == OPERATION_TEXT_RUNNING && --tries > 0 && sched_yield() == 0);
	return result;
}

void proc_seen_deinit(struct proc_seen *seen)
{
	for (size_t i = 0; i < PROC_SEEN; i++)
		if (seen->at[i].tid)
			close(seen->at[i].fd);
}

enum operation_text proc_call(struct proc_seen *seen, pid_t tid, int tries,
			      struct operation_call *ret, bool *ret_gone)
{
	size_t slot = (size_t)tid % PROC_SEEN;
	enum operation_text result;
	int fd;

	if (seen && tid > 0 && seen->at[slot].tid == tid) {
		result = read_call(seen->at[slot].fd, tries, ret, ret_gone);
		if (!*ret_gone)
			return result;
	}
	fd = open_call(tid);
	*ret_gone = fd == -ENOENT || fd == -ESRCH;
	if (fd < 0)
		return OPERATION_TEXT_BROKEN;
	result = read_call(fd, tries, ret, ret_gone);
	if (!seen || *ret_gone) {
		close(fd);
		return result;
	}
	if (seen->at[slot].tid)
		close(seen->at[slot].fd);
	seen->at[slot].tid = tid;
	seen->at[slot].fd = fd;
	return result;
}

/* The number after "@name:" at the beginning of a line. */
static bool field(const char *text, const char *name, int base, unsigned long long *ret)
{
	size_t n = strlen(name);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		char *end;

		line += *line == '\n';
		if (strncmp(line, name, n) != 0 || line[n] != ':')
			continue;
		*ret = strtoull(line + n + 1, &end, base);
		return end != line + n + 1;
	}
	return false;
}

struct operation_file proc_file(pid_t tid, int fd, uint64_t ino)
{
	struct operation_file file = { 0 };
	unsigned long long flags, inode;
	char path[64], text[512];

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", tid, fd);
	if (tid > 0 && fd >= 0 && read_text(path, text, sizeof(text)) > 0 &&
	    field(text, "flags", 8, &flags) && field(text, "ino", 10, &inode)) {
		file.known = true;
		file.same = inode == ino;
		file.flags = (unsigned int)flags;
	}
	return file;
}

bool proc_is_worker(pid_t tid)
{
	unsigned long long kernel;
	char path[64], text[2048];

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	return tid > 0 && read_text(path, text, sizeof(text)) > 0 &&
	       field(text, "Kthread", 10, &kernel) && kernel == 0;
}

bool proc_who(pid_t tid, struct proc_who *ret)
{
	unsigned long long pid, uid;
	char path[64], text[512];
	const char *name;

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	if (tid <= 0 || read_text(path, text, sizeof(text)) <= 0 ||
	    !field(text, "Tgid", 10, &pid) || !field(text, "Uid", 10, &uid))
		return false;
	ret->pid = (pid_t)pid;
	ret->uid = (uid_t)uid;
	memset(ret->comm, 0, sizeof(ret->comm));
	name = strncmp(text, "Name:\t", 6) == 0 ? text + 6 : "";
	memcpy(ret->comm, name, strnlen(name, strcspn(name, "\n") < 15 ? strcspn(name, "\n") : 15));
	return true;
}

/* Whether @id is among the numbers of the line that begins with @name. */
static bool has(const char *text, const char *name, unsigned long id)
{
	const char *at = strstr(text, name), *line_end = at ? strchr(at + 1, '\n') : NULL;
	char *end;

	for (at += at ? strlen(name) : 0; at && at < line_end; at = end) {
		unsigned long number = strtoul(at, &end, 10);

		if (end == at || end > line_end)
			return false;
		if (number == id)
			return true;
	}
	return false;
}

bool proc_is_privileged(pid_t tid, gid_t group)
{
	unsigned long long capabilities;
	char path[64], text[8192];

	snprintf(path, sizeof(path), "/proc/%d/status", tid);
	if (tid <= 0 || read_text(path, text, sizeof(text)) <= 0 ||
	    !field(text, "CapEff", 16, &capabilities))
		return true;
	return capabilities || has(text, "\nUid:", 0) || has(text, "\nGid:", group) ||
	       has(text, "\nGroups:", group);
}
