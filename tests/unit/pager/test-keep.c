/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A fence that is forced while its bytes are being kept loses none of them. The copying is held up here
 * until the thread that forces has been there: it takes its orders one after another, so the end of a
 * second fence says that it has seen the first order.
 */

#include <fcntl.h>
#include <semaphore.h>
#include <sys/mman.h>
#include <unistd.h>

#include "daemon/pager/quarantine.h"
#include "rig.h"

#define N 8ul

static sem_t kept, go_on;
static int n_calls;

void __real_quarantine(const struct pager *pager, struct view *view, uint64_t first, uint64_t last,
		       struct pager_event *result);
void __wrap_quarantine(const struct pager *pager, struct view *view, uint64_t first, uint64_t last,
		       struct pager_event *result);

void __wrap_quarantine(const struct pager *pager, struct view *view, uint64_t first, uint64_t last,
		       struct pager_event *result)
{
	bool held = n_calls++ == 0;

	__real_quarantine(pager, view, first, last, result);
	if (!held)
		return;
	sem_post(&kept);
	sem_wait(&go_on);
}

static uint64_t fence(struct rig *rig, const struct window_of *window)
{
	struct pager_job job = {
		.type = PAGER_FENCE,
		.window = window->id,
		.start = window->start,
		.end = window->end,
		.how = PAGER_HOW_REVOKE,
		.fd = -1,
	};

	return rig_submit(rig, &job);
}

int main(void)
{
	struct window_of window, other;
	struct pager_event event;
	uint64_t object, first, second;
	unsigned char byte;
	char path[32];
	struct rig rig;
	int fd;

	check_is(sem_init(&kept, 0, 0), 0);
	check_is(sem_init(&go_on, 0, 0), 0);
	rig_start(&rig, &RIG_CONFIG);
	fd = rig_file((N + 1) * PAGE);
	/* every write to it fails */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	object = rig_object(&rig, open(path, O_RDONLY | O_CLOEXEC), (N + 1) * PAGE, true);
	window = rig_window(&rig, object, 0, N * PAGE, RIG_WRITE);
	other = rig_window(&rig, object, N * PAGE, (N + 1) * PAGE, RIG_WRITE);
	for (unsigned long page = 0; page < N; page++)
		window.at[page * PAGE] = (unsigned char)(page + 1);

	first = fence(&rig, &window);
	sem_wait(&kept);
	second = fence(&rig, &other);
	pager_force(rig.pager, first);
	pager_force(rig.pager, second);
	check_is(rig_wait(&rig, second).error, 0);
	sem_post(&go_on);
	event = rig_wait(&rig, first);
	check_is(event.error, 0);
	check_is(event.fence, PAGER_FENCE_FENCED);
	check_is(event.quarantined, N * PAGE);
	check(event.quarantine_fd >= 0);
	for (unsigned long page = 0; page < N; page++) {
		check_is(pread(event.quarantine_fd, &byte, 1, (off_t)(page * PAGE)), 1);
		check_is(byte, page + 1);
	}
	close(event.quarantine_fd);
	close(fd);
	rig_close(&rig, &window);
	rig_close(&rig, &other);
	rig_stop(&rig);
	return 0;
}
