/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Exports.
 *
 * The order is: is there a rule at all for this caller, then the file, then the range. So who has
 * no right learns nothing about what is in a directory, and makes the supervisor touch nothing.
 *
 * A path below a directory is resolved by the kernel in one go (openat2), beneath the directory,
 * through no symbolic link and into no other mount; the result is a handle without rights (O_PATH),
 * so that neither a FIFO nor a device is ever opened. A hard link is a name like any other, and
 * may have been made by someone who could not read the file: so in directories, files with
 * more than one link are refused. (What is exported by its own path was named by the administrator, and
 * may have as many as it likes.)
 *
 * The directory is looked up anew each time: what the administrator puts in its place is what is lent.
 */

#include "daemon/authority/export.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/authority/proof.h"
#include "util/range.h"

void export_deinit(struct export *export)
{
	free(export->name);
	free(export->path);
	free(export->read);
	free(export->write);
	free(export->kernel_faults);
	*export = (struct export){ 0 };
}

bool export_name_ok(const char *name)
{
	size_t n = strlen(name);

	if (n == 0 || n > EXPORT_NAME_MAX || name[0] == '.' || name[0] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isascii(name[i]) || (!isalnum(name[i]) && !strchr("._-", name[i])))
			return false;
	return true;
}

/* ---- names ------------------------------------------------------------------------------- */

int export_find(const struct export *exports, size_t n, const char *object,
		const struct export **ret, const char **ret_rest, char *why, size_t size)
{
	size_t length = strcspn(object, "/");

	for (size_t i = 0; i < n; i++)
		if (strlen(exports[i].name) == length &&
		    strncmp(exports[i].name, object, length) == 0) {
			*ret = &exports[i];
			*ret_rest = object[length] ? object + length + 1 : NULL;
			return 0;
		}
	if (length == 0)
		snprintf(why, size,
			 "\"%.200s\" begins with a slash and so names no export; a path is lent by passing "
			 "a descriptor of it",
			 object);
	else
		snprintf(why, size, "there is no export \"%.*s\"", (int)(length > 200 ? 200 : length),
			 object);
	return AUTHORITY_E_UNKNOWN;
}

/* ---- callers ----------------------------------------------------------------------------- */

static bool is_meant(const struct export_who *who, const struct export_caller *caller)
{
	switch (who->type) {
	case EXPORT_EVERYONE:
		return true;
	case EXPORT_UID:
		return caller->uid == who->id;
	case EXPORT_GID:
		if (caller->gid == who->id)
			return true;
		for (size_t i = 0; i < caller->n_groups; i++)
			if (caller->groups[i] == who->id)
				return true;
		return false;
	}
	return false;
}

bool export_may_fault(const struct export *export, const struct export_caller *caller)
{
	for (size_t i = 0; i < export->n_kernel_faults; i++)
		if (is_meant(&export->kernel_faults[i], caller))
			return true;
	return false;
}

/* What @caller may do, as a list: "0-4M, 8M-end"; "" for nothing. */
static void describe_rights(const struct export *export, const struct export_caller *caller,
			    bool write, char *text, size_t size)
{
	const struct export_grant *grants = write ? export->write : export->read;
	size_t n = write ? export->n_write : export->n_read, used = 0;
	char range[RANGE_TEXT_MAX];

	text[0] = '\0';
	for (size_t i = 0; i < n; i++) {
		const struct export_grant *g = &grants[i];

		if (!is_meant(&g->who, caller))
			continue;
		range_format(g->start, g->end == EXPORT_TO_END ? 0 : g->end - g->start, range);
		if (used + strlen(range) + sizeof(", ...") > size) {
			snprintf(text + used, size - used, "%s...", used ? ", " : "");
			return;
		}
		used += (size_t)snprintf(text + used, size - used, "%s%s", used ? ", " : "", range);
	}
}

static int refuse_all(const struct export *export, const struct export_caller *caller, bool write,
		      char *why, size_t size)
{
	char others[160];

	describe_rights(export, caller, !write, others, sizeof(others));
	snprintf(why, size,
		 "export \"%s\": uid %u may %s nothing of it%s%s; the administrator names who may in "
		 "mapseald.conf(5), %s =",
		 export->name, caller->uid, write ? "write" : "read",
		 others[0] ? (write ? ", only read " : ", only write ") : "", others,
		 write ? "write" : "read");
	return AUTHORITY_E_DENIED;
}

int export_check_range(const struct export *export, const struct export_caller *caller, bool write,
		       uint64_t start, uint64_t end, char *why, size_t size)
{
	const struct export_grant *grants = write ? export->write : export->read;
	size_t n = write ? export->n_write : export->n_read;
	char range[RANGE_TEXT_MAX], rights[200];

	for (size_t i = 0; i < n; i++)
		if (is_meant(&grants[i].who, caller) && grants[i].start <= start &&
		    end <= grants[i].end)
			return 0;
	describe_rights(export, caller, write, rights, sizeof(rights));
	if (!rights[0])
		return refuse_all(export, caller, write, why, size);
	snprintf(why, size,
		 "export \"%s\": uid %u may %s %s; %s was asked for, and one rule has to cover all of "
		 "it",
		 export->name, caller->uid, write ? "write" : "read", rights,
		 range_format(start, end == CORE_INFINITY ? 0 : end - start, range));
	return AUTHORITY_E_DENIED;
}

/* ---- files ------------------------------------------------------------------------------- */

static int lookup_failed(const struct export *export, const char *rest, int error, char *why,
			 size_t size)
{
	if (error == ENOMEM || error == EMFILE || error == ENFILE)
		return -error;
	switch (error) {
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		snprintf(why, size, "export \"%s\": there is no file \"%.200s\" in it",
			 export->name, rest);
		return AUTHORITY_E_UNKNOWN;
	case EXDEV:
		snprintf(why, size,
			 "export \"%s\": \"%.200s\" leads out of the directory, or into another mount",
			 export->name, rest);
		return AUTHORITY_E_DENIED;
	case ELOOP:
		snprintf(why, size,
			 "export \"%s\": \"%.200s\" leads through a symbolic link, and none is "
			 "followed; name the file itself",
			 export->name, rest);
		return AUTHORITY_E_DENIED;
	case EAGAIN:
		snprintf(why, size,
			 "export \"%s\": something was renamed while \"%.200s\" was looked up; try "
			 "again",
			 export->name, rest);
		return AUTHORITY_E_BUSY;
	default:
		snprintf(why, size, "export \"%s\": \"%.200s\" could not be looked up: %s",
			 export->name, rest, strerror(error));
		return AUTHORITY_E_IO;
	}
}

static int find_below(const struct export *export, const char *rest, int *ret, char *why,
		      size_t size)
{
	struct open_how how = {
		.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};
	_cleanup_fd_ int directory = -1, file = -1;
	struct stat st;

	if (!rest || !rest[0]) {
		snprintf(why, size, "export \"%s\" is a directory; name a file in it: \"%s/PATH\"",
			 export->name, export->name);
		return AUTHORITY_E_UNKNOWN;
	}
	directory = open(export->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory < 0)
		return lookup_failed(export, export->path, errno, why, size);
	file = (int)syscall(SYS_openat2, directory, rest, &how, sizeof(how));
	if (file < 0)
		return lookup_failed(export, rest, errno, why, size);
	if (fstat(file, &st) < 0)
		return lookup_failed(export, rest, errno, why, size);
	/* RESOLVE_NO_SYMLINKS together with O_PATH | O_NOFOLLOW allows a handle of the last link itself */
	if (S_ISLNK(st.st_mode))
		return lookup_failed(export, rest, ELOOP, why, size);
	if (S_ISREG(st.st_mode) && st.st_nlink > 1) {
		snprintf(why, size,
			 "export \"%s\": \"%.200s\" has %ju links, and any of them may have been made "
			 "to bring a file from elsewhere in here; copy it, or export it by its own "
			 "path",
			 export->name, rest, (uintmax_t)st.st_nlink);
		return AUTHORITY_E_DENIED;
	}
	*ret = take_fd(&file);
	return 0;
}

static int find_itself(const struct export *export, const char *rest, int *ret, char *why,
		       size_t size)
{
	struct stat st;
	int fd;

	if (rest) {
		snprintf(why, size, "export \"%s\" is one file; there is nothing below it",
			 export->name);
		return AUTHORITY_E_UNKNOWN;
	}
	fd = open(export->path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return lookup_failed(export, export->path, errno, why, size);
	if (fstat(fd, &st) == 0 && S_ISLNK(st.st_mode)) {
		fd_close(fd);
		return lookup_failed(export, export->path, ELOOP, why, size);
	}
	*ret = fd;
	return 0;
}

static bool has_any_right(const struct export *export, const struct export_caller *caller,
			  bool write)
{
	const struct export_grant *grants = write ? export->write : export->read;
	size_t n = write ? export->n_write : export->n_read;

	for (size_t i = 0; i < n; i++)
		if (is_meant(&grants[i].who, caller))
			return true;
	return false;
}

int export_open(const struct export *export, const char *rest, struct mounts *mounts,
		const struct export_caller *caller, bool write, struct authority_file *ret,
		char *why, size_t size)
{
	_cleanup_fd_ int fd = -1;
	char what[EXPORT_NAME_MAX + 256];
	int r;

	if (!has_any_right(export, caller, write))
		return refuse_all(export, caller, write, why, size);
	if (export->directory)
		r = find_below(export, rest, &fd, why, size);
	else
		r = find_itself(export, rest, &fd, why, size);
	if (r)
		return r;
	snprintf(what, sizeof(what), "export \"%s%s%.200s\"", export->name, rest ? "/" : "",
		 rest ? rest : "");
	r = proof_open(mounts, fd, 0, write, what, ret, why, size);
	if (r == AUTHORITY_E_BAD_DESCRIPTOR)
		r = AUTHORITY_E_UNSUPPORTED; /* no descriptor was passed: EBADF would mislead */
	return r;
}
