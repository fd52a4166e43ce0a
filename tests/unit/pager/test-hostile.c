/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A holder whose threads do to its windows whatever a process can do, at random and all at once,
 * while they are committed, populated, fenced, granted again and closed: every job ends, and the
 * object keeps its size. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rig.h"
#include "wire.h"

#define N 64ul
#define WINDOWS 3
#define THREADS 3
#define CLIENTS 12
#define STEPS 40

static uint64_t dice(uint64_t *state, uint64_t sides)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return (*state >> 33) % sides;
}

/* ---- the client -------------------------------------------------------------------------- */

static __thread sigjmp_buf jump;
static unsigned char *windows[WINDOWS];
static int memories[WINDOWS], client_uffd;

static void back(int signal)
{
	siglongjmp(jump, signal);
}

static void one_thing(uint64_t *state)
{
	uint64_t w = dice(state, WINDOWS), page = dice(state, N), n = 1 + dice(state, N - page);
	unsigned char *at = windows[w] + page * PAGE;
	pid_t pid;

	switch (dice(state, 60)) {
	case 0:
		madvise(at, n * PAGE, MADV_DONTNEED);
		break;
	case 1:
		madvise(at, n * PAGE, MADV_REMOVE);
		break;
	case 2:
		munmap(at, PAGE);
		break;
	case 3:
		/* its own memory, where it was, unregistered */
		mmap(at, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, memories[w],
		     (off_t)(page * PAGE));
		break;
	case 4:
		mremap(at, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED,
		       windows[w] + dice(state, N) * PAGE);
		break;
	case 5:
		mremap(at, 0, 2 * PAGE, MREMAP_MAYMOVE);
		break;
	case 6:
		if (dice(state, 20))
			break;
		pid = fork();
		if (pid == 0) {
			if (sigsetjmp(jump, 1) == 0)
				*(volatile unsigned char *)at = 1;
			_exit(0);
		}
		break;
	case 7:
		fcntl(client_uffd, F_SETFL, dice(state, 2) ? O_NONBLOCK : 0);
		break;
	case 8:
		if (pwrite(memories[w], "rogue", 5, (off_t)(page * PAGE)) < 0)
			break;
		break;
	default:
		if (dice(state, 2))
			__atomic_store_n(at, (unsigned char)page, __ATOMIC_RELAXED);
		else
			__atomic_load_n(at, __ATOMIC_RELAXED);
	}
}

static void *misbehave(void *seed)
{
	uint64_t state = (uintptr_t)seed;

	for (;;) {
		if (sigsetjmp(jump, 1) == 0)
			one_thing(&state);
	}
	return NULL;
}

static int client(int socket, uintptr_t seed)
{
	struct sigaction action = { .sa_handler = back };
	void *probe = rig_probe();
	pthread_t thread;
	size_t size;
	char go;

	wire_take(socket, &go, 1, &size);
	if (size == 0)
		return 1;
	sigaction(SIGBUS, &action, NULL);
	sigaction(SIGSEGV, &action, NULL);
	signal(SIGCHLD, SIG_IGN);
	client_uffd = rig_uffd(0);
	wire_send(socket, client_uffd, &probe, sizeof(probe));
	for (int i = 0; i < WINDOWS; i++) {
		memories[i] = wire_take(socket, &go, 1, &size);
		windows[i] = mmap(NULL, N * PAGE, PROT_NONE, go == 'w' ? MAP_SHARED : MAP_PRIVATE,
				  memories[i], 0);
		wire_send(socket, -1, &windows[i], sizeof(*windows));
		wire_take(socket, &go, 1, &size);
		mprotect(windows[i], N * PAGE, go == 'w' ? PROT_READ | PROT_WRITE : PROT_READ);
	}
	for (uintptr_t i = 0; i < THREADS; i++)
		pthread_create(&thread, NULL, misbehave, (void *)(seed * 100 + i));
	wire_take(socket, &go, 1, &size);
	return 0;
}

/* ---- the supervisor ---------------------------------------------------------------------- */

static uint64_t in_ms(uint64_t ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec + ms * 1000000u;
}

static void fence(struct rig *rig, uint64_t window, uint64_t start, uint64_t end,
		  enum pager_how how, bool discard)
{
	struct pager_event event = rig_do(rig, (struct pager_job){
						       .type = PAGER_FENCE,
						       .window = window,
						       .start = start,
						       .end = end,
						       .how = how,
						       .discard = discard,
						       .limit = in_ms(20),
					       });

	check(event.error == 0 || how == PAGER_HOW_RETURN);
	if (event.quarantine_fd >= 0)
		close(event.quarantine_fd);
}

static void one_job(struct rig *rig, uint64_t *state, const uint64_t *ids)
{
	uint64_t start = dice(state, N) * PAGE, end = start + (1 + dice(state, N)) * PAGE;
	uint64_t window = ids[dice(state, WINDOWS)], tag;
	struct pager_job job = {
		.window = window,
		.start = start,
		.end = end,
		.write = dice(state, 2),
	};

	switch (dice(state, 7)) {
	case 0:
		job.type = PAGER_COMMIT;
		break;
	case 1:
		job.type = PAGER_FLUSH;
		break;
	case 2:
		/* in a storm this goes on until it is fenced */
		job.type = PAGER_POPULATE;
		tag = rig_submit(rig, &job);
		fence(rig, window, 0, N * PAGE, PAGER_HOW_PARK, false);
		rig_wait(rig, tag);
		rig_do(rig, (struct pager_job){
				    .type = PAGER_REGRANT, .window = window, .end = N * PAGE });
		return;
	case 3:
		fence(rig, window, start, end, PAGER_HOW_PARK, dice(state, 2));
		job.type = PAGER_REGRANT;
		break;
	case 4:
		if (dice(state, 4) == 0)
			fence(rig, window, start, end, PAGER_HOW_RETURN, false);
		return;
	case 5:
		job.type = PAGER_DROP_CLEAN;
		job.value = end;
		break;
	default:
		/* forced while a commit is on its way */
		job.type = PAGER_COMMIT;
		tag = rig_submit(rig, &job);
		job.type = PAGER_FENCE;
		job.how = PAGER_HOW_PARK;
		pager_force(rig->pager, rig_submit(rig, &job));
		rig_wait(rig, tag);
		close(rig_wait(rig, job.tag).quarantine_fd);
		job.type = PAGER_REGRANT;
		break;
	}
	rig_do(rig, job);
}

struct holder {
	pid_t pid;
	int socket;
};

/* Made while this process has one thread: what is forked later must not make threads under
 * ThreadSanitizer. */
static struct holder make_holder(uintptr_t seed)
{
	int sockets[2];
	pid_t pid;

	check_is(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
	pid = fork();
	check(pid >= 0);
	if (pid == 0) {
		close(sockets[0]);
		_exit(client(sockets[1], seed));
	}
	close(sockets[1]);
	return (struct holder){ pid, sockets[0] };
}

static void one_client(struct rig *rig, uintptr_t seed, const struct holder *holder)
{
	uint64_t state = seed, space = ++rig->next_id, ids[WINDOWS], object;
	int fd = rig_file(N * PAGE - 100), mine = fcntl(fd, F_DUPFD_CLOEXEC, 0), status;
	struct pager_event event;
	void *probe, *at;
	size_t size;

	object = rig_object(rig, fd, N * PAGE - 100, true);
	wire_send(holder->socket, -1, "b", 1);
	fd = wire_take(holder->socket, &probe, sizeof(probe), &size);
	check_is(rig_attach(rig, space, fd, holder->pid, probe).error, 0);
	close(fd);
	for (int i = 0; i < WINDOWS; i++) {
		bool write = i != 1;

		ids[i] = ++rig->next_id;
		event = rig_do(rig, (struct pager_job){
					    .type = PAGER_WINDOW_OPEN,
					    .window = ids[i],
					    .space = space,
					    .object = object,
					    .end = N * PAGE - 100,
					    .write = write,
					    .pinnable = i == 2,
				    });
		check_is(event.error, 0);
		wire_send(holder->socket, event.fd, write ? "w" : "r", 1);
		close(event.fd);
		wire_take(holder->socket, &at, sizeof(at), &size);
		event = rig_do(rig, (struct pager_job){
					    .type = PAGER_WINDOW_MAP,
					    .window = ids[i],
					    .address = (uintptr_t)at,
					    .end = N * PAGE - 100,
				    });
		check_is(event.error, 0);
		wire_send(holder->socket, -1, write ? "w" : "r", 1);
	}
	for (int i = 0; i < STEPS; i++)
		one_job(rig, &state, ids);
	if (seed % 2) {
		kill(holder->pid, SIGKILL);
		waitpid(holder->pid, &status, 0);
	}
	for (int i = 0; i < WINDOWS; i++)
		fence(rig, ids[i], 0, N * PAGE, PAGER_HOW_DEATH, false);
	check_is(rig_do(rig, (struct pager_job){ .type = PAGER_SPACE_CLOSE, .space = space }).error,
		 0);
	if (seed % 2 == 0) {
		kill(holder->pid, SIGKILL);
		waitpid(holder->pid, &status, 0);
	}
	close(holder->socket);
	check_is(lseek(mine, 0, SEEK_END), N * PAGE - 100);
	close(mine);
}

int main(void)
{
	struct pager_config config = RIG_CONFIG;
	struct holder holders[CLIENTS];
	struct pager_stats stats;
	struct rig rig;

	for (uintptr_t i = 0; i < CLIENTS; i++)
		holders[i] = make_holder(i + 1);
	config.spin_us = 30;
	rig_start(&rig, &config);
	for (uintptr_t i = 0; i < CLIENTS; i++)
		one_client(&rig, i + 1, &holders[i]);
	pager_stats(rig.pager, &stats);
	printf("%llu faults, %llu fences, %llu torn, %llu quarantines\n",
	       (unsigned long long)stats.faults, (unsigned long long)stats.fences,
	       (unsigned long long)stats.torn, (unsigned long long)stats.quarantines);
	check_is(stats.window_bytes, 0);
	rig_stop(&rig);
	return 0;
}
