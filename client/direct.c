/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The mapping of a DIRECT seal: the file itself, shared.
 *
 * Where the file system has DAX the mapping is MAP_SYNC: then every block that is mapped is
 * allocated on the device for good, and what was stored is durable when it has left the caches of
 * the processor, which libpmem knows how to bring about without a system call. Elsewhere it is
 * msync(2). A private mapping would be a copy that nobody was promised anything about; it is
 * refused.
 *
 * A mapping of a file can't be registered for userfaults, so its place is taken by other memory
 * when the seal is not held (fence.c), in one step for all threads: mmap(2) with MAP_FIXED, or
 * mremap(2). It is always whole pages of the seal; a seal ends inside a page only where the file
 * does.
 *
 * A child does not inherit it: its parent's seal is not a child's.
 */

#include "client/direct.h"

#include <errno.h>
#include <fcntl.h>
#include <libpmem.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "client/error.h"

#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22
#define MADV_POPULATE_WRITE 23
#endif

static int check_map_flags(int flags)
{
	int type = flags & (MAP_SHARED | MAP_PRIVATE | MAP_SHARED_VALIDATE);

	if (flags & ~(MAP_SHARED | MAP_PRIVATE | MAP_SHARED_VALIDATE | MAP_SYNC))
		return error_set(EINVAL, "map_flags of a seal are MAP_SHARED and MAP_SYNC at most, not 0x%x",
				 (unsigned int)flags);
	if (type == MAP_PRIVATE)
		return error_set(EINVAL, "A DIRECT seal is not mapped MAP_PRIVATE: what is written "
					 "there would be a copy without a promise");
	return 0;
}

int direct_new(struct mapseal *m, const struct mapseal_request *request, struct direct **ret)
{
	struct direct *direct;
	int r;

	r = check_map_flags(request->map_flags);
	if (r < 0)
		return r;
	wire_lock(&m->wire);
	r = fence_setup(m);
	wire_unlock(&m->wire);
	if (r < 0)
		return r;
	direct = calloc(1, sizeof(*direct));
	if (!direct)
		return error_set(ENOMEM, "Out of memory");
	direct->file = direct->proof = -1;
	direct->map_flags = request->map_flags;
	direct->flags = request->flags & ~(unsigned int)(MAPSEAL_NO_WAIT | MAPSEAL_WANT_AVAIL);
	list_init(&direct->fences);
	if (request->object)
		direct->object = strdup(request->object);
	else
		direct->proof = fcntl(request->fd, F_DUPFD_CLOEXEC, 3);
	if (!direct->object && direct->proof < 0) {
		r = error_set(request->object ? ENOMEM : errno, "The object can't be kept in mind: %m");
		free(direct);
		return r;
	}
	*ret = direct;
	return 0;
}

void direct_drop(struct direct *direct)
{
	if (!direct)
		return;
	fd_close(direct->file);
	fd_close(direct->proof);
	free(direct->object);
	free(direct);
}

void direct_free(struct mapseal_seal *seal, bool mapped)
{
	struct direct *direct = seal->direct;
	struct window *window = seal->window;

	if (mapped && window->address) {
		munmap(window->address, window->length);
		/* who is parked there finds nothing: SIGSEGV */
		fence_wake(seal, seal->offset, seal->offset + seal->length);
	}
	window->address = NULL;
	fence_forget(seal, 0, UINT64_MAX);
	direct_drop(direct);
	seal->direct = NULL;
}

/* ---- mapping ----------------------------------------------------------------------------- */

static int protection(const struct mapseal_seal *seal)
{
	return seal->mode == MAPSEAL_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;
}

int direct_map(struct mapseal_seal *seal, int file, uint64_t file_offset)
{
	uint64_t page = connection_page(), rounded = (seal->length + page - 1) / page * page;
	struct direct *direct = seal->direct;
	void *address;

	direct->file = file;
	if (rounded < seal->length || rounded > SIZE_MAX)
		return error_set(ENOMEM, "A mapping of %llu bytes does not fit an address space",
				 (unsigned long long)seal->length);
	address = mmap(NULL, (size_t)rounded, protection(seal), MAP_SHARED_VALIDATE | MAP_SYNC,
		       file, (off_t)file_offset);
	direct->sync = address != MAP_FAILED;
	if (!direct->sync && direct->map_flags & MAP_SYNC)
		return error_set(EOPNOTSUPP, "MAP_SYNC was insisted on, and is not to be had for "
					     "this file (no DAX): %m");
	if (!direct->sync)
		address = mmap(NULL, (size_t)rounded, protection(seal), MAP_SHARED, file,
			       (off_t)file_offset);
	if (address == MAP_FAILED)
		return error_set(errno, "Mapping %llu bytes of the file: %m",
				 (unsigned long long)rounded);
	seal->window->address = address;
	seal->window->length = (size_t)rounded;
	if (madvise(address, (size_t)rounded, MADV_DONTFORK) < 0)
		return error_set(errno, "The mapping cannot be kept from children: %m");
	if (madvise(address, (size_t)rounded, MADV_POPULATE_READ) < 0 && errno != EINVAL)
		return error_set(errno, "The file's pages can't be brought in: %m");
	return 0;
}

void direct_mapped(struct mapseal_seal *seal)
{
	uint64_t end = seal->offset + seal->length;
	const struct piece *piece = piece_first(seal, seal->offset, end);

	if (!piece)
		direct_poison(seal, seal->offset, end);
	else if (piece->parked || seal->m->wire.lost)
		direct_fence(seal, seal->offset, end);
}

static size_t pages(uint64_t start, uint64_t end)
{
	uint64_t page = connection_page();

	return (size_t)((end - start + page - 1) / page * page);
}

void direct_lift(struct mapseal_seal *seal, uint64_t start, uint64_t end)
{
	struct direct *direct = seal->direct;
	size_t length = pages(start, end);
	int type = direct->sync ? MAP_SHARED_VALIDATE | MAP_SYNC : MAP_SHARED;
	void *at;

	if (seal->mapping || !seal->window->address)
		return;
	at = direct_at(seal, start);
	/* pieces keep the page alignment of the object: its offset in the file is the same */
	if (mmap(at, length, protection(seal), type | MAP_FIXED, direct->file, (off_t)start) ==
	    MAP_FAILED) {
		direct_poison(seal, start, end);
		return;
	}
	madvise(at, length, MADV_DONTFORK);
	fence_forget(seal, start, end);
	fence_wake(seal, start, end);
}

/* Memory of which there is none: whoever touches it is past its end. */
void direct_poison(struct mapseal_seal *seal, uint64_t start, uint64_t end)
{
	size_t length = pages(start, end);
	void *at, *r = MAP_FAILED;
	int empty;

	if (seal->mapping || !seal->window->address)
		return;
	at = direct_at(seal, start);
	empty = memfd_create("mapseal-revoked", MFD_CLOEXEC);
	if (empty >= 0)
		r = mmap(at, length, protection(seal), MAP_SHARED | MAP_FIXED, empty, 0);
	fd_close(empty);
	if (r == MAP_FAILED)
		mprotect(at, length, PROT_NONE);
	madvise(at, length, MADV_DONTFORK);
	fence_forget(seal, start, end);
	fence_wake(seal, start, end);
}

/* ---- pages ------------------------------------------------------------------------------- */

/* Whether all of it is in force, be it recalled. */
static bool is_held(struct mapseal_seal *seal, uint64_t start, uint64_t end)
{
	while (start < end) {
		const struct piece *piece = piece_first(seal, start, end);

		if (!piece || piece->start > start || piece->parked || seal->m->wire.lost)
			return false;
		start = piece->end;
	}
	return true;
}

static int check_held(struct mapseal_seal *seal, uint64_t start, uint64_t end)
{
	int r;

	/* who is inside of an open gate needs nobody's word */
	if (!gate_is_closed(&seal->gate))
		return 0;
	wire_lock(&seal->m->wire);
	r = is_held(seal, start, end) ? 0 : seal_stale(seal);
	wire_unlock(&seal->m->wire);
	return r;
}

int direct_populate(struct mapseal_seal *seal, uint64_t offset, uint64_t length,
		    enum mapseal_mode mode)
{
	uint64_t page = connection_page(), start = offset / page * page;
	int r = check_held(seal, offset, offset + length);

	if (r < 0)
		return r;
	if (madvise(direct_at(seal, start), pages(start, offset + length),
		    mode == MAPSEAL_WRITE ? MADV_POPULATE_WRITE : MADV_POPULATE_READ) < 0)
		return error_set(errno == EFAULT ? EIO : errno, "The file's pages can't be brought in: %m");
	return 0;
}

int direct_sync(struct mapseal_seal *seal, uint64_t offset, uint64_t length)
{
	void *address = direct_at(seal, offset);
	int r = check_held(seal, offset, offset + length);

	if (r < 0)
		return r;
	if (seal->direct->sync)
		pmem_persist(address, (size_t)length);
	else if (pmem_msync(address, (size_t)length) < 0)
		return error_set(errno, "The file can't be synced: %m");
	return 0;
}

int mapseal_persist(struct mapseal_seal *seal, const void *address, size_t length)
{
	const unsigned char *at = address, *first = mapseal_address(seal);
	uint64_t offset;
	int r = connection_check(seal->m);

	if (r < 0)
		return r;
	if (length == 0)
		return 0;
	if (at < first || (uint64_t)(at - first) >= seal->length ||
	    length > seal->length - (uint64_t)(at - first))
		return error_set(EINVAL, "What is to persist is not within the seal");
	if (seal->mode != MAPSEAL_WRITE)
		return error_set(EACCES, "Nothing is written through a READ seal");
	offset = seal->offset + (uint64_t)(at - first);
	return seal->direct ? direct_sync(seal, offset, length)
			    : mapseal_commit(seal, offset, length);
}

int mapseal_fd(const struct mapseal_seal *seal)
{
	return seal->direct ? seal->direct->file
			    : error_set(EINVAL, "A WINDOW seal has no file of its own");
}

bool mapseal_is_pmem(const struct mapseal_seal *seal)
{
	return seal->direct && seal->direct->sync;
}
