/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Operations by the file's name: opening it, and what changes its length, its names, its inode. */

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tests/matrix/functions.h"

static int opened(long fd)
{
	if (fd < 0)
		return -errno;
	close((int)fd);
	return 0;
}

/* @a: flags */
int op_open(const struct doing *doing)
{
	return opened(open(doing->path, (int)doing->a | O_CLOEXEC));
}

int op_openat2(const struct doing *doing)
{
	struct open_how how = { .flags = doing->a | O_CLOEXEC };

	return opened(syscall(SYS_openat2, AT_FDCWD, doing->path, &how, sizeof(how)));
}

int op_creat(const struct doing *doing)
{
	return opened(creat(doing->path, 0666));
}

int op_open_handle(const struct doing *doing)
{
	_Alignas(struct file_handle) char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	struct file_handle *handle = (struct file_handle *)room;
	int mount, mount_id, r;

	handle->handle_bytes = MAX_HANDLE_SZ;
	mount = open(doing->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (mount < 0)
		return -errno;
	r = negative(name_to_handle_at(AT_FDCWD, doing->path, handle, &mount_id, 0));
	if (r == 0)
		r = opened(open_by_handle_at(mount, handle, (int)doing->a | O_CLOEXEC));
	close(mount);
	return r;
}

/* @a: the size */
int op_truncate(const struct doing *doing)
{
	return negative(truncate(doing->path, (off_t)doing->a));
}

int op_rename_over(const struct doing *doing)
{
	return negative(rename(doing->other, doing->path));
}

int op_rename(const struct doing *doing)
{
	return negative(rename(doing->path, doing->spare));
}

int op_unlink(const struct doing *doing)
{
	return negative(unlink(doing->path));
}

int op_link(const struct doing *doing)
{
	return negative(link(doing->path, doing->spare));
}

int op_inode(const struct doing *doing)
{
	if (chmod(doing->path, 0600) < 0 || utimensat(AT_FDCWD, doing->path, NULL, 0) < 0)
		return -errno;
	return 0;
}
