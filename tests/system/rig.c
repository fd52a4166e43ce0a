/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The supervisor of a test, and its files. See rig.h.
 *
 * Readiness is the supervisor's own word (sd_notify READY=1), so that no test polls for a socket.
 * Its end is part of every test: it must leave by itself, with status 0, after SIGTERM.
 */

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { RIG_MOUNTS_MAX = 4, RIG_ALARM_S = 300 };

static char mounts[RIG_MOUNTS_MAX][96];
static int n_mounts;

void (*expect_last_words)(void);

void expect_failed(const char *file, int line, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s:%d: [%d] ", file, line, (int)getpid());
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	fflush(NULL);
	if (expect_last_words)
		expect_last_words();
	/* The supervisor is this process's child and dies with it (PDEATHSIG); mounts are let go lazily. */
	for (int i = 0; i < n_mounts; i++)
		umount2(mounts[i], MNT_DETACH);
	_exit(1);
}

void rig_requires_root(void)
{
	if (geteuid() == 0)
		return;
	printf("needs root: the supervisor is privileged, and its clients drop to another uid\n");
	exit(77);
}

void rig_skip_sanitized(const char *reason)
{
	const char *sanitizer = getenv("SANITIZER");

	if (!sanitizer || strcmp(sanitizer, "no") == 0)
		return;
	printf("%s\n", reason);
	exit(77);
}

struct rig *rig_new(void)
{
	struct rig *rig = calloc(1, sizeof(*rig));

	rig_requires_root();
	alarm(RIG_ALARM_S);
	setvbuf(stdout, NULL, _IOLBF, 0);
	expect(rig);
	snprintf(rig->dir, sizeof(rig->dir), "/var/tmp/mapseal-test-XXXXXX");
	expect(mkdtemp(rig->dir));
	expect(chmod(rig->dir, 0755) == 0);
	snprintf(rig->socket, sizeof(rig->socket), "%s/socket", rig->dir);
	snprintf(rig->config, sizeof(rig->config), "%s/mapseald.conf", rig->dir);
	return rig;
}

static const char *built(const char *program)
{
	static char path[512];
	const char *builddir = getenv("top_builddir");

	snprintf(path, sizeof(path), "%s/%s", builddir ? builddir : ".", program);
	return path;
}

void rig_wait_notified(struct rig *rig, const char *word)
{
	struct pollfd poll_fd = { .fd = rig->notified, .events = POLLIN };
	char message[256];

	for (;;) {
		int status;
		ssize_t n;

		if (poll(&poll_fd, 1, 200) == 0) {
			if (waitpid(rig->supervisor, &status, WNOHANG) == rig->supervisor)
				expect_failed(__FILE__, __LINE__, "the supervisor ended: status %#x",
					      (unsigned int)status);
			continue;
		}
		n = recv(rig->notified, message, sizeof(message) - 1, 0);
		expect(n > 0);
		message[n] = '\0';
		if (strstr(message, word))
			return;
	}
}

static void open_notified(struct rig *rig, struct sockaddr_un *notify)
{
	snprintf(notify->sun_path, sizeof(notify->sun_path), "%s/notify", rig->dir);
	unlink(notify->sun_path);
	if (rig->notified > 0)
		close(rig->notified);
	rig->notified = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	expect(rig->notified >= 0);
	expect(bind(rig->notified, (struct sockaddr *)notify, sizeof(*notify)) == 0);
}

void rig_exec(struct rig *rig)
{
	bool configured = access(rig->config, F_OK) == 0;
	const char *stand_in = getenv("MAPSEALD"); /* tests/valgrind.sh */
	char pid[16];

	alarm(0);
	/* what is short on this machine is no part of a test */
	setenv("MEMORY_PRESSURE_WATCH", "/dev/null", 0);
	if (rig->activated > 0) {
		/* what sd_listen_fds(3) looks for */
		expect(dup2(rig->activated, 3) == 3 && fcntl(3, F_SETFD, 0) == 0);
		snprintf(pid, sizeof(pid), "%d", (int)getpid());
		setenv("LISTEN_PID", pid, 1);
		setenv("LISTEN_FDS", "1", 1);
	}
	execl(stand_in ? stand_in : built("mapseald"), "mapseald", "--socket", rig->socket,
	      configured ? "--config" : (char *)NULL, rig->config, (char *)NULL);
	_exit(127);
}

void rig_start(struct rig *rig, const char *format, ...)
{
	struct sockaddr_un notify = { .sun_family = AF_UNIX };

	if (format) {
		FILE *config = fopen(rig->config, "we");
		va_list args;

		expect(config);
		va_start(args, format);
		vfprintf(config, format, args);
		va_end(args);
		expect(fclose(config) == 0);
	}
	open_notified(rig, &notify);
	rig->supervisor = fork();
	expect(rig->supervisor >= 0);
	if (rig->supervisor == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		setenv("NOTIFY_SOCKET", notify.sun_path, 1);
		if (rig->keeps_log)
			expect(freopen(rig_path(rig, "log"), "a", stderr));
		rig_exec(rig);
	}
	rig_wait_notified(rig, "READY=1");
	expect(setenv("MAPSEAL_SOCKET", rig->socket, 1) == 0);
}

void rig_start_file(struct rig *rig, const char *path, const char *format, ...)
{
	char more[256] = "";
	va_list args;

	if (format) {
		va_start(args, format);
		expect(vsnprintf(more, sizeof(more), format, args) < (int)sizeof(more));
		va_end(args);
	}
	rig_start(rig, "[export file]\npath = %s\nread = *\nwrite = *\n%s", path, more);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void rig_keep_log(struct rig *rig)
{
	rig->keeps_log = true;
}

unsigned int rig_logged(struct rig *rig, const char *text)
{
	FILE *log = fopen(rig_path(rig, "log"), "re");
	unsigned int n = 0;
	char line[4096];

	expect(log);
	while (fgets(line, sizeof(line), log))
		n += strstr(line, text) != NULL;
	fclose(log);
	return n;
}

static void show_log(struct rig *rig)
{
	FILE *log = rig->keeps_log ? fopen(rig_path(rig, "log"), "re") : NULL;
	char line[4096];

	while (log && fgets(line, sizeof(line), log))
		fputs(line, stderr);
	if (log)
		fclose(log);
}

void rig_stop(struct rig *rig)
{
	int status;

	if (rig->supervisor <= 0)
		return;
	expect(kill(rig->supervisor, SIGTERM) == 0);
	expect_eq(waitpid(rig->supervisor, &status, 0), rig->supervisor);
	rig->supervisor = 0;
	show_log(rig);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		expect_failed(__FILE__, __LINE__, "the supervisor left with status %#x after SIGTERM",
			      (unsigned int)status);
}

struct rig *rig_free(struct rig *rig)
{
	if (!rig)
		return NULL;
	rig_stop(rig);
	if (rig->notified > 0)
		close(rig->notified);
	while (n_mounts > 0)
		expect(umount2(mounts[--n_mounts], MNT_DETACH) == 0);
	expect(nftw(rig->dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
	free(rig);
	return NULL;
}

/* ---- files ------------------------------------------------------------------------------- */

const char *rig_path(struct rig *rig, const char *name)
{
	static char paths[32][256];
	static int next;
	char *path = paths[next++ % 32];

	snprintf(path, sizeof(paths[0]), "%s/%s", rig->dir, name);
	return path;
}

unsigned char rig_byte(unsigned int seed, uint64_t n)
{
	uint64_t x = (n / 8 + 1) * 0x9e3779b97f4a7c15u + seed * 0xd1342543de82ef95u;

	x ^= x >> 32;
	x *= 0xd6e8feb86659fd93u;
	return (unsigned char)(x >> (n % 8 * 8));
}

void rig_fill(unsigned char *bytes, uint64_t offset, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = rig_byte(seed, offset + i);
}

bool rig_same(const volatile unsigned char *bytes, uint64_t offset, size_t size, unsigned int seed)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != rig_byte(seed, offset + i))
			return false;
	return true;
}

const char *rig_file(struct rig *rig, const char *name, uint64_t size, unsigned int seed)
{
	const char *path = rig_path(rig, name);
	unsigned char *buffer = malloc(MiB);
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	expect(buffer && fd >= 0);
	for (uint64_t at = 0; at < size;) {
		size_t n = size - at < MiB ? size - at : MiB;

		rig_fill(buffer, at, n, seed);
		expect_eq(pwrite(fd, buffer, n, (off_t)at), n);
		at += n;
	}
	free(buffer);
	close(fd);
	return path;
}

void rig_file_is(const char *path, size_t size, unsigned int seed, size_t at, size_t n,
		 unsigned char byte)
{
	unsigned char *bytes = malloc(size);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	expect(bytes && fd >= 0);
	expect_eq(pread(fd, bytes, size, 0), size);
	expect(rig_same(bytes, 0, at, seed));
	for (size_t i = at; i < at + n; i++)
		expect_eq(bytes[i], byte);
	expect(rig_same(bytes + at + n, at + n, size - at - n, seed));
	free(bytes);
	close(fd);
}

const char *rig_mount(struct rig *rig, const char *name, const char *type, uint64_t size)
{
	const char *path = rig_path(rig, name), *dax = getenv("MAPSEAL_TEST_DAX");
	char command[512];

	expect(n_mounts < RIG_MOUNTS_MAX);
	expect(mkdir(path, 0755) == 0);
	if (strcmp(type, "tmpfs") == 0) {
		char options[64];

		snprintf(options, sizeof(options), "size=%llu,mode=0755", (unsigned long long)size);
		expect(mount("tmpfs", path, "tmpfs", 0, options) == 0);
	} else if (dax) {
		snprintf(command, sizeof(command),
			 "mkfs.%s -q %s %s && mount -o dax=always %s %s && grep -q '%s.*dax=always' /proc/mounts",
			 type, strcmp(type, "xfs") ? "-F -b 4096" : "-f", dax, dax, path, path);
		expect(system(command) == 0);
	} else {
		snprintf(command, sizeof(command),
			 "truncate -s %llu %s.img && mkfs.%s -q %s.img >/dev/null && mount -o loop %s.img %s",
			 (unsigned long long)size, path, type, path, path, path);
		if (system(command) != 0) {
			printf("cannot mount %s on loop here\n", type);
			rig_free(rig);
			exit(77);
		}
	}
	snprintf(mounts[n_mounts++], sizeof(mounts[0]), "%s", path);
	return path;
}
