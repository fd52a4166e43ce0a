/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Dropping clean pages: they come back as they were; written and populated ones are not dropped;
 * anonymous objects work like files. */

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "rig.h"

#define N 64ul

static uint64_t resident(const struct window_of *window)
{
	struct stat st;

	check_is(fstat(window->memory, &st), 0);
	return (uint64_t)st.st_blocks * 512 / PAGE;
}

static void check_resident(const struct window_of *window, uint64_t pages)
{
	if (!rig_large_pages())
		check_is(resident(window), pages);
}

int main(void)
{
	struct window_of reader, writer, other;
	struct pager_event event;
	uint64_t object, memory;
	struct rig rig;

	rig_start(&rig, &RIG_CONFIG);
	object = rig_object(&rig, rig_file(N * PAGE), N * PAGE, true);
	memory = ++rig.next_id;
	event = rig_do(&rig, (struct pager_job){
				     .type = PAGER_OBJECT_OPEN,
				     .object = memory,
				     .fd = -1,
				     .end = N * PAGE,
				     .writable = true,
				     .anonymous = true,
			     });
	check_is(event.error, 0);
	reader = rig_window(&rig, object, 0, N * PAGE, 0);
	writer = rig_window(&rig, memory, 0, N * PAGE, RIG_WRITE);
	for (unsigned long page = 0; page < N; page++) {
		check_is(reader.at[page * PAGE], rig_byte(page * PAGE));
		check_is(writer.at[page * PAGE], 0);
	}
	event = rig_do(&rig, (struct pager_job){
				     .type = PAGER_POPULATE,
				     .window = reader.id,
				     .start = 10 * PAGE,
				     .end = 20 * PAGE,
			     });
	check_is(event.error, 0);
	writer.at[30 * PAGE] = 3;
	writer.at[31 * PAGE] = 4;
	event = rig_do(&rig, (struct pager_job){ .type = PAGER_DROP_CLEAN, .value = 8 * PAGE });
	check_is(event.value, 8 * PAGE);
	check_resident(&reader, N - 8);
	check_resident(&writer, N);
	event = rig_do(&rig, (struct pager_job){ .type = PAGER_DROP_CLEAN, .value = 1 << 30 });
	check_resident(&reader, 10);
	check_resident(&writer, 2);
	check_is(event.value, (N - 8 - 10 + N - 2) * PAGE);
	for (unsigned long page = 0; page < N; page++) {
		check_is(reader.at[page * PAGE], rig_byte(page * PAGE));
		check_is(writer.at[page * PAGE], page == 30 ? 3 : page == 31 ? 4 : 0);
	}
	check_is(rig_commit(&rig, &writer).error, 0);
	other = rig_window(&rig, memory, 30 * PAGE, 32 * PAGE, 0);
	check_is(other.at[0], 3);
	check_is(other.at[PAGE], 4);
	rig_close(&rig, &other);
	rig_close(&rig, &writer);
	rig_close(&rig, &reader);
	rig_stop(&rig);
	return 0;
}
