/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * MAP names an address that is not a mapping of the granted memory: it is refused, nothing of the
 * client's is registered, and the right address is accepted afterwards.
 */

#include <string.h>
#include <sys/mman.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 8 * 4096 };

static int mapper(int channel, void *data)
{
	struct proto_message map = { .type = PROTO_MAP };
	struct proto_granted granted;
	char *anonymous, *wrong;
	struct raw raw;
	int memory;

	(void)channel, (void)data;
	raw_hold(&raw, "file", SIZE, PROTO_MODE_WRITE);
	granted = raw.answer.granted;
	memory = raw.fds[0];

	map.map.seal = granted.seal;
	map.map.length = SIZE;
	map.map.address = 0;
	raw_refused(&raw, &map, -1, BAD_ADDRESS);
	map.map.address = 0x7000000000000000;
	raw_refused(&raw, &map, -1, BAD_ADDRESS);
	map.map.address = UINT64_MAX - 4095;
	raw_refused(&raw, &map, -1, BAD_ADDRESS);

	anonymous = mmap(NULL, SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	map.map.address = (uintptr_t)anonymous;
	raw_refused(&raw, &map, -1, BAD_ADDRESS);
	map.map.address = (uintptr_t)anonymous + 1;
	raw_refused(&raw, &map, -1, BAD_ADDRESS);

	/* the memory, but from another offset */
	wrong = mmap(NULL, SIZE - 4096, PROT_NONE, MAP_SHARED, memory, 4096);
	map.map.address = (uintptr_t)wrong;
	raw_refused(&raw, &map, -1, BAD_ADDRESS);
	/* the memory, but less of it */
	wrong = mmap(NULL, SIZE, PROT_NONE, MAP_SHARED, memory, 0);
	munmap(wrong + 4096, 4096);
	map.map.address = (uintptr_t)wrong;
	raw_refused(&raw, &map, -1, BAD_ADDRESS);
	/* the memory, but longer than granted */
	wrong = mmap(NULL, 2 * SIZE, PROT_NONE, MAP_SHARED, memory, 0);
	map.map.address = (uintptr_t)wrong;
	map.map.length = 2 * SIZE;
	raw_refused(&raw, &map, -1, BAD_RANGE);
	/* somebody else's seal */
	map.map.seal = granted.seal + 1000;
	map.map.length = SIZE;
	raw_refused(&raw, &map, -1, BAD_SEAL);

	/* what was refused is not served: an ordinary mapping still reads as zeros */
	expect(mprotect(anonymous, SIZE, PROT_READ) == 0);
	expect_eq(anonymous[0], 0);

	raw.answer.granted = granted;
	raw.fds[0] = memory;
	expect(rig_same(raw_map(&raw), 0, SIZE, 1));
	return 0;
}

int main(void)
{
	return actor_alone(SIZE, mapper);
}
