/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "rig.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/userfaultfd.h>

#include "tests/touch.h"

void rig_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: failed: %s\n", file, line, what);
	abort();
}

void rig_equal(const char *file, int line, const char *what, long long a, long long b)
{
	if (a == b)
		return;
	fprintf(stderr, "%s:%d: failed: %s is %lld, not %lld\n", file, line, what, a, b);
	abort();
}

void rig_skip(const char *why)
{
	printf("skipped: %s\n", why);
	exit(77);
}

/* ---- SIGBUS ------------------------------------------------------------------------------ */

static __thread sigjmp_buf jump;
static __thread volatile sig_atomic_t guarded;

static void on_sigbus(int signal)
{
	if (!guarded) {
		static const char text[] = "unexpected SIGBUS\n";

		if (write(2, text, sizeof(text) - 1) < 0)
			_exit(2);
		_exit(1);
	}
	siglongjmp(jump, signal);
}

bool rig_read(const unsigned char *at, unsigned char *ret)
{
	bool ok = false;

	if (touch_may_park())
		return touch_elsewhere((volatile unsigned char *)at, false, 0, ret) == TOUCH_DONE;
	guarded = 1;
	if (sigsetjmp(jump, 1) == 0) {
		*ret = *(const volatile unsigned char *)at;
		ok = true;
	}
	guarded = 0;
	return ok;
}

bool rig_write(unsigned char *at, unsigned char value)
{
	bool ok = false;

	if (touch_may_park())
		return touch_elsewhere(at, true, value, NULL) == TOUCH_DONE;
	guarded = 1;
	if (sigsetjmp(jump, 1) == 0) {
		*(volatile unsigned char *)at = value;
		ok = true;
	}
	guarded = 0;
	return ok;
}

/* ---- jobs -------------------------------------------------------------------------------- */

uint64_t rig_submit(struct rig *rig, struct pager_job *job)
{
	job->tag = ++rig->next_tag;
	check_is(pager_submit(rig->pager, job), 0);
	pager_kick(rig->pager);
	return job->tag;
}

static bool next(struct rig *rig, struct pager_event *ret)
{
	while (!pager_next(rig->pager, ret)) {
		struct pollfd pollfd = { .fd = pager_get_fd(rig->pager), .events = POLLIN };

		check(poll(&pollfd, 1, -1) == 1 || errno == EINTR);
	}
	if (ret->type == PAGER_EVENT_SPACE_LOST)
		rig->space_lost = true;
	if (ret->type == PAGER_EVENT_COMMITTED)
		rig->committed++;
	return ret->type == PAGER_EVENT_DONE;
}

struct pager_event rig_wait(struct rig *rig, uint64_t tag)
{
	struct pager_event event;

	for (unsigned int i = 0; i < rig->n_early; i++) {
		if (rig->early[i].tag != tag)
			continue;
		event = rig->early[i];
		rig->early[i] = rig->early[--rig->n_early];
		return event;
	}
	for (;;) {
		if (!next(rig, &event))
			continue;
		if (event.tag == tag)
			return event;
		check(rig->n_early < sizeof(rig->early) / sizeof(*rig->early));
		rig->early[rig->n_early++] = event;
	}
}

void rig_wait_lost(struct rig *rig)
{
	struct pager_event event;

	while (!rig->space_lost)
		next(rig, &event);
}

struct pager_event rig_do(struct rig *rig, struct pager_job job)
{
	return rig_wait(rig, rig_submit(rig, &job));
}

/* ---- the cast ---------------------------------------------------------------------------- */

int rig_uffd(int flags)
{
	int uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | flags);

	if (uffd < 0)
		rig_skip("no userfaultfd here (not root?)");
	return uffd;
}

void *rig_probe(void)
{
	void *probe = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	check(probe != MAP_FAILED);
	return probe;
}

struct pager_event rig_attach(struct rig *rig, uint64_t space, int uffd, pid_t pid, void *probe)
{
	return rig_do(rig, (struct pager_job){
				   .type = PAGER_SPACE_ATTACH,
				   .space = space,
				   .fd = fcntl(uffd, F_DUPFD_CLOEXEC, 0),
				   .pid = pid,
				   .address = (uintptr_t)probe,
			   });
}

void rig_start_as(struct rig *rig, const struct pager_config *config, int uffd_flags)
{
	struct sigaction action = { .sa_handler = on_sigbus };
	void *probe;
	int r;

	if (geteuid() != 0)
		rig_skip("memory is given to another uid, which needs root");
	sigaction(SIGBUS, &action, NULL);
	*rig = (struct rig){ .next_id = 100 };
	r = pager_new(config, &rig->pager);
	if (r == -EOPNOTSUPP || r == -ENOSYS || r == -EPERM)
		rig_skip("no userfaultfd or io_uring here");
	check_is(r, 0);
	rig->uffd = rig_uffd(uffd_flags);
	rig->space = ++rig->next_id;
	probe = rig_probe();
	check_is(rig_attach(rig, rig->space, rig->uffd, getpid(), probe).error, 0);
	munmap(probe, PAGE);
}

void rig_start(struct rig *rig, const struct pager_config *config)
{
	rig_start_as(rig, config, 0);
}

void rig_stop(struct rig *rig)
{
	rig->pager = pager_free(rig->pager);
	close(rig->uffd);
}

uint64_t rig_object(struct rig *rig, int fd, uint64_t size, bool writable)
{
	struct pager_event event;
	uint64_t id = ++rig->next_id;

	event = rig_do(rig, (struct pager_job){
				    .type = PAGER_OBJECT_OPEN,
				    .object = id,
				    .fd = fd,
				    .end = size,
				    .writable = writable,
			    });
	check_is(event.error, 0);
	return id;
}

unsigned char rig_byte(uint64_t offset)
{
	return (unsigned char)(1 + (offset * 2654435761u >> 16) % 251);
}

int rig_file(size_t size)
{
	const char *directory = getenv("TMPDIR") ? getenv("TMPDIR") : "/var/tmp";
	unsigned char *bytes = malloc(size ? size : 1);
	int fd = open(directory, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	check(fd >= 0 && bytes);
	for (size_t i = 0; i < size; i++)
		bytes[i] = rig_byte(i);
	check_is(pwrite(fd, bytes, size, 0), size);
	free(bytes);
	return fd;
}

/* ---- windows ----------------------------------------------------------------------------- */

void rig_map(struct rig *rig, struct window_of *window, int flags)
{
	struct pager_event event;
	int prot = flags & RIG_WRITE ? PROT_READ | PROT_WRITE : PROT_READ;

	window->at = mmap(NULL, window->length, PROT_NONE,
			  flags & RIG_WRITE ? MAP_SHARED : MAP_PRIVATE, window->memory, 0);
	check(window->at != MAP_FAILED);
	event = rig_do(rig, (struct pager_job){
				    .type = PAGER_WINDOW_MAP,
				    .window = window->id,
				    .address = (uintptr_t)window->at,
				    .start = window->start,
				    .end = window->end,
			    });
	check_is(event.error, 0);
	check_is(mprotect(window->at, window->length, prot), 0);
}

struct window_of rig_window(struct rig *rig, uint64_t object, uint64_t start, uint64_t end,
			    int flags)
{
	struct window_of window = {
		.id = ++rig->next_id,
		.start = start,
		.end = end,
		.length = (end - start + PAGE - 1) / PAGE * PAGE,
	};
	struct pager_event event = rig_do(rig, (struct pager_job){
						       .type = PAGER_WINDOW_OPEN,
						       .window = window.id,
						       .space = rig->space,
						       .object = object,
						       .start = start,
						       .end = end,
						       .write = flags & RIG_WRITE,
						       .pinnable = flags & RIG_PINNABLE,
					       });

	check_is(event.error, 0);
	window.memory = event.fd;
	if (!(flags & RIG_UNMAPPED))
		rig_map(rig, &window, flags);
	return window;
}

void rig_lock(const struct window_of *window)
{
	check_is(mlock2(window->at, window->length, MLOCK_ONFAULT), 0);
}

struct pager_event rig_commit(struct rig *rig, const struct window_of *window)
{
	return rig_do(rig, (struct pager_job){
				   .type = PAGER_COMMIT,
				   .window = window->id,
				   .start = window->start,
				   .end = window->end,
			   });
}

struct pager_event rig_fence(struct rig *rig, const struct window_of *window, enum pager_how how)
{
	return rig_do(rig, (struct pager_job){
				   .type = PAGER_FENCE,
				   .window = window->id,
				   .start = window->start,
				   .end = window->end,
				   .how = how,
			   });
}

void rig_regrant(struct rig *rig, const struct window_of *window)
{
	struct pager_event event = rig_do(rig, (struct pager_job){
						       .type = PAGER_REGRANT,
						       .window = window->id,
						       .start = window->start,
						       .end = window->end,
					       });

	check_is(event.error, 0);
}

void rig_close(struct rig *rig, struct window_of *window)
{
	struct pager_event event = rig_do(rig, (struct pager_job){
						       .type = PAGER_WINDOW_CLOSE,
						       .window = window->id,
					       });

	check_is(event.error, 0);
	munmap(window->at, window->length);
	close(window->memory);
}

void rig_wait_parked(pid_t tid)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/wchan", (int)getpid(), (int)tid);
	for (;;) {
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t n = read(fd, text, sizeof(text) - 1);

		close(fd);
		check(n >= 0);
		text[n] = '\0';
		if (strstr(text, "userfault"))
			return;
		sched_yield();
	}
}

bool rig_large_pages(void)
{
	int fd = open("/sys/kernel/mm/transparent_hugepage/shmem_enabled", O_RDONLY | O_CLOEXEC);
	char text[128];
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	return !strstr(text, "[never]") && !strstr(text, "[deny]") && !strstr(text, "[advise]");
}
