/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Mappings, and running the file. @a is the offset in the file, @b the protection, or for reading
 * MAP_PRIVATE or MAP_SHARED.
 *
 * A store that finds no page to land on is SIGBUS; so functions that store are done in a child
 * process, whose end tells. It has the mapping for itself alone, or as a copy of what was mapped
 * before.
 */

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/matrix/functions.h"

int op_map_read(const struct doing *doing)
{
	void *map = mmap(NULL, FILE_SIZE, PROT_READ, (int)doing->a, doing->fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	memcpy(doing->seen->bytes, (char *)map + SEAL_START, MATRIX_PAGE);
	doing->seen->at = SEAL_START;
	doing->seen->n = MATRIX_PAGE;
	munmap(map, FILE_SIZE);
	return 0;
}

/* In a child, which ends with an errno. */
static int apart(int (*fn)(const struct doing *doing), const struct doing *doing)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0)
		_exit(-fn(doing));
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	return WIFEXITED(status) ? -WEXITSTATUS(status) : -EFAULT;
}

static int store(void *at)
{
	memset(at, 's', MATRIX_PAGE);
	return negative(msync(at, MATRIX_PAGE, MS_SYNC));
}

static int map_store(const struct doing *doing)
{
	char *map = mmap(NULL, FILE_SIZE, (int)doing->b, MAP_SHARED, doing->fd, 0);

	if (map == MAP_FAILED || mprotect(map, FILE_SIZE, PROT_READ | PROT_WRITE) < 0)
		return -errno;
	return store(map + doing->a);
}

int op_map_store(const struct doing *doing)
{
	return apart(map_store, doing);
}

static int map_remap(const struct doing *doing)
{
	char *map = mmap(NULL, MATRIX_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, doing->fd, 0);

	if (map == MAP_FAILED)
		return -errno;
	map = mremap(map, MATRIX_PAGE, doing->a + MATRIX_PAGE, MREMAP_MAYMOVE);
	return map == MAP_FAILED ? -errno : store(map + doing->a);
}

int op_map_remap(const struct doing *doing)
{
	return apart(map_remap, doing);
}

static int map_remap_pages(const struct doing *doing)
{
	char *map = mmap(NULL, 2 * MATRIX_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, doing->fd, 0);

	if (map == MAP_FAILED ||
	    remap_file_pages(map, MATRIX_PAGE, 0, doing->a / MATRIX_PAGE, 0) < 0)
		return -errno;
	return store(map);
}

int op_map_remap_pages(const struct doing *doing)
{
	return apart(map_remap_pages, doing);
}

int op_map_remove(const struct doing *doing)
{
	char *map = mmap(NULL, FILE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, doing->fd, 0);
	int r;

	if (map == MAP_FAILED)
		return -errno;
	r = negative(madvise(map + doing->a, MATRIX_PAGE, MADV_REMOVE));
	munmap(map, FILE_SIZE);
	return r;
}

static int mapped_store(const struct doing *doing)
{
	return store((char *)doing->map + doing->a);
}

int op_mapped_store(const struct doing *doing)
{
	return apart(mapped_store, doing);
}

int op_mapped_remove(const struct doing *doing)
{
	return negative(madvise((char *)doing->map + doing->a, MATRIX_PAGE, MADV_REMOVE));
}

/* The exit status tells which script was run. */
int op_exec(const struct doing *doing)
{
	pid_t pid = fork();
	int status;

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		execl(doing->path, doing->path, (char *)NULL);
		_exit(errno == ETXTBSY ? 126 : 127);
	}
	if (waitpid(pid, &status, 0) < 0)
		return -errno;
	if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
		return WEXITSTATUS(status) == 126 ? -ETXTBSY : -ENOEXEC;
	doing->seen->at = 0;
	doing->seen->n = strlen(WEXITSTATUS(status) ? SCRIPT_FALSE : SCRIPT_TRUE);
	memcpy(doing->seen->bytes, WEXITSTATUS(status) ? SCRIPT_FALSE : SCRIPT_TRUE,
	       doing->seen->n);
	return 0;
}
