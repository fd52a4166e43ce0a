/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A fault brings in more than its page: read in order, a window takes a small part of the faults that it has
 * pages, and read at random still fewer than pages; every byte is right.
 */

#include "tests/system/rig.h"

enum { PAGES = 1024, SIZE = PAGES * 4096 };

static struct mapseal_status status_of(struct mapseal *m)
{
	struct mapseal_status status;

	must(mapseal_get_status(m, &status));
	return status;
}

static int reader(int channel, void *data)
{
	struct mapseal *m = client(0);
	struct mapseal_seal *seal = hold(m, "file", 0, 0, MAPSEAL_READ, 0);
	const unsigned char *bytes = mapseal_address(seal);
	struct mapseal_status before = status_of(m), after;

	(void)channel, (void)data;
	expect(rig_same(bytes, 0, SIZE, 1));
	after = status_of(m);
	printf("in order: %llu faults for %llu pages\n",
	       (unsigned long long)(after.faults - before.faults),
	       (unsigned long long)(after.pages_filled - before.pages_filled));
	expect_eq(after.pages_filled - before.pages_filled, PAGES);
	expect(after.faults > before.faults && after.faults - before.faults <= PAGES / 16);
	mapseal_seal_free(seal);

	seal = hold(m, "file", 0, 0, MAPSEAL_READ, 0);
	bytes = mapseal_address(seal);
	before = status_of(m);
	for (unsigned int i = 0; i < PAGES; i++) {
		uint64_t at = (i * 389 % PAGES) * 4096ull + 17;

		expect_eq(bytes[at], rig_byte(1, at));
	}
	after = status_of(m);
	printf("scattered: %llu faults\n", (unsigned long long)(after.faults - before.faults));
	expect(after.faults - before.faults <= PAGES / 2);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	return actor_alone(SIZE, reader);
}
