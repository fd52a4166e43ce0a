/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The barest grant: one round trip over a socket with a descriptor each way (a proof up, memory
 * down), mmap of the memory, UFFDIO_REGISTER of the mapping, here by the client itself. Nothing is
 * checked, and the memory is always the same.
 */

#include <fcntl.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "daemon/pager/uffd.h"
#include "tests/bench/bare.h"
#include "tests/system/rig.h"

int bare_grant_serve(int channel, void *data)
{
	int writable = memfd_create("bare", MFD_CLOEXEC), memory, proof;
	struct bare_message message;
	char path[64];

	(void)data;
	expect(writable >= 0 && ftruncate(writable, PAGE_BYTES) == 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", writable);
	memory = open(path, O_RDONLY | O_CLOEXEC);
	expect(memory >= 0);
	while (bare_receive(channel, &message, &proof)) {
		close(proof);
		bare_send(channel, &message, memory);
	}
	close(memory);
	close(writable);
	return 0;
}

void bare_grant_init(struct bare_grant *grant, int channel, int proof)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM,
	};

	grant->channel = channel;
	grant->proof = proof;
	grant->uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);
	expect(grant->uffd >= 0 && ioctl(grant->uffd, UFFDIO_API, &api) == 0);
}

void *bare_grant(struct bare_grant *grant)
{
	struct bare_message message = { .length = PAGE_BYTES };
	struct uffdio_register reg = {
		.range.len = PAGE_BYTES,
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR,
	};
	void *address;
	int memory;

	bare_send(grant->channel, &message, grant->proof);
	expect(bare_receive(grant->channel, &message, &memory) && memory >= 0);
	address = mmap(NULL, PAGE_BYTES, PROT_READ, MAP_PRIVATE, memory, 0);
	expect(address != MAP_FAILED);
	close(memory);
	reg.range.start = (uintptr_t)address;
	expect(ioctl(grant->uffd, UFFDIO_REGISTER, &reg) == 0);
	return address;
}

void bare_grant_undo(struct bare_grant *grant, void *address)
{
	(void)grant;
	munmap(address, PAGE_BYTES);
}
