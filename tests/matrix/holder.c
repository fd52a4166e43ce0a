/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The holder of a cell's seal: an unprivileged process that keeps to the protocol.
 *
 * Half of a window is looked at before the operation, half is not, and of a window that can be
 * written one page is: so what is compared afterwards comes from memory, from the file, and from
 * the holder. When it is asked for the seal it looks first whether the promise was kept so far.
 *
 * It does an operation on the thread that acquired the seal, while the library's answers recalls.
 */

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/matrix/cell.h"
#include "tests/system/rig.h"

static struct stage *stage;
static struct mapseal_seal *held;
static atomic_bool late, broken;
static int recalled_fd; /* eventfd */
static pthread_mutex_t looking = PTHREAD_MUTEX_INITIALIZER;
static bool ending;

/* ---- looking ----------------------------------------------------------------------------- */

static __thread sigjmp_buf bus_return;

static void on_bus(int signal)
{
	(void)signal;
	siglongjmp(bus_return, 1);
}

/* A page that is not there any more is another content. */
static bool window_same(void)
{
	const volatile char *window = mapseal_address(held);

	if (sigsetjmp(bus_return, 1) != 0)
		return false;
	for (size_t at = stage->start; at < stage->end; at++)
		if ((unsigned char)window[at - stage->start] != stage->expected[at])
			return false;
	return true;
}

static bool blocks_same(void)
{
	uint64_t now[PAGES];

	if (places(mapseal_fd(held), now) < 0)
		return false;
	for (size_t i = stage->start / MATRIX_PAGE; i < stage->end / MATRIX_PAGE; i++)
		if (now[i] != stage->promised[i])
			return false;
	return true;
}

static bool promise_kept(void)
{
	return stage->seal == SEAL_DIRECT ? blocks_same() : window_same();
}

/* ---- what the library tells -------------------------------------------------------------- */

static enum mapseal_verdict on_recall(struct mapseal_recall *recall, void *data)
{
	(void)data;
	recall->whole = true;
	pthread_mutex_lock(&looking);
	if (!ending && !promise_kept())
		atomic_store(&late, true);
	pthread_mutex_unlock(&looking);
	atomic_store(&stage->asked, true);
	eventfd_write(recalled_fd, 1);
	return MAPSEAL_RETURN;
}

static void on_event(struct mapseal *m, const struct mapseal_event *event, void *data)
{
	(void)m, (void)data;
	if (event->type == MAPSEAL_EVENT_BROKEN)
		atomic_store(&broken, true);
}

static int add_promised(const struct mapseal_extent *extent, void *data)
{
	(void)data;
	for (uint64_t at = 0; at < extent->length; at += MATRIX_PAGE)
		stage->promised[(extent->offset + at) / MATRIX_PAGE] = extent->physical + at;
	return 0;
}

struct info {
	bool weak;
	uint32_t seq;
};

static int look_at_info(const struct mapseal_seal_info *info, void *data)
{
	*(struct info *)data = (struct info){ info->weak, info->seq };
	return 0;
}

/* ---- the seal ---------------------------------------------------------------------------- */

static int acquire(struct mapseal *m)
{
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = stage->object,
		.fd = -1,
		.offset = stage->start,
		.length = stage->end - stage->start,
		.mode = stage->seal == SEAL_READ ? MAPSEAL_READ : MAPSEAL_WRITE,
		.kind = stage->seal == SEAL_DIRECT ? MAPSEAL_DIRECT : MAPSEAL_WINDOW,
		.flags = MAPSEAL_WEAK_OK,
		.on_recall = on_recall,
	};
	int r = mapseal_acquire(m, &request, &held);

	if (r < 0) {
		snprintf(stage->words, sizeof(stage->words), "%.30s: %.200s",
			 mapseal_last_error()->code, mapseal_last_error()->text);
		return r;
	}
	stage->guard = mapseal_seal_guard(held);
	return 0;
}

static void use(struct mapseal *m)
{
	volatile unsigned char *window = mapseal_address(held);
	struct info info = { 0 };

	must(mapseal_list_seals(m, mapseal_id(held), look_at_info, &info));
	stage->weak = info.weak;
	must(mapseal_enter(held));
	if (stage->seal != SEAL_READ)
		for (size_t i = 0; i < MATRIX_PAGE; i++)
			window[i] = stage->expected[stage->start + i];
	for (size_t at = 0; at < (stage->end - stage->start) / 2; at += MATRIX_PAGE)
		(void)window[at];
	mapseal_exit(held);
	if (stage->seal == SEAL_DIRECT)
		must(mapseal_extents(m, mapseal_id(held), add_promised, NULL));
}

/* Nothing tells that what is heard of later was heard of, but that it is. */
static void hear_late(void)
{
	struct pollfd pollfd = { .fd = recalled_fd, .events = POLLIN };

	if (stage->operation->flags & UNHEARD && !stage->weak &&
	    stage->guard != MAPSEAL_GUARD_COOPERATIVE)
		poll(&pollfd, 1, LIMIT_MS);
}

/* After the operation. The supervisor's answer comes after all that it had to say before, so a seal
 * that was taken and granted again is known to have another number. What a WRITE window has is
 * written out, so that what a reader then finds is what the operation left of it. */
static void look(struct mapseal *m)
{
	struct mapseal_verified verified = { 0 };
	struct info info = { 0 };
	bool there;

	hear_late();
	there = mapseal_list_seals(m, mapseal_id(held), look_at_info, &info) == 0;
	stage->recalled = atomic_load(&stage->asked);
	stage->late = atomic_load(&late);
	stage->held = there && info.seq == 1 && mapseal_seal_state(held) == MAPSEAL_HELD &&
		      mapseal_enter(held) == 0;
	if (!stage->held)
		return;
	stage->kept = promise_kept();
	mapseal_exit(held);
	if (stage->seal == SEAL_WRITE)
		mapseal_flush(held, stage->start, stage->end - stage->start);
	if (stage->seal == SEAL_DIRECT)
		mapseal_verify(m, mapseal_id(held), NULL, NULL, &verified);
	stage->reported =
		verified.differences > 0 || atomic_load(&broken) || (info.weak && !stage->weak);
}

int holder_main(int channel, void *data)
{
	struct mapseal_options options = {
		.size = sizeof(options),
		.flags = MAPSEAL_THREAD,
		.on_event = on_event,
	};
	struct doing doing;
	struct mapseal *m;
	int r = 0;

	stage = data;
	recalled_fd = eventfd(0, EFD_CLOEXEC);
	expect(recalled_fd >= 0);
	doing = stage_doing(stage);
	signal(SIGBUS, on_bus);
	must(mapseal_connect(&options, &m));
	if (stage->view == HOLDER_BEFORE)
		expect_eq(operation_open(stage->operation, &doing), 0);
	stage->acquired = acquire(m);
	if (stage->acquired == 0)
		use(m);
	cue(channel, "acquired");
	if (stage->acquired == 0) {
		cue_wait(channel, "go");
		if (stage->view == HOLDER_GIVEN)
			doing.fd = mapseal_fd(held);
		else if (stage->view == HOLDER_AFTER)
			r = operation_open(stage->operation, &doing);
		if (is_by_holder(stage->view)) {
			stage->result = r < 0 ? r : stage->operation->fn(&doing);
			cue(channel, "done");
			cue_wait(channel, "look");
		}
		look(m);
		cue(channel, "looked");
		cue_wait(channel, "end");
		pthread_mutex_lock(&looking);
		ending = true;
		pthread_mutex_unlock(&looking);
		mapseal_seal_free(held);
	}
	mapseal_close(m);
	return 0;
}
