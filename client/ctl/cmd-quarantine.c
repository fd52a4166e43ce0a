/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mapsealctl quarantine: how owners get at bytes that could not be written when a break had to go
 * on.
 *
 * "read" writes them as they would lie in the file, from the entry's offset on. What was not
 * written is a hole: in a plain file on standard output it is skipped, so that reading into an
 * existing file at the right place changes only what the holder had changed; anywhere else it is
 * zeros. Nothing is dropped by reading.
 */

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/ctl/ctl.h"
#include "client/ctl/json.h"
#include "client/ctl/render.h"
#include "util/range.h"
#include "util/units.h"

struct listing {
	struct json_object *array;
	struct table *table;
};

static int add_entry(const struct mapseal_quarantine_info *info, void *data)
{
	struct listing *l = data;
	const char *name = strerrorname_np(info->error);
	char range[RANGE_TEXT_MAX], buf[UNITS_MAX];

	if (l->array) {
		json_append(l->array, json_quarantine(info));
		return 0;
	}
	table_cell(l->table, "%" PRIu64, info->id);
	table_cell(l->table, "%" PRIu64, info->seal);
	table_cell(l->table, "%s", info->object);
	table_cell(l->table, "%s", range_format(info->offset, info->length, range));
	table_cell(l->table, "%s", units_format_bytes(info->bytes, buf));
	table_cell(l->table, "%s", name ? name : "?");
	table_cell(l->table, "%u", (unsigned int)info->uid);
	table_cell(l->table, "%s", units_format_ms(info->age_ms, buf));
	return 0;
}

static int list(const struct ctl *ctl, struct mapseal *m)
{
	static const struct column columns[] = {
		{ "ID", true },	   { "SEAL", true },   { "OBJECT", false }, { "RANGE", false },
		{ "BYTES", true }, { "ERROR", false }, { "UID", true },	    { "AGE", true },
	};
	struct listing l = { 0 };
	int r;

	if (ctl->json)
		l.array = json_new_array();
	else
		l.table = table_new(columns, sizeof(columns) / sizeof(columns[0]));
	r = mapseal_list_quarantine(m, 0, add_entry, &l);
	if (r >= 0 && l.array)
		json_print(take_ptr(l.array), stdout);
	else if (r >= 0 && table_rows(l.table))
		table_print(l.table, true, stdout);
	if (l.array)
		json_object_put(l.array);
	table_free(l.table);
	return r < 0 ? ctl_fail(r) : EXIT_OK;
}

static int write_all(const char *from, size_t n)
{
	while (n > 0) {
		ssize_t written = write(STDOUT_FILENO, from, n);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		from += written;
		n -= (size_t)written;
	}
	return 0;
}

/* Copies [@from, @to) of @fd; a hole reads as zeros. */
static int copy(int fd, uint64_t from, uint64_t to)
{
	static char buf[256 * 1024];

	while (from < to) {
		size_t want = to - from < sizeof(buf) ? (size_t)(to - from) : sizeof(buf);
		ssize_t n = pread(fd, buf, want, (off_t)from);
		int r;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;
		r = write_all(buf, (size_t)n);
		if (r < 0)
			return r;
		from += (uint64_t)n;
	}
	return 0;
}

/* Moves on in a plain file on stdout, which a hole at the end must still reach. */
static int skip(uint64_t n)
{
	struct stat st;
	off_t at = lseek(STDOUT_FILENO, (off_t)n, SEEK_CUR);

	if (at < 0 || fstat(STDOUT_FILENO, &st) < 0)
		return -errno;
	return st.st_size < at && ftruncate(STDOUT_FILENO, at) < 0 ? -errno : 0;
}

static bool stdout_takes_holes(void)
{
	int flags = fcntl(STDOUT_FILENO, F_GETFL);
	struct stat st;

	return flags >= 0 && !(flags & O_APPEND) && fstat(STDOUT_FILENO, &st) == 0 &&
	       S_ISREG(st.st_mode);
}

static int copy_out(int fd, uint64_t length)
{
	bool holes = stdout_takes_holes();
	uint64_t at = 0;
	int r = 0;

	while (r == 0 && at < length) {
		off_t data = lseek(fd, (off_t)at, SEEK_DATA), hole;
		uint64_t upto;

		if (data < 0 && errno != ENXIO)
			return -errno;
		upto = data < 0 || (uint64_t)data > length ? length : (uint64_t)data;
		if (upto > at)
			r = holes ? skip(upto - at) : copy(fd, at, upto);
		at = upto;
		if (r < 0 || at == length)
			break;
		hole = lseek(fd, (off_t)at, SEEK_HOLE);
		if (hole < 0)
			return -errno;
		upto = (uint64_t)hole > length ? length : (uint64_t)hole;
		r = copy(fd, at, upto);
		at = upto;
	}
	return r;
}

static int read_entry(struct mapseal *m, uint64_t id)
{
	uint64_t offset = 0, length = 0;
	_cleanup_fd_ int fd = -1;
	int r;

	fd = mapseal_quarantine_open(m, id, &offset, &length);
	if (fd < 0)
		return ctl_fail(fd);
	signal(SIGPIPE, SIG_IGN);
	r = copy_out(fd, length);
	if (r == -EPIPE)
		return EXIT_SIGNAL + SIGPIPE;
	if (r < 0) {
		ctl_complain("cannot copy the bytes: %s", strerror(-r));
		return EXIT_FAILED;
	}
	return EXIT_OK;
}

COMMAND_FN(cmd_quarantine)
{
	const struct option_spec options[] = { OPTION_END };
	_cleanup_(mapseal_closep) struct mapseal *m = NULL;
	struct options_rest rest;
	const char *what = "list";
	bool reads, drops;
	uint64_t id = 0;
	int r, ret;

	if (!ctl_arguments(ctl, self, options, 0, argv, 0, 2, &rest, &ret))
		return ret;
	if (rest.n_operands > 0)
		what = rest.operands[0];
	reads = strcmp(what, "read") == 0;
	drops = strcmp(what, "drop") == 0;
	if (!reads && !drops && strcmp(what, "list") != 0)
		return ctl_misuse("quarantine: '%.60s' is none of list, read, drop", what);
	if (rest.n_operands > 0 && rest.n_operands != (reads || drops ? 2u : 1u))
		return ctl_misuse("quarantine %s: %s", what,
				  reads || drops ? "an ID is missing" : "it takes no ID");
	if ((reads || drops) && ctl->json)
		return ctl_misuse("quarantine %s: what it prints is no JSON; leave --json out",
				  what);
	if (reads || drops) {
		ret = ctl_id(rest.operands[1], &id);
		if (ret)
			return ret;
	}
	ret = ctl_connect(ctl, NULL, &m);
	if (ret)
		return ret;
	if (reads)
		return read_entry(m, id);
	if (!drops)
		return list(ctl, m);
	r = mapseal_quarantine_drop(m, id);
	return r < 0 ? ctl_fail(r) : EXIT_OK;
}
