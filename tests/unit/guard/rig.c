/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tests/unit/guard/rig.h"

#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "util/cleanup.h"

const char *const rig_disks[3] = { "ext4", "xfs", "btrfs" };
void *rig_shared;

static int nursery = -1;

void rig_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: not so: %s (%s)\n", file, line, what, strerror(errno));
	exit(1);
}

void rig_equal(const char *file, int line, const char *what, long long a, long long b)
{
	if (a == b)
		return;
	fprintf(stderr, "%s:%d: %s is %lld, not %lld\n", file, line, what, a, b);
	exit(1);
}

void rig_skip(const char *why)
{
	printf("skipped: %s\n", why);
	exit(77);
}

/* ---- strangers --------------------------------------------------------------------------- */

struct order {
	deed_fn deed;
	uid_t uid;
	struct doing doing;
};

static void be_stranger(struct order *order, int socket)
{
	int64_t result;

	close(nursery);
	if (setgid(STRANGER) < 0 || setuid(order->uid) < 0)
		_exit(1);
	order->doing.socket = socket;
	result = order->deed(&order->doing);
	if (send(socket, &result, sizeof(result), MSG_NOSIGNAL) < 0)
		_exit(1);
	_exit(0);
}

/* Forks a stranger for each order, and answers with its pid and its socket. */
static void run_nursery(void)
{
	struct order order;

	while (recv(nursery, &order, sizeof(order), 0) == sizeof(order)) {
		char control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
		struct iovec iov;
		struct msghdr message = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		struct cmsghdr *c = CMSG_FIRSTHDR(&message);
		int ends[2], fds[2];
		pid_t pid;

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
			_exit(1);
		pid = fork();
		if (pid == 0) {
			close(ends[0]);
			be_stranger(&order, ends[1]);
		}
		iov = (struct iovec){ &pid, sizeof(pid) };
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(2 * sizeof(int));
		fds[0] = ends[0];
		fds[1] = (int)syscall(SYS_pidfd_open, pid, 0);
		memcpy(CMSG_DATA(c), fds, sizeof(fds));
		if (fds[1] < 0 || sendmsg(nursery, &message, 0) < 0)
			_exit(1);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
		close(fds[1]);
		close(ends[0]);
		close(ends[1]);
	}
	_exit(0);
}

static void make_nursery(void)
{
	int ends[2];

	rig_shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	check(rig_shared != MAP_FAILED);
	check(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
	if (fork() == 0) {
		close(ends[0]);
		nursery = ends[1];
		run_nursery();
	}
	close(ends[1]);
	nursery = ends[0];
}

struct stranger rig_stranger(struct rig *rig, deed_fn deed, uint64_t a, uint64_t b)
{
	char control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct order order = {
		.deed = deed,
		.uid = rig->uid ? rig->uid : STRANGER,
		.doing = { .a = a, .b = b, .shared = rig_shared },
	};
	struct stranger stranger;
	int fds[2];
	struct iovec iov = { &stranger.pid, sizeof(stranger.pid) };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};

	snprintf(order.doing.path, sizeof(order.doing.path), "%s", rig->path);
	check(send(nursery, &order, sizeof(order), 0) == sizeof(order));
	check(recvmsg(nursery, &message, MSG_CMSG_CLOEXEC) == sizeof(stranger.pid));
	check(CMSG_FIRSTHDR(&message) && stranger.pid > 0);
	memcpy(fds, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fds));
	stranger.socket = fds[0];
	stranger.pidfd = fds[1];
	return stranger;
}

static void wait_for_end(struct stranger *stranger)
{
	struct pollfd pollfd = { .fd = stranger->pidfd, .events = POLLIN };

	check(poll(&pollfd, 1, -1) == 1);
	close(stranger->pidfd);
	close(stranger->socket);
}

int64_t stranger_end(struct stranger *stranger)
{
	int64_t result;

	check(recv(stranger->socket, &result, sizeof(result), 0) == sizeof(result));
	wait_for_end(stranger);
	return result;
}

void stranger_kill(struct stranger *stranger)
{
	check(kill(stranger->pid, SIGKILL) == 0);
	wait_for_end(stranger);
}

bool stranger_ended(const struct stranger *stranger)
{
	struct pollfd pollfd = { .fd = stranger->socket, .events = POLLIN };

	return poll(&pollfd, 1, 0) != 0;
}

void say(const struct doing *doing)
{
	if (send(doing->socket, "s", 1, MSG_NOSIGNAL) != 1)
		_exit(1);
}

void wait_for_go(const struct doing *doing)
{
	char c;

	if (recv(doing->socket, &c, 1, 0) != 1)
		_exit(1);
}

void rig_heard(struct stranger *stranger)
{
	char c;

	check(recv(stranger->socket, &c, 1, 0) == 1 && c == 's');
}

void rig_go(struct stranger *stranger)
{
	check(send(stranger->socket, "g", 1, MSG_NOSIGNAL) == 1);
}

/* ---- file systems ------------------------------------------------------------------------ */

static bool run(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool has_dax(const char *fs)
{
	return strcmp(fs, "ext4") == 0 || strcmp(fs, "xfs") == 0;
}

/* XFS and btrfs want some hundred MiB; the image is mostly holes. */
static bool make_fs(const char *fs, const char *dir)
{
	const char *dax = getenv("MAPSEAL_TEST_DAX");
	char command[512];

	if (strcmp(fs, "tmpfs") == 0)
		return mount("tmpfs", dir, "tmpfs", 0, "size=64m,mode=0777") == 0;
	if (dax) {
		snprintf(command, sizeof(command),
			 "mkfs.%s -q %s %s >&2 && mount -o dax=always %s %s && grep -q '%s.*dax=always' /proc/mounts",
			 fs, strcmp(fs, "ext4") == 0 ? "-F -b 4096" : "-f", dax, dax, dir, dir);
		return run(command);
	}
	snprintf(command, sizeof(command),
		 "exec >/dev/null 2>&1; truncate -s 320M %s.img && mkfs.%s %s %s.img && "
		 "mount -o loop %s.img %s; r=$?; rm -f %s.img; exit $r",
		 dir, fs, strcmp(fs, "ext4") == 0 ? "-F -q" : "-f -q", dir, dir, dir, dir);
	return run(command);
}

static void write_file(struct rig *rig, size_t size)
{
	static char bytes[1 << 16];

	memset(bytes, 'a', sizeof(bytes));
	rig->fd = open(rig->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	check(rig->fd >= 0 && fchmod(rig->fd, 0666) == 0);
	for (size_t at = 0; at < size; at += sizeof(bytes))
		check(pwrite(rig->fd, bytes, sizeof(bytes) < size - at ? sizeof(bytes) : size - at,
			     (off_t)at) > 0);
	check(fsync(rig->fd) == 0);
}

static void run_on(const char *fs, enum guard_level strongest, size_t size,
		   void (*test)(struct rig *rig))
{
	struct guard_config config = { .strongest = strongest, .max_held = 64 };
	struct rig rig = { .fs = fs, .fd = -1, .object = 7 };

	snprintf(rig.dir, sizeof(rig.dir), "/tmp/guard-test-XXXXXX");
	check(mkdtemp(rig.dir));
	if (!make_fs(fs, rig.dir)) {
		rmdir(rig.dir);
		rig_skip("a file system can't be made or mounted here");
	}
	check(chmod(rig.dir, 0777) == 0);
	snprintf(rig.path, sizeof(rig.path), "%s/file", rig.dir);
	write_file(&rig, size);
	config.group = guard_open_group();
	check(guard_new(&config, &rig.guard) == 0);
	printf("%s\n", fs);
	fflush(stdout);
	test(&rig);
	guard_free(rig.guard);
	close(rig.fd);
	umount2(rig.dir, MNT_DETACH);
	rmdir(rig.dir);
}

void rig_run(const char *const *fs, size_t n, enum guard_level strongest, size_t size,
	     void (*test)(struct rig *rig))
{
	struct guard_config config = { .strongest = strongest };
	struct guard *guard;
	enum guard_level level;

	if (geteuid() != 0)
		rig_skip("needs root");
	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) < 0)
		rig_skip("no mount name space");
	make_nursery();
	config.group = guard_open_group();
	check(guard_new(&config, &guard) == 0);
	level = guard_level(guard);
	guard_free(guard);
	if (level != strongest)
		rig_skip("this kernel's fanotify does not hold accesses");
	for (size_t i = 0; i < n; i++)
		if (!getenv("MAPSEAL_TEST_DAX") || has_dax(fs[i]))
			run_on(fs[i], strongest, size, test);
}

/* ---- the guard --------------------------------------------------------------------------- */

void rig_arm(struct rig *rig, enum guard_writable_opens opens, enum guard_level level)
{
	check_is(guard_arm(rig->guard, rig->object, rig->fd, opens, &rig->level), 0);
	check_is(rig->level, level);
}

static int add(struct rig *rig, uint64_t start, uint64_t end, enum core_mode mode,
	       enum core_kind kind)
{
	struct guard_seal seal = {
		.id = ++rig->next_seal,
		.object = rig->object,
		.start = start,
		.end = end,
		.kind = kind,
		.mode = mode,
	};

	return guard_seal_add(rig->guard, &seal);
}

uint64_t rig_seal(struct rig *rig, uint64_t start, uint64_t end, enum core_mode mode,
		  enum core_kind kind, int expected)
{
	check_is(add(rig, start, end, mode, kind), expected);
	return rig->next_seal;
}

uint64_t rig_window(struct rig *rig, uint64_t start, uint64_t end)
{
	if (add(rig, start, end, CORE_READ, CORE_WINDOW) == GUARD_TAINTED)
		check_is(rig_event(rig, GUARD_EVENT_SETTLED).seal, rig->next_seal);
	return rig->next_seal;
}

struct guard_event rig_event(struct rig *rig, enum guard_event_type type)
{
	struct pollfd pollfd = { .fd = guard_get_fd(rig->guard), .events = POLLIN };
	struct guard_event event;

	while (!guard_next(rig->guard, &event))
		check(poll(&pollfd, 1, -1) == 1);
	check_is(event.type, type);
	return event;
}

bool rig_quiet(struct rig *rig)
{
	struct guard_event event;

	return !guard_next(rig->guard, &event);
}
