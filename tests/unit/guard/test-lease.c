/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Where fanotify does not hold: a lease, which hears of whoever opens or truncates by name, holds
 * both as a whole, can deny neither, and says nothing from when it was given up until it could be
 * taken again.
 */

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>

#include "tests/unit/guard/rig.h"

#define SIZE (64 * PAGE)

static int64_t reads(const struct doing *doing)
{
	int fd = open(doing->path, O_RDONLY | O_CLOEXEC);
	char c = 0;

	if (fd < 0 || pread(fd, &c, 1, 0) != 1)
		return -errno;
	say(doing);
	wait_for_go(doing);
	return c;
}

static int64_t writes(const struct doing *doing)
{
	int fd = open(doing->path, O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	say(doing);
	wait_for_go(doing);
	return pwrite(fd, "b", 1, 0);
}

static int64_t truncates(const struct doing *doing)
{
	return truncate(doing->path, SIZE / 2) < 0 ? -errno : 0;
}

static int64_t does_not_wait(const struct doing *doing)
{
	return open(doing->path, O_WRONLY | O_NONBLOCK | O_CLOEXEC) < 0 ? -errno : 0;
}

static bool weak(struct rig *rig)
{
	struct guard_state state;

	check(guard_state(rig->guard, rig->object, &state));
	return state.weak;
}

static struct guard_event asked(struct rig *rig, enum core_want want)
{
	struct guard_event event = rig_event(rig, GUARD_EVENT_HELD);

	check_is(event.want, want);
	check_is(event.start, 0);
	check_is(event.end, CORE_INFINITY);
	check_is(event.tid, 0);
	check_is(event.pid, 0);
	return event;
}

static void finish(struct stranger *stranger, int64_t result)
{
	rig_heard(stranger);
	rig_go(stranger);
	check_is(stranger_end(stranger), result);
}

/* Ends with the lease taken again. */
static void settled(struct rig *rig)
{
	guard_seal_remove(rig->guard, rig_window(rig, 0, SIZE));
}

/* ... against readers, too. */
static void left_by_all(struct rig *rig)
{
	struct guard_seal seal = {
		.id = ++rig->next_seal,
		.object = rig->object,
		.end = SIZE,
		.kind = CORE_WINDOW,
		.mode = CORE_WRITE,
	};

	if (guard_seal_add(rig->guard, &seal) == GUARD_TAINTED)
		check_is(rig_event(rig, GUARD_EVENT_SETTLED).seal, seal.id);
	guard_seal_remove(rig->guard, seal.id);
}

static void writers(struct rig *rig)
{
	struct stranger stranger;
	struct guard_event event;

	rig_seal(rig, 0, SIZE, CORE_READ, CORE_WINDOW, 0);
	check(!weak(rig));
	stranger = rig_stranger(rig, writes, 0, 0);
	event = asked(rig, CORE_WANT_LAYOUT);
	check(!stranger_ended(&stranger));
	guard_seal_remove(rig->guard, rig->next_seal);
	guard_answer(rig->guard, event.ticket, GUARD_ALLOW);
	check(weak(rig));
	rig_heard(&stranger);
	/* it has the file open, and will write */
	rig_seal(rig, 0, SIZE, CORE_READ, CORE_WINDOW, GUARD_TAINTED);
	check(rig_quiet(rig));
	rig_go(&stranger);
	check_is(stranger_end(&stranger), 1);
	check_is(rig_event(rig, GUARD_EVENT_SETTLED).seal, rig->next_seal);
	check(!weak(rig));
	/* the lease that was taken again works as the first */
	stranger = rig_stranger(rig, truncates, 0, 0);
	event = asked(rig, CORE_WANT_LAYOUT);
	check(!stranger_ended(&stranger));
	guard_seal_remove(rig->guard, rig->next_seal);
	/* there is no other answer than this one */
	guard_answer(rig->guard, event.ticket, GUARD_DENY_TXTBSY);
	check_is(stranger_end(&stranger), 0);
	settled(rig);
	check_is(lseek(rig->fd, 0, SEEK_END), SIZE / 2);
	check(ftruncate(rig->fd, SIZE) == 0);
}

static void nobody_waits(struct rig *rig)
{
	uint64_t seal = rig_window(rig, 0, SIZE);
	struct stranger stranger = rig_stranger(rig, does_not_wait, 0, 0);

	check_is(stranger_end(&stranger), -EWOULDBLOCK);
	guard_answer(rig->guard, asked(rig, CORE_WANT_LAYOUT).ticket, GUARD_ALLOW);
	guard_seal_remove(rig->guard, seal);
	settled(rig);
}

/* A description that can write has a lease against all or none. */
static void readers(struct rig *rig)
{
	uint64_t seal = rig_window(rig, 0, SIZE);
	struct stranger stranger = rig_stranger(rig, reads, 0, 0);

	rig_heard(&stranger);
	check(rig_quiet(rig) && weak(rig));
	rig_go(&stranger);
	check_is(stranger_end(&stranger), 'b');
	guard_seal_remove(rig->guard, seal);
	settled(rig);
	check(!weak(rig));
	/* what is being written is recalled for a reader, who may map it */
	seal = rig_seal(rig, 0, SIZE, CORE_WRITE, CORE_WINDOW, 0);
	stranger = rig_stranger(rig, reads, 0, 0);
	guard_answer(rig->guard, asked(rig, CORE_WANT_FOREIGN_MAP).ticket, GUARD_ALLOW);
	finish(&stranger, 'b');
	guard_seal_remove(rig->guard, seal);
	settled(rig);
}

/* One that can only read goes on hearing of writers. */
static void readers_of_a_reader(struct rig *rig)
{
	struct stranger reader, writer;
	struct guard_event event;
	int writable = rig->fd;
	uint64_t seal;

	guard_disarm(rig->guard, rig->object);
	rig->fd = open(rig->path, O_RDONLY | O_CLOEXEC);
	close(writable);
	rig_arm(rig, GUARD_OPENS_HOLD, GUARD_LEASE);
	seal = rig_seal(rig, 0, SIZE, CORE_READ, CORE_WINDOW, 0);
	reader = rig_stranger(rig, reads, 0, 0);
	rig_heard(&reader);
	check(!weak(rig));
	guard_seal_remove(rig->guard, rig_seal(rig, 0, SIZE, CORE_READ, CORE_WINDOW, 0));
	guard_seal_remove(rig->guard,
			  rig_seal(rig, 0, SIZE, CORE_WRITE, CORE_WINDOW, GUARD_TAINTED));
	writer = rig_stranger(rig, writes, 0, 0);
	event = asked(rig, CORE_WANT_LAYOUT);
	check(!stranger_ended(&writer));
	guard_seal_remove(rig->guard, seal);
	guard_answer(rig->guard, event.ticket, GUARD_ALLOW);
	finish(&writer, 1);
	/* though the reader is still there */
	settled(rig);
	rig_go(&reader);
	check_is(stranger_end(&reader), 'b');
}

struct other {
	int group, looked;
};

/* Another program that wants to see who opens files, and to look at these. */
static void *look(void *data)
{
	const struct other *other = data;
	struct fanotify_event_metadata event;
	struct fanotify_response response = { .response = FAN_ALLOW };
	const uint64_t one = 1;

	check(read(other->group, &event, sizeof(event)) == sizeof(event));
	check(write(other->looked, &one, sizeof(one)) == sizeof(one));
	response.fd = event.fd;
	check(write(other->group, &response, sizeof(response)) == sizeof(response));
	close(event.fd);
	return NULL;
}

/* A reader's break while a writer is on its way in, and has not broken the lease yet: here the
 * reader is somebody who holds that writer's open. It can't be let in alone. */
static void a_reader_before_a_writer(struct rig *rig)
{
	struct other other = {
		.group = fanotify_init(FAN_CLASS_CONTENT | FAN_CLOEXEC, O_RDONLY | O_CLOEXEC),
		.looked = eventfd(0, EFD_CLOEXEC),
	};
	struct pollfd fds[2] = {
		{ .fd = guard_get_fd(rig->guard), .events = POLLIN },
		{ .fd = other.looked, .events = POLLIN },
	};
	struct stranger writer;
	pthread_t looks;
	uint64_t seal;

	left_by_all(rig);
	seal = rig_seal(rig, 0, SIZE, CORE_READ, CORE_WINDOW, 0);
	check(other.group >= 0);
	check(fanotify_mark(other.group, FAN_MARK_ADD, FAN_OPEN_PERM, AT_FDCWD, rig->path) == 0);
	check_is(pthread_create(&looks, NULL, look, &other), 0);
	writer = rig_stranger(rig, writes, 0, 0);
	check(poll(fds, 2, -1) == 1 && fds[0].revents);
	guard_seal_remove(rig->guard, seal);
	guard_answer(rig->guard, asked(rig, CORE_WANT_LAYOUT).ticket, GUARD_ALLOW);
	check_is(pthread_join(looks, NULL), 0);
	close(other.group);
	close(other.looked);
	finish(&writer, 1);
	settled(rig);
}

static void outsiders(struct rig *rig)
{
	struct stranger stranger;
	struct guard_event event;

	guard_disarm(rig->guard, rig->object);
	stranger = rig_stranger(rig, writes, 0, 0);
	rig_heard(&stranger);
	rig_arm(rig, GUARD_OPENS_HOLD, GUARD_LEASE);
	check(weak(rig));
	rig_seal(rig, 0, SIZE, CORE_READ, CORE_WINDOW, GUARD_TAINTED);
	guard_outsiders(rig->guard, rig->object);
	event = rig_event(rig, GUARD_EVENT_OUTSIDERS);
	check_is(event.n_pids, 1);
	check_is(event.pids[0], stranger.pid);
	rig_go(&stranger);
	check_is(stranger_end(&stranger), 1);
	check_is(rig_event(rig, GUARD_EVENT_SETTLED).seal, rig->next_seal);
	guard_seal_remove(rig->guard, rig->next_seal);
}

static void test(struct rig *rig)
{
	check(guard_limit_ms(rig->guard, GUARD_LEASE) < 45000);
	check_is(guard_limit_ms(rig->guard, GUARD_FANOTIFY), 0);
	rig_arm(rig, GUARD_OPENS_HOLD, GUARD_LEASE);
	writers(rig);
	nobody_waits(rig);
	readers(rig);
	outsiders(rig);
	readers_of_a_reader(rig);
	a_reader_before_a_writer(rig);
}

int main(void)
{
	static const char *const all[] = { "tmpfs", "ext4", "xfs", "btrfs" };

	rig_run(all, 4, GUARD_LEASE, SIZE, test);
	return 0;
}
