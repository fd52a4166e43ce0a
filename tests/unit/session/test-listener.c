/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Socket files: made, replaced when stale, left alone when in use, removed at the end. */

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "daemon/session/listener.h"

static struct loop *loop;
static char directory[64], path[96];
static unsigned int n_accepted;

static void on_accepted(int fd, void *data)
{
	(void)data;
	n_accepted++;
	close(fd);
}

static const struct listener_ops ops = { .accepted = on_accepted };

static void setup(void)
{
	strcpy(directory, "/tmp/mapseal-listener-XXXXXX");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/deeper/socket", directory);
	ck_assert_int_eq(loop_new(16, &loop), 0);
	n_accepted = 0;
}

static void teardown(void)
{
	char deeper[80];

	loop_free(loop);
	unlink(path);
	snprintf(deeper, sizeof(deeper), "%s/deeper", directory);
	rmdir(deeper);
	ck_assert_int_eq(rmdir(directory), 0);
}

static void end(struct listener *listener)
{
	listener_stop(listener);
	while (!listener_is_idle(listener))
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	listener_free(listener);
}

static int join(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	strcpy(address.sun_path, path);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

START_TEST(made_and_removed)
{
	struct listener *listener;
	struct stat st;
	int fd;

	ck_assert_int_eq(listener_new(loop, path, 0666, (gid_t)-1, &ops, &listener), 0);
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert(S_ISSOCK(st.st_mode));
	ck_assert_uint_eq(st.st_mode & 0777, 0666);
	fd = join();
	while (n_accepted == 0)
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	close(fd);
	end(listener);
	ck_assert_int_eq(stat(path, &st), -1);
}
END_TEST

START_TEST(in_use)
{
	struct listener *listener, *second;
	struct stat st;

	ck_assert_int_eq(listener_new(loop, path, 0666, (gid_t)-1, &ops, &listener), 0);
	ck_assert_int_eq(listener_new(loop, path, 0666, (gid_t)-1, &ops, &second), -EADDRINUSE);
	ck_assert_int_eq(stat(path, &st), 0);
	end(listener);
}
END_TEST

START_TEST(stale_is_replaced)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct listener *listener;
	char deeper[80];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(deeper, sizeof(deeper), "%s/deeper", directory);
	ck_assert_int_eq(mkdir(deeper, 0700), 0);
	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	close(fd);
	ck_assert_int_eq(listener_new(loop, path, 0666, (gid_t)-1, &ops, &listener), 0);
	close(join());
	end(listener);
}
END_TEST

/* Whoever listened on it is dead, but it is still open, as it is in a ring that has not ended yet. */
START_TEST(outlived_is_replaced)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct listener *listener;
	char deeper[80];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0), status;
	pid_t pid;

	snprintf(deeper, sizeof(deeper), "%s/deeper", directory);
	ck_assert_int_eq(mkdir(deeper, 0700), 0);
	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	pid = fork();
	if (pid == 0)
		_exit(listen(fd, 1));
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	close(join());
	ck_assert_int_eq(listener_new(loop, path, 0666, (gid_t)-1, &ops, &listener), 0);
	close(fd);
	close(join());
	end(listener);
}
END_TEST

START_TEST(no_socket_is_left_alone)
{
	struct listener *listener;
	char deeper[80];
	int fd;

	snprintf(deeper, sizeof(deeper), "%s/deeper", directory);
	ck_assert_int_eq(mkdir(deeper, 0700), 0);
	fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	ck_assert_int_eq(write(fd, "x", 1), 1);
	close(fd);
	ck_assert_int_eq(listener_new(loop, path, 0666, (gid_t)-1, &ops, &listener), -EADDRINUSE);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

START_TEST(adopted)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct listener *listener;
	char deeper[80];
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(listener_adopt(loop, fd, &ops, &listener), -EINVAL);
	snprintf(deeper, sizeof(deeper), "%s/deeper", directory);
	ck_assert_int_eq(mkdir(deeper, 0700), 0);
	strcpy(address.sun_path, path);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	ck_assert_int_eq(listen(fd, 5), 0);
	ck_assert_int_eq(listener_adopt(loop, fd, &ops, &listener), 0);
	close(join());
	while (n_accepted == 0)
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	end(listener);
	ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

/* Whether the kernel knows the limit that is set: valgrind keeps it to itself, and the ring asks the
 * kernel. */
static bool limit_is_real(void)
{
	struct rlimit before, limit, seen = { 0, 0 };
	char line[256];
	FILE *file;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur--;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	file = fopen("/proc/self/limits", "re");
	ck_assert_ptr_nonnull(file);
	while (fgets(line, sizeof(line), file)) {
		unsigned long long soft;

		if (sscanf(line, "Max open files %llu", &soft) == 1)
			seen.rlim_cur = soft;
	}
	fclose(file);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	return seen.rlim_cur == limit.rlim_cur;
}

START_TEST(out_of_descriptors)
{
	struct rlimit limit, before;
	struct listener *listener;
	int fd[4], spare;
	uint64_t quiet;
	char byte;

	if (!limit_is_real()) {
		printf("out_of_descriptors: the limit is not the kernel's here\n");
		return;
	}
	ck_assert_int_eq(listener_new(loop, path, 0666, (gid_t)-1, &ops, &listener), 0);
	for (int i = 0; i < 4; i++)
		fd[i] = join();
	spare = dup(fd[0]);
	close(spare);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	limit = before;
	limit.rlim_cur = (rlim_t)spare;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	/* each of them is hung up on, rather than left waiting */
	for (int i = 0; i < 40; i++)
		ck_assert_int_eq(loop_step(loop, 0), 0);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(recv(fd[i], &byte, 1, 0), 0);
	/* and then nothing spins: a step ends before its time only when something came of it */
	quiet = loop_now() + 20000000;
	ck_assert_int_eq(loop_step(loop, quiet), 0);
	ck_assert_uint_ge(loop_now(), quiet);
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	for (int i = 0; i < 4; i++)
		close(fd[i]);
	ck_assert_uint_eq(n_accepted, 0);
	close(join());
	while (n_accepted == 0)
		ck_assert_int_eq(loop_step(loop, UINT64_MAX), 0);
	end(listener);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("session");
	TCase *tc = tcase_create("listener");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, made_and_removed);
	tcase_add_test(tc, in_use);
	tcase_add_test(tc, stale_is_replaced);
	tcase_add_test(tc, outlived_is_replaced);
	tcase_add_test(tc, no_socket_is_left_alone);
	tcase_add_test(tc, adopted);
	tcase_add_test(tc, out_of_descriptors);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
