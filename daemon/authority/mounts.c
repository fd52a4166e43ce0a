/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Which file system a descriptor is on, found out without asking that file system.
 *
 * stat and statfs are answered by the file system, and a FUSE server may take for ever to answer.
 * What the kernel knows by itself is the mount that a file was opened on (mnt_id in fdinfo) and
 * the table of mounts (mountinfo). Only shmem and hugetlbfs have seals, so whoever answers
 * F_GET_SEALS may be asked for the rest: that is how memfds are told apart, whose mount is in no
 * table.
 *
 * Invariant: a mount's number is unique in the whole system for as long as a descriptor is open
 * on it. So any table that lists the number tells the truth about it, whoever's namespace it
 * describes: ours; that of process 1, which lists the mount that our root is on when we run in a
 * chroot; and the peer's, even if its pid has gone to another process. But the number must be
 * read before the table is found to be fresh, or a number that was used again could be looked up
 * in what is said of its previous owner.
 *
 * The kernel marks a table as changed by POLLPRI, once for each open file; it is read again only
 * then. The peer's table is not kept, and not read beyond a limit: its size is the peer's choice.
 */

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>

#include "daemon/authority/authority.h"

enum { CHUNK = 16 << 10, OWN_MAX = 64 << 20, PEER_MAX = 1 << 20, TURNS = 4 };

struct mount {
	int id;
	char type[MOUNTS_TYPE_MAX];
};

struct table {
	int fd; /* -1: not there */
	bool stale;
	struct mount *mounts; /* by id */
	size_t n;
};

struct mounts {
	struct table own, init;
};

static void table_deinit(struct table *table)
{
	table->fd = fd_close(table->fd);
	free(table->mounts);
	table->mounts = NULL;
	table->n = 0;
}

/* ---- reading ---------------------------------------------------------------------------- */

/* Whole, with a NUL behind it. -EFBIG: over @max. */
static int read_all(int fd, size_t max, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t n = 0, room = 0;
	ssize_t got;

	if (lseek(fd, 0, SEEK_SET) < 0)
		return -errno;
	do {
		if (room - n < CHUNK) {
			char *more;

			if (room >= max)
				return -EFBIG;
			room = room ? 2 * room : 2 * CHUNK;
			more = realloc(text, room);
			if (!more)
				return -ENOMEM;
			text = more;
		}
		got = read(fd, text + n, room - n - 1);
		if (got < 0 && errno != EINTR)
			return -errno;
		n += got > 0 ? (size_t)got : 0;
	} while (got != 0);
	text[n] = '\0';
	*ret = take_ptr(text);
	return 0;
}

/*
 * "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue": six fields,
 * optional ones, a lone "-", the type. Spaces within a field come escaped.
 */
static bool parse_line(char *line, struct mount *ret)
{
	char *end, *save = NULL, *field = strtok_r(line, " ", &save);
	struct mount mount = { 0 };
	unsigned int n = 1;
	long id;

	if (!field || *field < '0' || *field > '9')
		return false;
	errno = 0;
	id = strtol(field, &end, 10);
	if (*end || errno || id > INT_MAX)
		return false;
	mount.id = (int)id;
	while ((field = strtok_r(NULL, " ", &save)) && (++n <= 6 || strcmp(field, "-") != 0))
		;
	field = field ? strtok_r(NULL, " ", &save) : NULL;
	if (!field)
		return false;
	strncpy(mount.type, field, sizeof(mount.type) - 1);
	*ret = mount;
	return true;
}

static int by_id(const void *a, const void *b)
{
	const struct mount *x = a, *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static int table_read(struct table *table, size_t max)
{
	_cleanup_free_ struct mount *mounts = NULL;
	_cleanup_free_ char *text = NULL;
	size_t n = 0, lines = 1;
	char *save = NULL;
	int r;

	r = read_all(table->fd, max, &text);
	if (r < 0)
		return r;
	for (const char *p = text; (p = strchr(p, '\n')); p++)
		lines++;
	mounts = calloc(lines, sizeof(*mounts));
	if (!mounts)
		return -ENOMEM;
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (parse_line(line, &mounts[n]))
			n++;
	qsort(mounts, n, sizeof(*mounts), by_id);
	free(table->mounts);
	table->mounts = take_ptr(mounts);
	table->n = n;
	return 0;
}

/* Asking also takes the mark away, so a failure has to be remembered. */
static bool table_changed(struct table *table)
{
	struct pollfd poll_fd = { .fd = table->fd, .events = POLLPRI };

	return poll(&poll_fd, 1, 0) > 0 && poll_fd.revents & POLLPRI;
}

static int table_refresh(struct table *table)
{
	int r;

	table->stale |= table_changed(table);
	for (int turn = 0; table->stale && turn < TURNS; turn++) {
		r = table_read(table, OWN_MAX);
		if (r < 0)
			return r;
		table->stale = table_changed(table);
	}
	return 0;
}

static int table_find(const struct table *table, int id, char *ret)
{
	struct mount key = { .id = id }, *found = NULL;

	if (table->n)
		found = bsearch(&key, table->mounts, table->n, sizeof(key), by_id);
	if (!found)
		return -ENOENT;
	memcpy(ret, found->type, sizeof(found->type));
	return 0;
}

/* ---- looking up ------------------------------------------------------------------------- */

/* The kernel writes its own lines first; what a driver adds comes later, and is not read. */
static int mount_of(int fd, int *ret)
{
	char path[64], text[256];
	_cleanup_fd_ int info = -1;
	const char *line;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = open(path, O_RDONLY | O_CLOEXEC);
	if (info < 0)
		return -errno;
	n = read(info, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	line = strstr(text, "\nmnt_id:");
	return line && sscanf(line, "\nmnt_id: %d", ret) == 1 ? 0 : -ENOENT;
}

static int find_in_peer(pid_t peer, int id, char *ret)
{
	struct table table = { .fd = -1 };
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/mountinfo", (int)peer);
	table.fd = open(path, O_RDONLY | O_CLOEXEC);
	if (table.fd < 0)
		return -errno;
	r = table_read(&table, PEER_MAX);
	if (r == 0)
		r = table_find(&table, id, ret);
	table_deinit(&table);
	return r;
}

static bool out_of_something(int r)
{
	return r == -ENOMEM || r == -EMFILE || r == -ENFILE;
}

int mounts_type(struct mounts *mounts, int fd, pid_t peer, char ret[MOUNTS_TYPE_MAX])
{
	struct table *const tables[] = { &mounts->own, &mounts->init };
	struct statfs fs;
	int id, r;

	r = mount_of(fd, &id);
	if (r < 0)
		return r;
	for (size_t i = 0; i < 2; i++) {
		if (tables[i]->fd < 0)
			continue;
		r = table_refresh(tables[i]);
		if (r == 0)
			r = table_find(tables[i], id, ret);
		if (r == 0 || out_of_something(r))
			return r;
	}
	if (fcntl(fd, F_GET_SEALS) >= 0 && fstatfs(fd, &fs) == 0) {
		snprintf(ret, MOUNTS_TYPE_MAX, "%s",
			 fs.f_type == TMPFS_MAGIC ? "tmpfs" : "hugetlbfs");
		return 0;
	}
	if (peer > 0) {
		r = find_in_peer(peer, id, ret);
		if (r == 0 || out_of_something(r))
			return r;
	}
	return -ENOENT;
}

/* ---- life ------------------------------------------------------------------------------- */

int mounts_new(const char *table, struct mounts **ret)
{
	_cleanup_(mounts_freep) struct mounts *mounts = calloc(1, sizeof(*mounts));
	int r;

	if (!mounts)
		return -ENOMEM;
	mounts->init.fd = -1;
	mounts->init.stale = mounts->own.stale = true;
	mounts->own.fd = open(table ? table : "/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (mounts->own.fd < 0)
		return -errno;
	/* Where it can't be seen, there is one table less to look in. */
	if (!table)
		mounts->init.fd = open("/proc/1/mountinfo", O_RDONLY | O_CLOEXEC);
	r = table_refresh(&mounts->own);
	if (r < 0)
		return r;
	*ret = take_ptr(mounts);
	return 0;
}

struct mounts *mounts_free(struct mounts *mounts)
{
	if (!mounts)
		return NULL;
	table_deinit(&mounts->own);
	table_deinit(&mounts->init);
	free(mounts);
	return NULL;
}
