/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calls of the 32-bit table, made by a 64-bit program: their numbers mean something else in ours,
 * so they are taken for the worst. */

#include <sys/mman.h>

#include "tests/unit/guard/rig.h"

#define SIZE (64 * PAGE)

#ifdef __x86_64__

static int64_t call(long number, long a, long b, long c)
{
	int r;

	__asm__ volatile("int $0x80"
			 : "=a"(r)
			 : "a"(number), "b"(a), "c"(b), "d"(c)
			 : "memory", "r8", "r9", "r10", "r11");
	return r;
}

/* Memory that has a 32-bit address. */
static char *low(const char *text)
{
	char *at = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT,
			-1, 0);

	if (at == MAP_FAILED)
		_exit(1);
	return strcpy(at, text);
}

static int64_t opens(const struct doing *doing)
{
	return call(5, (long)low(doing->path), O_WRONLY, 0) < 0 ? -1 : 0;
}

static int64_t writes(const struct doing *doing)
{
	int fd = open(doing->path, O_WRONLY | O_CLOEXEC);

	say(doing);
	wait_for_go(doing);
	return call(4, fd, (long)low("b"), 1);
}

static int64_t truncates(const struct doing *doing)
{
	say(doing);
	wait_for_go(doing);
	return call(92, (long)low(doing->path), PAGE, 0);
}

static void held(struct rig *rig, deed_fn deed, bool waits, uint64_t start, int64_t result)
{
	struct stranger stranger;
	struct guard_event event;

	rig_window(rig, 0, SIZE);
	stranger = rig_stranger(rig, deed, 0, 0);
	if (waits) {
		rig_heard(&stranger);
		rig_go(&stranger);
	}
	event = rig_event(rig, GUARD_EVENT_HELD);
	check_is(event.want, CORE_WANT_LAYOUT);
	check_is(event.start, start);
	check_is(event.end, CORE_INFINITY);
	guard_seal_remove(rig->guard, rig->next_seal);
	guard_answer(rig->guard, event.ticket, GUARD_ALLOW);
	check_is(stranger_end(&stranger), result);
	guard_seal_remove(rig->guard, rig_window(rig, 0, SIZE));
}

static void test(struct rig *rig)
{
	rig_arm(rig, GUARD_OPENS_WATCH, GUARD_FANOTIFY);
	held(rig, writes, true, 0, 1);
	rig_arm(rig, GUARD_OPENS_HOLD, GUARD_FANOTIFY);
	held(rig, opens, false, 0, 0);
	/* nobody can write: only a truncation by name is left, whose place is known */
	held(rig, truncates, true, PAGE, 0);
}

static int64_t getpid_32(void)
{
	return call(20, 0, 0, 0);
}

#endif

int main(void)
{
#ifdef __x86_64__
	if (getpid_32() != getpid())
		rig_skip("this kernel has no 32-bit calls");
	rig_run(rig_disks, 3, GUARD_FANOTIFY, SIZE, test);
	return 0;
#else
	rig_skip("32-bit calls of x86");
#endif
}
