/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Opening what is named.
 *
 * A name is first resolved to an O_PATH descriptor, which opens nothing: no FIFO waits for its
 * other end, no device starts to rewind, no lease is broken. What it turned out to be is judged
 * as a passed descriptor is, and only then opened (proof_open), through that descriptor and not
 * by name again, so that nobody can exchange the file in between.
 *
 * Below a directory the kernel resolves the name under RESOLVE_BENEATH and its kin; nothing here
 * compares paths. The rule for hard links: a file with more than one name is refused, since the
 * other names may lie outside the directory, and lending it would lend what the administrator did
 * not name. Who may write in the directory could still link a file into it and remove the other
 * name; the kernel allows that (fs.protected_hardlinks) for files they could open for writing
 * anyway.
 */

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "daemon/authority/open.h"
#include "daemon/authority/proof.h"
#include "daemon/authority/why.h"

/* The resolution gives up whenever anything in the system is renamed meanwhile. */
enum { TRIES = 16, WHAT_MAX = 160 };

static int refuse_lookup(int error, const char *what, char *why, size_t size)
{
	switch (error) {
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return -error;
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
		return refuse_as(why, size, AUTHORITY_E_UNKNOWN, "%s: there is no such file", what);
	case ELOOP:
		return refuse_as(why, size, AUTHORITY_E_DENIED,
				 "%s: a symbolic link is on the way, and none is followed", what);
	case EXDEV:
		return refuse_as(why, size, AUTHORITY_E_DENIED,
				 "%s: the way leads out of the exported directory or onto another "
				 "mount", what);
	case EAGAIN:
		return refuse_as(why, size, AUTHORITY_E_BUSY,
				 "%s: directories are being renamed; try again", what);
	case EACCES:
	case EPERM:
		return refuse_as(why, size, AUTHORITY_E_DENIED,
				 "%s: the supervisor itself may not go there: %s", what,
				 strerrordesc_np(error));
	default:
		return refuse_as(why, size, AUTHORITY_E_IO, "%s can't be looked up: %s", what,
				 strerrordesc_np(error));
	}
}

/* There is no descriptor that could be a bad one: what was named is not to be had. */
static int open_named(struct mounts *mounts, int fd, bool write, const char *what,
		      struct authority_file *ret, char *why, size_t size)
{
	int r = proof_open(mounts, fd, 0, write, what, ret, why, size);

	return r == AUTHORITY_E_BAD_DESCRIPTOR ? AUTHORITY_E_DENIED : r;
}

int open_path(struct mounts *mounts, const char *path, bool write, struct authority_file *ret,
	      char *why, size_t size)
{
	_cleanup_fd_ int fd = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
	char what[WHAT_MAX];

	snprintf(what, sizeof(what), "%s", path);
	if (fd < 0)
		return refuse_lookup(errno, what, why, size);
	return open_named(mounts, fd, write, what, ret, why, size);
}

/* ---- below a directory ------------------------------------------------------------------ */

static bool name_is_plain(const char *relative)
{
	size_t n;

	for (const char *p = relative;; p += n + 1) {
		n = strcspn(p, "/");
		if (n == 0 || (n == 1 && p[0] == '.') || (n == 2 && p[0] == '.' && p[1] == '.'))
			return false;
		if (!p[n])
			return true;
	}
}

/* Its file system is asked for each name on the way, so it has to be one that answers. */
static int open_directory(struct mounts *mounts, const char *directory, int *ret, char *why,
			  size_t size)
{
	_cleanup_fd_ int fd = open(directory, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	int r;

	if (fd < 0 && errno == ENOTDIR)
		return refuse_as(why, size, AUTHORITY_E_UNKNOWN,
				 "what is exported as a directory is none, or a symbolic link to "
				 "one");
	if (fd < 0)
		return refuse_lookup(errno, "the exported directory", why, size);
	r = proof_file_system(mounts, fd, 0, "the exported directory", why, size);
	if (r)
		return r;
	*ret = take_fd(&fd);
	return 0;
}

static int lookup(int directory, const char *relative)
{
	const struct open_how how = {
		.flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS |
			   RESOLVE_NO_XDEV,
	};
	long fd = -1;

	for (int i = 0; i < TRIES; i++) {
		fd = syscall(SYS_openat2, directory, relative, &how, sizeof(how));
		if (fd >= 0 || errno != EAGAIN)
			break;
	}
	return (int)fd;
}

bool open_beneath_same(struct mounts *mounts, const char *directory, const char *relative, bool write,
		       struct authority_same *ret)
{
	_cleanup_fd_ int root = -1, fd = -1;
	char why[1];

	if (!name_is_plain(relative) ||
	    open_directory(mounts, directory, &root, why, sizeof(why)) != 0)
		return false;
	fd = lookup(root, relative);
	return fd >= 0 && proof_same(fd, "", write, ret) && ret->links == 1;
}

int open_beneath(struct mounts *mounts, const char *directory, const char *relative, bool write,
		 struct authority_file *ret, char *why, size_t size)
{
	_cleanup_fd_ int root = -1, fd = -1, own = -1;
	struct authority_file file;
	char what[WHAT_MAX];
	struct stat st;
	int r;

	snprintf(what, sizeof(what), "'%s'", relative);
	if (!name_is_plain(relative))
		return refuse_as(why, size, AUTHORITY_E_UNKNOWN,
				 "%s names no file below a directory; write names joined by single "
				 "slashes, without \".\" and \"..\"", what);
	r = open_directory(mounts, directory, &root, why, size);
	if (r)
		return r;
	fd = lookup(root, relative);
	if (fd < 0)
		return refuse_lookup(errno, what, why, size);
	r = open_named(mounts, fd, write, what, &file, why, size);
	if (r)
		return r;
	own = file.fd;
	if (fstat(own, &st) < 0)
		return refuse_lookup(errno, what, why, size);
	if (st.st_nlink == 0)
		return refuse_lookup(ENOENT, what, why, size);
	if (st.st_nlink > 1)
		return refuse_as(why, size, AUTHORITY_E_DENIED,
				 "%s has %lu names (hard links), and another may lie outside the "
				 "exported directory", what, (unsigned long)st.st_nlink);
	*ret = file;
	(void)take_fd(&own);
	return 0;
}
