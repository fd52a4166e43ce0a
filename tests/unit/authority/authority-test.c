/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A directory below $TMPDIR, or a tmpfs there if its file system is none that is lent from; it is
 * emptied and removed after each test. Clients are children that have given up being root.
 */

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <grp.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "daemon/authority/proof.h"
#include "tests/unit/authority/authority-test.h"

struct mounts *mounts;

static char directory[PATH_MAX];
static size_t open_before;

static size_t count_open(void)
{
	DIR *dir = opendir("/proc/self/fd");
	size_t n = 0;

	ck_assert_ptr_nonnull(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

void world_or_skip(void)
{
	if (geteuid() != 0) {
		printf("only root may open what a client can't, and mount\n");
		exit(77);
	}
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", "none", MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("no mount namespace of our own: %s\n", strerror(errno));
		exit(77);
	}
}

int world_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}

void world_setup(void)
{
	const char *parent = getenv("TMPDIR");
	char why[AUTHORITY_WHY_MAX];
	int fd, r;

	open_before = count_open();
	snprintf(directory, sizeof(directory), "%s/authority-XXXXXX", parent ? parent : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	ck_assert_int_eq(mounts_new(NULL, &mounts), 0);
	fd = open(directory, O_PATH | O_CLOEXEC);
	r = proof_file_system(mounts, fd, 0, directory, why, sizeof(why));
	close(fd);
	if (r != 0) /* a container's overlay, perhaps */
		ck_assert_int_eq(mount("tmpfs", directory, "tmpfs", 0, "size=16m"), 0);
	ck_assert_int_eq(chmod(directory, 0755), 0);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

void world_teardown(void)
{
	mounts = mounts_free(mounts);
	ck_assert_uint_eq(count_open(), open_before);
	nftw(directory, remove_one, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	umount2(directory, MNT_DETACH);
	rmdir(directory);
}

const char *at(const char *name)
{
	static char paths[8][PATH_MAX];
	static unsigned int next;
	char *path = paths[next++ % 8];

	ck_assert_int_lt(snprintf(path, PATH_MAX, "%.200s/%.200s", directory, name), PATH_MAX);
	return path;
}

void make_file(const char *name, uid_t owner, const char *content)
{
	int fd = open(at(name), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	ck_assert_int_eq(fchown(fd, owner, owner), 0);
	close(fd);
}

/* ---- the client ------------------------------------------------------------------------- */

void become_client(void)
{
	if (setgroups(0, NULL) < 0 || setresgid(CLIENT_UID, CLIENT_UID, CLIENT_UID) < 0 ||
	    setresuid(CLIENT_UID, CLIENT_UID, CLIENT_UID) < 0)
		_exit(99);
}

union control {
	char buffer[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

void send_fd(int socket, int fd)
{
	union control control = { 0 };
	struct iovec iov = { .iov_base = (char[1]){ 0 }, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buffer,
		.msg_controllen = sizeof(control.buffer),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	if (sendmsg(socket, &msg, 0) != 1)
		_exit(98);
}

int receive_fd(int socket)
{
	union control control = { 0 };
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control.buffer,
		.msg_controllen = sizeof(control.buffer),
	};
	struct cmsghdr *c;
	int fd;

	if (recvmsg(socket, &msg, MSG_CMSG_CLOEXEC) != 1)
		return -ECONNRESET;
	c = CMSG_FIRSTHDR(&msg);
	if (!c)
		return -EBADMSG;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	return fd;
}

int client_open(const char *path, int flags)
{
	int pair[2], fd, status;
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		become_client();
		close(pair[0]);
		fd = open(path, flags | O_CLOEXEC);
		if (fd < 0)
			_exit(errno);
		send_fd(pair[1], fd);
		_exit(0);
	}
	close(pair[1]);
	fd = receive_fd(pair[0]);
	close(pair[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFEXITED(status));
	return WEXITSTATUS(status) ? -WEXITSTATUS(status) : fd;
}

/* ---- judgements ------------------------------------------------------------------------- */

void must_explain(const char *why)
{
	size_t n = strlen(why);

	ck_assert_uint_ge(n, 20);
	ck_assert_uint_lt(n, AUTHORITY_WHY_MAX - 1);
}

void must_be_own(const struct authority_file *file, bool write)
{
	int flags = fcntl(file->fd, F_GETFL);
	struct stat st;

	ck_assert_int_eq(flags & (O_ACCMODE | O_APPEND | O_DIRECT | O_NONBLOCK | O_PATH),
			 file->writable ? O_RDWR : O_RDONLY);
	ck_assert(fcntl(file->fd, F_GETFD) & FD_CLOEXEC);
	ck_assert_int_eq(fstat(file->fd, &st), 0);
	ck_assert(file->dev == st.st_dev && file->ino == st.st_ino);
	ck_assert_uint_eq(file->size, (uint64_t)st.st_size);
	ck_assert(file->writable || !write);
}

void must_refuse(int fd, bool write, int error)
{
	struct authority_file file = { .fd = -77 };
	char why[AUTHORITY_WHY_MAX] = "";

	ck_assert_int_eq(proof_check(mounts, fd, getpid(), write, &file, why, sizeof(why)), error);
	ck_assert_int_eq(file.fd, -77);
	must_explain(why);
	if (fd >= 0)
		close(fd);
}

void must_prove(int fd, bool write)
{
	struct authority_file file = { .fd = -77 };
	char why[AUTHORITY_WHY_MAX] = "";
	struct stat st;

	ck_assert_int_ge(fd, 0);
	ck_assert_msg(proof_check(mounts, fd, getpid(), write, &file, why, sizeof(why)) == 0, "%s",
		      why);
	must_be_own(&file, write);
	ck_assert_int_eq(fstat(fd, &st), 0);
	ck_assert(file.dev == st.st_dev && file.ino == st.st_ino);
	close(file.fd);
	close(fd);
}
