/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a passed descriptor proves, and a description of our own in its place.
 *
 * A descriptor proves what its open mode says, never what we could open: we may open nearly
 * everything. So the mode is judged first, from what the kernel knows by itself (F_GETFL); an
 * O_PATH descriptor was opened without any right to the file, and access mode 3 with none to its
 * bytes. Then the file system is identified without asking it, against a list: files of procfs or
 * sysfs are regular too, and would be read with our rights; a FUSE server may keep us waiting for
 * ever; overlay would show another inode than the one that is written. Only then is the file
 * system itself asked for anything.
 *
 * No I/O ever goes through the client's description, whose flags the client can switch at any
 * time. The new description is opened through the magic link in /proc, which leads to that very
 * inode whatever its name is now; it is opened O_NONBLOCK, since a lease (perhaps the client's
 * own) would hold us, and cleared of that afterwards.
 *
 * It can be written through wherever that is possible, also for a client that may only read: one
 * description serves all clients, and to exchange it later is what the guard of a file can't have
 * (a lease is on one, and opens of its own end it). What a client may do is judged each time, by
 * its own descriptor or export. Programs are opened for reading: they could not be run meanwhile.
 */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "daemon/authority/proof.h"
#include "daemon/authority/why.h"

/* Where regular files are bytes at offsets, kept by the kernel. */
static const char *const lent[] = {
	"ext4", "xfs", "btrfs", "tmpfs", "ext3", "ext2", "f2fs",
};

/* Of no use, but the kernel's own, so that it is safe to ask what kind of file it is. */
static const char *const askable[] = { "devtmpfs", "devpts" };

static bool is_among(const char *type, const char *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(type, list[i]) == 0)
			return true;
	return false;
}

#define IS_AMONG(type, list) is_among(type, list, sizeof(list) / sizeof((list)[0]))

static bool out_of_something(int error)
{
	return error == ENOMEM || error == EMFILE || error == ENFILE;
}

/* ---- what the kernel says by itself ----------------------------------------------------- */

static int check_mode(int fd, bool write, char *why, size_t size)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return refuse_as(why, size, AUTHORITY_E_BAD_DESCRIPTOR,
				 "the descriptor is not open");
	if (flags & O_PATH)
		return refuse_as(why, size, AUTHORITY_E_BAD_DESCRIPTOR,
				 "an O_PATH descriptor proves no right to the file; open it for "
				 "reading or writing");
	switch (flags & O_ACCMODE) {
	case O_RDONLY:
		if (write)
			return refuse_as(why, size, AUTHORITY_E_DENIED,
					 "the descriptor was opened O_RDONLY, which does not give "
					 "WRITE; open it O_RDWR");
		return 0;
	case O_WRONLY:
		return refuse_as(why, size, AUTHORITY_E_DENIED,
				 "the descriptor was opened O_WRONLY, but a window shows the bytes "
				 "that are there; open it O_RDWR");
	case O_RDWR:
		if (write && flags & O_APPEND)
			return refuse_as(why, size, AUTHORITY_E_DENIED,
					 "the descriptor is O_APPEND, which gives writing at the "
					 "end only; open the file without it");
		return 0;
	default:
		return refuse_as(why, size, AUTHORITY_E_BAD_DESCRIPTOR,
				 "a descriptor of access mode 3 can neither read nor write; open "
				 "the file O_RDONLY or O_RDWR");
	}
}

/* What has no path is no file: "socket:[7]", "pipe:[8]", "anon_inode:[eventfd]". */
static int check_kind(int fd, char *why, size_t size)
{
	char path[64], name[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, name, sizeof(name) - 1);
	if (n <= 0 || name[0] == '/' || name[0] == '(')
		return 0;
	name[n] = '\0';
	return refuse_as(why, size, AUTHORITY_E_BAD_DESCRIPTOR,
			 "the descriptor is no file but %s; only a regular file can be lent", name);
}

/* ---- what the file system says ---------------------------------------------------------- */

static const char *kind_of(unsigned int mode)
{
	return S_ISDIR(mode) ? "a directory" : S_ISLNK(mode) ? "a symbolic link" :
	       S_ISFIFO(mode) ? "a FIFO" : S_ISSOCK(mode) ? "a socket" : "a device";
}

static int check_type(unsigned int mode, const char *what, char *why, size_t size)
{
	if (S_ISREG(mode))
		return 0;
	return refuse_as(why, size, AUTHORITY_E_BAD_DESCRIPTOR,
			 "%s is %s; only a regular file can be lent", what, kind_of(mode));
}

int proof_file_system(struct mounts *mounts, int fd, pid_t peer, const char *what, char *why,
		      size_t size)
{
	char type[MOUNTS_TYPE_MAX];
	struct stat st;
	int r = mounts_type(mounts, fd, peer, type);

	if (out_of_something(-r))
		return r;
	if (r < 0)
		return refuse_as(why, size, AUTHORITY_E_UNSUPPORTED,
				 "%s is on a mount that neither the supervisor nor its client can "
				 "see, so what file system it is can't be told", what);
	if (IS_AMONG(type, lent))
		return 0;
	if (IS_AMONG(type, askable) && fstat(fd, &st) == 0 && !S_ISREG(st.st_mode))
		return check_type(st.st_mode, what, why, size);
	return refuse_as(why, size, AUTHORITY_E_UNSUPPORTED,
			 "%s is on %s; files are lent from ext2, ext3, ext4, xfs, btrfs, f2fs and "
			 "tmpfs (memfds too)", what, type);
}

static int check_attributes(const struct statx *stx, const char *what, char *why, size_t size)
{
	static const struct {
		uint64_t bit;
		const char *text;
	} table[] = {
		{ STATX_ATTR_IMMUTABLE, "immutable (chattr +i)" },
		{ STATX_ATTR_APPEND, "append-only (chattr +a)" },
		{ STATX_ATTR_VERITY, "protected by fs-verity" },
	};

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (stx->stx_attributes & table[i].bit)
			return refuse_as(why, size, AUTHORITY_E_DENIED,
					 "%s is %s, so WRITE is not for it; READ is", what,
					 table[i].text);
	return 0;
}

static int check_seals(int fd, const char *what, char *why, size_t size)
{
	int seals = fcntl(fd, F_GET_SEALS);

	if (seals >= 0 && seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
		return refuse_as(why, size, AUTHORITY_E_DENIED,
				 "%s is a memfd sealed against writing (%s), so WRITE is not for "
				 "it; READ is", what,
				 seals & F_SEAL_WRITE ? "F_SEAL_WRITE" : "F_SEAL_FUTURE_WRITE");
	return 0;
}

static int refuse_open(int error, const char *what, bool write, char *why, size_t size)
{
	const char *mode = write ? "reading and writing" : "reading";

	switch (error) {
	case ENOMEM:
	case EMFILE:
	case ENFILE:
		return -error;
	case EAGAIN:
		return refuse_as(why, size, AUTHORITY_E_BUSY,
				 "somebody has a lease on %s and was told to give it up; try again",
				 what);
	case ETXTBSY:
		return refuse_as(why, size, AUTHORITY_E_BUSY,
				 "%s is being executed (or is a swap file), and can't be written "
				 "meanwhile", what);
	case EROFS:
		return refuse_as(why, size, AUTHORITY_E_DENIED,
				 "%s is on a file system that is mounted read-only, so WRITE is "
				 "not for it; READ is", what);
	case EACCES:
	case EPERM:
	case ENOKEY:
		return refuse_as(why, size, AUTHORITY_E_DENIED,
				 "the supervisor itself may not open %s for %s: %s", what, mode,
				 strerrordesc_np(error));
	default:
		return refuse_as(why, size, AUTHORITY_E_IO, "%s can't be opened for %s: %s", what,
				 mode, strerrordesc_np(error));
	}
}

static int reopen(int fd, bool write, unsigned int mode, const char *what, int *ret, char *why,
		  size_t size)
{
	const int flags = O_CLOEXEC | O_NOCTTY | O_LARGEFILE | O_NONBLOCK;
	_cleanup_fd_ int own = -1;
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	if (write || !(mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
		own = open(path, O_RDWR | flags);
	if (own < 0 && !write)
		own = open(path, O_RDONLY | flags);
	if (own < 0)
		return refuse_open(errno, what, write, why, size);
	if (fcntl(own, F_SETFL, fcntl(own, F_GETFL) & ~O_NONBLOCK) < 0)
		return refuse_open(errno, what, write, why, size);
	*ret = take_fd(&own);
	return 0;
}

static bool can_write(int fd)
{
	return (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR;
}

int proof_open(struct mounts *mounts, int fd, pid_t peer, bool write, const char *what,
	       struct authority_file *ret, char *why, size_t size)
{
	_cleanup_fd_ int own = -1;
	struct statx stx;
	struct stat st;
	int r;

	r = proof_file_system(mounts, fd, peer, what, why, size);
	if (r)
		return r;
	if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &stx) < 0)
		return refuse_open(errno, what, write, why, size);
	r = check_type(stx.stx_mode, what, why, size);
	if (!r && write)
		r = check_attributes(&stx, what, why, size);
	if (!r)
		r = reopen(fd, write, stx.stx_mode, what, &own, why, size);
	if (!r && write)
		r = check_seals(own, what, why, size);
	if (r)
		return r;
	if (fstat(own, &st) < 0)
		return refuse_open(errno, what, write, why, size);
	if (!S_ISREG(st.st_mode) || st.st_ino != stx.stx_ino ||
	    st.st_dev != makedev(stx.stx_dev_major, stx.stx_dev_minor))
		return refuse_as(why, size, AUTHORITY_E_IO,
				 "%s became another file while it was opened", what);
	*ret = (struct authority_file){
		.writable = can_write(own),
		.dev = st.st_dev,
		.ino = st.st_ino,
		.size = (uint64_t)st.st_size,
	};
	ret->fd = take_fd(&own);
	return 0;
}

/* ---- files that are open already ---------------------------------------------------------- */

bool proof_same(int fd, const char *path, bool write, struct authority_same *ret)
{
	struct statx stx;
	char why[1];

	if (statx(fd, path, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT |
			    AT_STATX_DONT_SYNC,
		  STATX_TYPE | STATX_INO | STATX_NLINK, &stx) < 0 ||
	    !S_ISREG(stx.stx_mode) || (write && check_attributes(&stx, "", why, sizeof(why))))
		return false;
	*ret = (struct authority_same){
		.dev = makedev(stx.stx_dev_major, stx.stx_dev_minor),
		.ino = stx.stx_ino,
		.links = stx.stx_nlink,
	};
	return true;
}

bool proof_same_descriptor(struct mounts *mounts, int fd, pid_t peer, bool write,
			   struct authority_same *ret)
{
	char why[1];

	return check_mode(fd, write, why, sizeof(why)) == 0 &&
	       check_kind(fd, why, sizeof(why)) == 0 &&
	       proof_file_system(mounts, fd, peer, "", why, sizeof(why)) == 0 &&
	       (!write || check_seals(fd, "", why, sizeof(why)) == 0) &&
	       proof_same(fd, "", write, ret);
}

/* ---- descriptors ------------------------------------------------------------------------- */

int proof_check(struct mounts *mounts, int fd, pid_t peer, bool write, struct authority_file *ret,
		char *why, size_t size)
{
	int r;

	r = check_mode(fd, write, why, size);
	if (!r)
		r = check_kind(fd, why, size);
	if (!r)
		r = proof_open(mounts, fd, peer, write, "the file", ret, why, size);
	return r;
}
