/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Many unprivileged processes at random: acquire, look, write, commit, return parts, break, hold, announce
 * reads, crash, and leave with everything open; as many steps as the dice of one seed say ($STRESS_SEED,
 * which is printed). Every page is a counter, repeated over all of it, that who writes it adds one to. So a
 * page shows at any time whether it was torn or somebody saw it while it changed, and at the end whether one
 * addition was lost or came twice. The supervisor is then as it was before: no seal, no session,
 * no descriptor more.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/descriptors.h"
#include "tests/simulation/rng.h"
#include "tests/system/rig.h"

enum {
	PAGES = 64, /* as many as a mask has bits */
	PAGE = 4096,
	WORDS = PAGE / 8,
	AT_ONCE = 6,
	LIVES = 24,
	STEPS = 60,
	HELD = 5,
};

struct held {
	struct mapseal_seal *seal;
	enum mapseal_mode mode;
	unsigned int first;
	_Atomic uint64_t mask; /* pages that are still ours: the handler takes some away */
};

/* What the processes of the test share besides the file. */
struct tally {
	_Atomic uint64_t added[PAGES];
	_Atomic uint64_t acquired, denied, recalled, parts, breaks, holds, reads, crashes;
};

static struct tally *tally;
static int file_fd;
static struct rng rng;
static struct mapseal *m;
static struct held held[HELD];

static unsigned int below(unsigned int n)
{
	return (unsigned int)rng_below(&rng, n);
}

static uint64_t mask_of(unsigned int first, unsigned int n)
{
	return (n == 64 ? UINT64_MAX : ((uint64_t)1 << n) - 1) << first;
}

/* A piece of one to eight pages. */
static void piece(unsigned int *first, unsigned int *n)
{
	*n = 1 + below(8);
	*first = below(PAGES - *n + 1);
}

/* Success, or one of those failures that others may be the reason of. */
static bool done(int r, int line)
{
	if (r == 0)
		return true;
	if (r == -EAGAIN || r == -EBUSY || r == -EDEADLK || r == -ETIMEDOUT || r == -ESTALE) {
		atomic_fetch_add(&tally->denied, 1);
		return false;
	}
	expect_failed(__FILE__, line, "%d: %s %s", r, mapseal_last_error()->code,
		      mapseal_last_error()->text);
}

/* ---- pages ------------------------------------------------------------------------------- */

/* The counter of a page, which is all over it. */
static uint64_t counter(const volatile uint64_t *page)
{
	uint64_t value = page[0];

	for (unsigned int i = 1; i < WORDS; i++)
		if (page[i] != value)
			expect_failed(__FILE__, __LINE__, "word %u is %llx, the first one is %llx", i,
				      (unsigned long long)page[i], (unsigned long long)value);
	return value;
}

static void add(volatile uint64_t *page, unsigned int n)
{
	uint64_t value = counter(page) + 1;

	for (unsigned int i = 0; i < WORDS; i++)
		page[i] = value;
	atomic_fetch_add(&tally->added[n], 1);
}

static void use(struct held *h)
{
	uint64_t mask;

	if (mapseal_enter(h->seal) < 0)
		return;
	mask = atomic_load(&h->mask);
	for (unsigned int n = 0; n < PAGES; n++) {
		volatile uint64_t *page;
		uint64_t before;

		if (!(mask >> n & 1) || below(3) == 0)
			continue;
		page = (void *)((char *)mapseal_address(h->seal) + (n - h->first) * PAGE);
		before = counter(page);
		if (h->mode == MAPSEAL_WRITE)
			add(page, n);
		else
			expect_eq(counter(page), before);
	}
	mapseal_exit(h->seal);
}

/* ---- what a process may do --------------------------------------------------------------- */

/* No thread is inside, and none gets in until this part is gone. */
static enum mapseal_verdict give_back(struct mapseal_recall *recall, void *data)
{
	struct held *h = data;

	atomic_fetch_add(&tally->recalled, 1);
	atomic_fetch_and(&h->mask, ~mask_of((unsigned int)(recall->offset / PAGE),
					    (unsigned int)(recall->length / PAGE)));
	return MAPSEAL_RETURN;
}

static void let_go(struct held *h)
{
	h->seal = mapseal_seal_free(h->seal);
}

static void acquire(struct held *h)
{
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = "file",
		.fd = -1,
		.mode = below(2) ? MAPSEAL_WRITE : MAPSEAL_READ,
		.flags = below(2) ? MAPSEAL_NO_WAIT : 0,
		.on_recall = give_back,
		.data = h,
	};
	unsigned int n;

	piece(&h->first, &n);
	atomic_store(&h->mask, mask_of(h->first, n));
	h->mode = request.mode;
	request.offset = h->first * PAGE;
	request.length = n * PAGE;
	if (done(mapseal_acquire(m, &request, &h->seal), __LINE__))
		atomic_fetch_add(&tally->acquired, 1);
	else
		h->seal = NULL;
}

static void give_part(struct held *h)
{
	unsigned int n = (unsigned int)(mapseal_length(h->seal) / PAGE);
	unsigned int from = below(n), count = 1 + below(n - from);

	/* ours to know, like the handler's: we touch none of it from here on */
	atomic_fetch_and(&h->mask, ~mask_of(h->first + from, count));
	if (done(mapseal_return(h->seal, (h->first + from) * PAGE, count * PAGE, 0), __LINE__))
		atomic_fetch_add(&tally->parts, 1);
}

static void announce_or_break(bool hold, enum mapseal_want want)
{
	struct mapseal_break_request request = {
		.size = sizeof(request),
		.object = "file",
		.fd = -1,
		.want = want,
		.flags = hold ? MAPSEAL_BREAK_HOLD : 0,
	};
	struct mapseal_break *brk = NULL;
	uint64_t page[WORDS];
	unsigned int first, n;

	piece(&first, &n);
	request.offset = first * PAGE;
	request.length = n * PAGE;
	if (!done(mapseal_break_begin(m, &request, &brk), __LINE__)) {
		mapseal_break_end(brk);
		return;
	}
	atomic_fetch_add(hold ? &tally->holds
			      : want == MAPSEAL_WANT_READ ? &tally->reads : &tally->breaks, 1);
	for (unsigned int i = first; hold && i < first + n; i++) {
		expect_eq(pread(file_fd, page, PAGE, i * PAGE), PAGE);
		add(page, i);
		expect_eq(pwrite(file_fd, page, PAGE, i * PAGE), PAGE);
	}
	must(mapseal_break_end(brk));
}

static void with_seal(struct held *h)
{
	uint64_t offset = mapseal_offset(h->seal), length = mapseal_length(h->seal);

	switch (below(10)) {
	case 0:
		let_go(h);
		break;
	case 1:
		give_part(h);
		break;
	case 2:
		if (h->mode == MAPSEAL_WRITE)
			done(mapseal_commit(h->seal, offset, length), __LINE__);
		break;
	case 3:
		if (h->mode == MAPSEAL_WRITE)
			done(mapseal_flush(h->seal, offset, length), __LINE__);
		break;
	case 4:
		if (mapseal_enter(h->seal) == 0) {
			done(mapseal_populate(h->seal, offset, length, h->mode), __LINE__);
			mapseal_exit(h->seal);
		}
		break;
	default:
		use(h);
	}
}

static void step(void)
{
	struct held *h = &held[below(HELD)];

	switch (below(20)) {
	case 0:
		announce_or_break(false, MAPSEAL_WANT_LAYOUT);
		break;
	case 1:
	case 2:
		announce_or_break(true, MAPSEAL_WANT_WRITE);
		break;
	case 3:
		announce_or_break(false, MAPSEAL_WANT_READ);
		break;
	default:
		if (h->seal)
			with_seal(h);
		else
			acquire(h);
	}
}

static int life(int channel, void *data)
{
	unsigned int steps;

	(void)channel;
	rng.state = *(uint64_t *)data;
	m = client(MAPSEAL_THREAD);
	steps = STEPS / 2 + below(STEPS);
	for (unsigned int i = 0; i < steps; i++)
		step();
	switch (below(3)) {
	case 0:
		for (unsigned int i = 0; i < HELD; i++)
			let_go(&held[i]);
		mapseal_close(m);
		return 0;
	case 1:
		return 0;
	default:
		atomic_fetch_add(&tally->crashes, 1);
		raise(SIGKILL);
		return 1;
	}
}

/* ---- the test ---------------------------------------------------------------------------- */

static void run(const struct rig *rig, uint64_t seed)
{
	unsigned int started = 0, running = 0;
	int status;
	pid_t pid;

	while (started < LIVES || running > 0) {
		if (started < LIVES && running < AT_ONCE) {
			uint64_t own = seed + 1000003 * started++;

			close(actor_start(life, &own).channel);
			running++;
			continue;
		}
		pid = waitpid(-1, &status, 0);
		if (pid == rig->supervisor)
			expect_failed(__FILE__, __LINE__, "the supervisor ended: status %#x", (unsigned int)status);
		if (!(WIFEXITED(status) && WEXITSTATUS(status) == 0) &&
		    !(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL))
			expect_failed(__FILE__, __LINE__, "process %d ended with status %#x", (int)pid, (unsigned int)status);
		running--;
	}
}

/* The supervisor hears of the last ends in its own time, and closes what was passed on other threads. */
static void await_rest(const struct rig *rig, struct mapseal *watcher, size_t before)
{
	struct mapseal_status status;

	do {
		must(mapseal_get_status(watcher, &status));
		sched_yield();
	} while (status.seals > 0 || status.sessions > 1 || status.breaks > 0 || status.objects > 0);
	expect_eq(status.window_bytes, 0);
	expect_eq(status.revocations, 0);
	expect_eq(status.quarantined, 0);
	while (count_descriptors(rig->supervisor, false) != before)
		sched_yield();
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_path(rig, "file"), *given = getenv("STRESS_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : 20170, page[WORDS];
	struct mapseal *watcher;
	size_t before;

	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	file_fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	expect(tally != MAP_FAILED && file_fd >= 0 && ftruncate(file_fd, PAGES * PAGE) == 0);
	printf("STRESS_SEED=%llu\n", (unsigned long long)seed);
	rig_start_file(rig, path, "deadline-ms = 60000\nhard-ms = 120000\nfence-ms = 60000\n");
	watcher = client(0);
	before = count_descriptors(rig->supervisor, false);
	run(rig, seed);
	await_rest(rig, watcher, before);
	for (unsigned int n = 0; n < PAGES; n++) {
		expect_eq(pread(file_fd, page, PAGE, n * PAGE), PAGE);
		if (counter(page) != atomic_load(&tally->added[n]))
			expect_failed(__FILE__, __LINE__, "page %u was added to %llu times, and is %llu", n,
				      (unsigned long long)tally->added[n], (unsigned long long)page[0]);
	}
	printf("%llu seals, %llu refused, %llu recalled, %llu parts returned, %llu breaks, %llu holds, "
	       "%llu reads announced, %llu crashes\n",
	       (unsigned long long)tally->acquired, (unsigned long long)tally->denied,
	       (unsigned long long)tally->recalled, (unsigned long long)tally->parts,
	       (unsigned long long)tally->breaks, (unsigned long long)tally->holds,
	       (unsigned long long)tally->reads, (unsigned long long)tally->crashes);
	expect(tally->acquired > 100 && tally->recalled > 50 && tally->parts > 0);
	expect(tally->breaks > 0 && tally->holds > 0 && tally->reads > 0 && tally->crashes > 0);
	mapseal_close(watcher);
	close(file_fd);
	rig_free(rig);
	return 0;
}
