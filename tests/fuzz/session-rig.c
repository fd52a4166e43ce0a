/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The supervisor under test is the daemon's own, without its main().
 *
 * Time: clock_gettime() is wrapped by the linker, so that deadlines of seconds pass when an input
 * says so. All threads see the same clock, and it never goes back.
 *
 * Strangers: sessions of one process trust each other in part, so another process lives beside this
 * one only to make sockets in its own name.
 */

#include "tests/fuzz/session-rig.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <time.h>

#include "daemon/config/config.h"
#include "daemon/supervisor/wiring.h"
#include "proto/frame.h"
#include "tests/descriptors.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/session-files.h"
#include "tests/fuzz/session-ops.h"

#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)
#define SETTLE_NS (50 * NS_PER_MS)
#define SETTLING_NS (200 * NS_PER_MS) /* of one input */
#define PATIENCE_S 8 /* for what has no reason to take any time */

static char socket_path[RIG_PATH_MAX];
static struct config *config;
static struct supervisor *supervisor;
static int stranger = -1;
static size_t baseline;
static uint64_t settling;
static _Atomic uint64_t skew;

/* ---- what the linker puts in place of the daemon's own ---------------------------------- */

int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
void __wrap_log_line(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	int r = __real_clock_gettime(clock, ts);
	uint64_t ns;

	if (r == 0 && clock == CLOCK_MONOTONIC) {
		ns = (uint64_t)ts->tv_sec * NS_PER_S + (uint64_t)ts->tv_nsec + skew;
		ts->tv_sec = (time_t)(ns / NS_PER_S);
		ts->tv_nsec = (long)(ns % NS_PER_S);
	}
	return r;
}

/* Written as the daemon would, and not shown. A line must be one line. */
void __wrap_log_line(enum log_level level, const char *format, ...)
{
	char line[2048];
	va_list args;

	(void)level;
	va_start(args, format);
	vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	promise(!strchr(line, '\n'));
}

static uint64_t real_now(void)
{
	struct timespec ts;

	__real_clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

void rig_wait(unsigned int ms)
{
	skew += ms * NS_PER_MS;
}

/* ---- connections ------------------------------------------------------------------------ */

/* The calling thread alone becomes somebody else: setresuid(2) of libc would be for all of them. */
static void become(uid_t uid)
{
	promise(syscall(SYS_setresuid, -1, uid, -1) == 0);
}

static int make_pair(bool nobody, int *ret_pair)
{
	int r;

	if (nobody)
		become(RIG_NOBODY);
	r = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ret_pair);
	if (nobody)
		become(0);
	return r;
}

/* Makes pairs for whoever asks, until nobody can any more. */
static void be_stranger(int fd)
{
	char nobody;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (read(fd, &nobody, 1) == 1) {
		int pair[2];

		if (make_pair(nobody, pair) < 0 || proto_frame_send(fd, "", 1, pair, 2, 0) < 0)
			break;
		close(pair[0]);
		close(pair[1]);
	}
	_exit(0);
}

static void begin_stranger(void)
{
	int pair[2];
	pid_t pid;

	promise(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0);
	pid = fork();
	promise(pid >= 0);
	if (pid == 0) {
		close(pair[0]);
		be_stranger(pair[1]);
	}
	close(pair[1]);
	stranger = pair[0];
}

static int ask_stranger(bool nobody, int *ret_pair)
{
	char question = nobody, answer[PROTO_FRAME_MAX];
	struct fdlist fds;
	size_t size;

	fdlist_init(&fds);
	promise(write(stranger, &question, 1) == 1);
	promise(proto_frame_recv(stranger, answer, &size, &fds, 0) == 0 && fds.n == 2);
	ret_pair[0] = fdlist_take(&fds, 0);
	ret_pair[1] = fdlist_take(&fds, 1);
	return 0;
}

static int connect_listener(bool nobody)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_fd_ int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int r;

	promise(fd >= 0);
	strcpy(address.sun_path, socket_path);
	if (nobody)
		become(RIG_NOBODY);
	r = connect(fd, (struct sockaddr *)&address, sizeof(address));
	if (nobody)
		become(0);
	promise(r == 0);
	rig_step(3);
	return take_fd(&fd);
}

int rig_connect(unsigned int how)
{
	bool nobody = how & SESSION_OPEN_NOBODY;
	int pair[2], r;

	if (how & SESSION_OPEN_LISTENER)
		return connect_listener(nobody);
	r = how & SESSION_OPEN_STRANGER ? ask_stranger(nobody, pair) : make_pair(nobody, pair);
	promise(r == 0);
	/* a dead peer's credentials are refused at once; nobody is dead here */
	promise(supervisor_accept(supervisor, pair[0]) == 0);
	return pair[1];
}

/* ---- rounds ----------------------------------------------------------------------------- */

void rig_step(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		promise(supervisor_step(supervisor, 0) == 0);
}

/* A mechanism may have a reason not to answer, so patience is bounded, for one time and for the
 * input. */
void rig_settle(void)
{
	uint64_t begin = real_now(), spent = 0;

	rig_step(3);
	while (supervisor->jobs.n > 0 && spent < SETTLE_NS && settling + spent < SETTLING_NS) {
		promise(supervisor_step(supervisor, loop_now() + NS_PER_MS) == 0);
		rig_step(1);
		spent = real_now() - begin;
	}
	settling += spent;
}

/* ---- the end ---------------------------------------------------------------------------- */

void rig_count_descriptors(void)
{
	baseline = count_descriptors(getpid(), false);
}

/* The pager closes some of its own after it has reported. */
void rig_check_descriptors(void)
{
	uint64_t until = real_now() + PATIENCE_S * NS_PER_S;

	while (count_descriptors(getpid(), false) != baseline) {
		if (real_now() > until) {
			fprintf(stderr, "there were %zu descriptors\n", baseline);
			count_descriptors(getpid(), true);
			promise(count_descriptors(getpid(), false) == baseline);
		}
		promise(supervisor_step(supervisor, loop_now() + NS_PER_MS) == 0);
	}
}

static bool is_over(const struct supervisor *s)
{
	return sessions_count(s->sessions) == 0 && list_empty(&s->client_list) && s->jobs.n == 0;
}

static void wait_until_over(void)
{
	uint64_t begin = real_now();

	for (unsigned int i = 0; !is_over(supervisor); i++) {
		/* nothing waits for a deadline once its holder is gone; but a fence may */
		promise(real_now() < begin + PATIENCE_S * NS_PER_S);
		if (i % 64 == 63)
			rig_wait(1000);
		promise(supervisor_step(supervisor, loop_now() + NS_PER_MS) == 0);
	}
}

static bool is_charged(struct quota *quota, uid_t uid)
{
	struct quota_user *user;
	bool any = false;

	promise(quota_user_get(quota, uid, &user) == 0);
	for (int kind = 0; kind < _QUOTA_N; kind++)
		any |= quota_used(user, (enum quota_kind)kind) != 0;
	quota_user_put(user);
	return any;
}

/* Descriptors that are being closed, by threads of their own, count until that is done. */
static void wait_until_nothing_is_charged(uid_t uid)
{
	uint64_t begin = real_now();

	while (is_charged(supervisor->quota, uid)) {
		promise(real_now() < begin + PATIENCE_S * NS_PER_S);
		promise(supervisor_step(supervisor, loop_now() + NS_PER_MS) == 0);
	}
	for (size_t i = 0; i < config->n_exports; i++)
		promise(!is_charged(supervisor->export_quotas[i], uid));
}

void rig_end(void)
{
	struct supervisor *s = supervisor;
	struct pager_stats pager;
	struct core_stats core;

	wait_until_over();
	list_for_each (l, &s->quarantine_list)
		kept_free(s, list_entry(l, struct kept, link));
	core_stats(s->core, &core);
	promise(core.holders == 0 && core.seals == 0 && core.requests == 0 && core.objects == 0);
	promise(core_next_deadline(s->core) == CORE_NEVER);
	promise(s->clients.n == 0 && s->pending.n == 0 && s->windows.n == 0 && s->seals.n == 0);
	promise(s->objects.n == 0 && s->quarantine.n == 0 && s->proofs.n == 0);
	promise(list_empty(&s->watchers) && s->quarantined_bytes == 0);
	pager_stats(s->pager, &pager);
	promise(pager.window_bytes == 0);
	wait_until_nothing_is_charged(0);
	wait_until_nothing_is_charged(RIG_NOBODY);
	files_restore();
	settling = 0;
}

/* ---- the beginning ---------------------------------------------------------------------- */

static void give_up(const char *why)
{
	printf("%s\n", why);
	exit(77);
}

static void finish(void)
{
	supervisor_stop(supervisor);
	for (int i = 0; i < 1000 && !supervisor_is_over(supervisor); i++)
		supervisor_step(supervisor, loop_now() + NS_PER_MS);
	supervisor_free(supervisor);
	config_free(config);
}

void rig_begin(void)
{
	struct rlimit none = { RLIM_INFINITY, RLIM_INFINITY };
	struct rlimit limit = { FILES_LIMIT, RLIM_INFINITY };
	int r;

	if (geteuid() != 0)
		give_up("needs root: it runs the supervisor in this process");
	signal(SIGXFSZ, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	/* a fuzzer starts itself again, and the limit is inherited */
	promise(setrlimit(RLIMIT_FSIZE, &none) == 0);
	files_begin(socket_path, &config);
	begin_stranger();
	promise(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	r = supervisor_new(config, guard_open_group(), &supervisor);
	if (r == -ENOSYS || r == -EPERM || r == -EOPNOTSUPP)
		give_up("needs io_uring and userfaultfd");
	promise(r == 0);
	promise(supervisor_listen(supervisor, socket_path) == 0);
	atexit(finish);
}
