/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which file system a descriptor is on, whatever the tables say and whoever can see the mount. */

#include <errno.h>
#include <linux/fuse.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "daemon/authority/open.h"
#include "daemon/authority/proof.h"
#include "tests/unit/authority/authority-test.h"

static void setup(void)
{
	world_setup();
	make_file("own", CLIENT_UID, "the client's");
	ck_assert_int_eq(mkdir(at("mount"), 0755), 0);
}

static int open_path_only(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC);

	ck_assert_int_ge(fd, 0);
	return fd;
}

/* ---- tables ----------------------------------------------------------------------------- */

static int mount_id(int fd)
{
	char path[64];
	FILE *info;
	int id = -1;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	ck_assert_ptr_nonnull(info);
	ck_assert_int_eq(fscanf(info, "pos: %*d flags: %*o mnt_id: %d", &id), 1);
	fclose(info);
	return id;
}

/* "@" stands for the number of the mount that is asked for. */
static const struct {
	const char *lines, *type; /* NULL: not found */
} tables[] = {
	{ "@ 1 8:1 / / rw - ext4 /dev/sda rw\n", "ext4" },
	{ "@ 1 8:1 / / rw shared:1 master:2 propagate_from:3 unbindable - xfs x rw\n", "xfs" },
	{ "1 0 0:1 / / rw - proc p rw\n@ 1 8:1 / / rw - ext4 x rw\n2 0 0:2 / / rw - sysfs x rw\n",
	  "ext4" },
	{ "@ 1 0:9 / /\\040-\\040ext4 rw - fuse.ext4 ext4 rw\n", "fuse.ext4" },
	{ "@ 1 0:9 / - - - proc - ext4\n", "proc" },
	{ "@ 1 0:9 - ext4 rw shared:1 - proc proc rw\n", "proc" },
	{ "@ 1 0:9 / / rw - fuse.a-name-that-is-longer-than-any-file-system's x rw\n",
	  "fuse.a-name-that-is-longer-than" },
	{ "@ 1 8:1 / / rw - ext4", "ext4" },
	{ "@ 1 8:1 / / rw shared:1 ext4 /dev/sda rw\n", NULL },
	{ "@ 1 8:1 / / rw -\n", NULL },
	{ "@ 1 8:1 / / rw - \n", NULL },
	{ "@ 1 8:1\n", NULL },
	{ "@\n", NULL },
	{ "@x 1 8:1 / / rw - ext4 x rw\n", NULL },
	{ "-@ 1 8:1 / / rw - ext4 x rw\n", NULL },
	{ "@00000000000000000000 1 8:1 / / rw - ext4 x rw\n", NULL },
	{ "1@ 1 8:1 / / rw - ext4 x rw\n", NULL },
	{ "", NULL },
	{ "\n\n \n - \n-\n", NULL },
};

START_TEST(what_a_table_says)
{
	char type[MOUNTS_TYPE_MAX] = "untouched";
	int fd = open_path_only(at("own")), id = mount_id(fd), r;
	struct mounts *read;
	FILE *file = fopen(at("table"), "we");

	ck_assert_ptr_nonnull(file);
	for (const char *c = tables[_i].lines; *c; c++)
		if (*c == '@')
			fprintf(file, "%d", id);
		else
			fputc(*c, file);
	fclose(file);
	ck_assert_int_eq(mounts_new(at("table"), &read), 0);
	r = mounts_type(read, fd, 0, type);
	ck_assert_int_eq(r, tables[_i].type ? 0 : -ENOENT);
	ck_assert_str_eq(type, tables[_i].type ? tables[_i].type : "untouched");
	read = mounts_free(read);
	close(fd);
}
END_TEST

START_TEST(no_table)
{
	struct mounts *none = NULL;

	ck_assert_int_eq(mounts_new(at("nothing"), &none), -ENOENT);
	ck_assert_ptr_null(none);
	ck_assert_ptr_null(mounts_free(NULL));
}
END_TEST

START_TEST(new_mounts_are_noticed)
{
	static const char *const types[] = { "proc", "tmpfs", "sysfs" };
	char type[MOUNTS_TYPE_MAX];

	/* The kernel gives the same number again, so a stale table would say the previous type. */
	for (int i = 0; i < 30; i++) {
		int fd;

		ck_assert_int_eq(mount("test", at("mount"), types[i % 3], 0, NULL), 0);
		fd = open_path_only(at("mount"));
		ck_assert_int_eq(mounts_type(mounts, fd, 0, type), 0);
		ck_assert_str_eq(type, types[i % 3]);
		close(fd);
		ck_assert_int_eq(umount(at("mount")), 0);
	}
}
END_TEST

/* ---- mounts that others see ------------------------------------------------------------- */

START_TEST(mounts_of_the_peer)
{
	struct authority_file file = { .fd = -77 };
	char why[AUTHORITY_WHY_MAX] = "";
	int pair[2], fd, status;
	pid_t pid;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		char byte;

		close(pair[0]);
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(at("."), at("mount"), "none", MS_BIND, NULL) < 0)
			_exit(1);
		become_client();
		send_fd(pair[1], open(at("mount/own"), O_RDONLY | O_CLOEXEC));
		_exit(read(pair[1], &byte, 1) != 0);
	}
	close(pair[1]);
	fd = receive_fd(pair[0]);
	ck_assert_int_ge(fd, 0);
	/* On tmpfs the kernel itself tells what it is. */
	if (fcntl(fd, F_GET_SEALS) < 0) {
		ck_assert_int_eq(proof_check(mounts, fd, 0, false, &file, why, sizeof(why)),
				 AUTHORITY_E_UNSUPPORTED);
		must_explain(why);
		ck_assert_int_eq(proof_check(mounts, fd, getpid(), false, &file, why, sizeof(why)),
				 AUTHORITY_E_UNSUPPORTED);
		ck_assert_int_eq(file.fd, -77);
	}
	ck_assert_int_eq(proof_check(mounts, fd, pid, false, &file, why, sizeof(why)), 0);
	must_be_own(&file, false);
	close(file.fd);
	close(pair[0]);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
	/* And with a peer that is gone. */
	status = proof_check(mounts, fd, pid, false, &file, why, sizeof(why));
	ck_assert(status == AUTHORITY_E_UNSUPPORTED || fcntl(fd, F_GET_SEALS) >= 0);
	if (status == 0)
		close(file.fd);
	close(fd);
}
END_TEST

/* In a chroot the mount below our root is in no table but that of process 1. */
static int in_chroot(void)
{
	struct mounts *here, *alone;
	struct authority_file file;
	char why[AUTHORITY_WHY_MAX];
	int fd;

	if (chroot(at("root")) < 0 || chdir("/") < 0)
		return 10;
	fd = open("/file", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || mounts_new(NULL, &here) < 0 || mounts_new("/proc/self/mountinfo", &alone) < 0)
		return 11;
	if (fcntl(fd, F_GET_SEALS) < 0 &&
	    proof_check(alone, fd, getpid(), false, &file, why, sizeof(why)) !=
		    AUTHORITY_E_UNSUPPORTED)
		return 12;
	if (proof_check(here, fd, getpid(), false, &file, why, sizeof(why)) != 0)
		return 13;
	mounts_free(here);
	mounts_free(alone);
	return 0;
}

static int wait_for(pid_t pid)
{
	int status;

	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 20;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 21;
}

static int as_process_1(void)
{
	pid_t pid;

	if (unshare(CLONE_NEWNS) < 0 || mount("proc", at("root/proc"), "proc", 0, NULL) < 0)
		return 30;
	pid = fork();
	if (pid == 0)
		_exit(in_chroot());
	return wait_for(pid);
}

START_TEST(mounts_outside_our_root)
{
	pid_t pid;

	ck_assert_int_eq(mkdir(at("root"), 0755), 0);
	ck_assert_int_eq(mkdir(at("root/proc"), 0755), 0);
	make_file("root/file", 0, "in the chroot");
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWPID) < 0)
			_exit(40);
		pid = fork();
		if (pid == 0)
			_exit(as_process_1());
		_exit(wait_for(pid));
	}
	ck_assert_int_eq(wait_for(pid), 0);
}
END_TEST

/* ---- a file system that does not answer ------------------------------------------------- */

/*
 * A silent server must not hold the test itself. A close waits for the answer to FLUSH, and no
 * signal ends that, so there is none (NOFLUSH). And the server's end has to be open here alone, so
 * that closing it is what releases whoever waits.
 */

static void fuse_answer(int device, uint32_t opcode, const void *body, size_t size)
{
	static char request[1 << 16];
	struct fuse_in_header in;
	struct fuse_out_header out;
	char reply[256];

	ck_assert_int_ge(read(device, request, sizeof(request)), (ssize_t)sizeof(in));
	memcpy(&in, request, sizeof(in));
	ck_assert_uint_eq(in.opcode, opcode);
	out.len = (uint32_t)(sizeof(out) + size);
	out.error = 0;
	out.unique = in.unique;
	memcpy(reply, &out, sizeof(out));
	memcpy(reply + sizeof(out), body, size);
	ck_assert_int_eq(write(device, reply, out.len), (ssize_t)out.len);
}

START_TEST(fuse_is_not_asked)
{
	const struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION, .minor = 31, .max_write = 4096,
	};
	const struct fuse_open_out opened = { .fh = 1, .open_flags = FOPEN_NOFLUSH };
	struct authority_file file = { .fd = -77 };
	char options[128], why[AUTHORITY_WHY_MAX] = "";
	int device = open("/dev/fuse", O_RDWR | O_CLOEXEC), pair[2], fd;
	struct pollfd asked;
	pid_t pid;

	snprintf(options, sizeof(options), "fd=%d,rootmode=100644,user_id=0,group_id=0", device);
	if (device < 0 ||
	    mount("ext4", at("own"), "fuse.ext4", MS_NOSUID | MS_NODEV, options) < 0) {
		printf("skipped: no FUSE here: %s\n", strerror(errno));
		if (device >= 0)
			close(device);
		return;
	}
	fuse_answer(device, FUSE_INIT, &init, sizeof(init));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (pid == 0) {
		/* or its exit waits for an answer while it holds what would end the waiting */
		close(device);
		close(device);
		fd = open(at("own"), O_RDWR | O_CLOEXEC);
		if (fd < 0)
			_exit(1);
		send_fd(pair[1], fd);
		_exit(0);
	}
	fuse_answer(device, FUSE_OPEN, &opened, sizeof(opened));
	fd = receive_fd(pair[0]);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(wait_for(pid), 0);
	/* From here on it is silent, and would hold whoever asks it something. */
	ck_assert_int_eq(proof_check(mounts, fd, 0, true, &file, why, sizeof(why)),
			 AUTHORITY_E_UNSUPPORTED);
	must_explain(why);
	ck_assert_ptr_nonnull(strstr(why, "fuse.ext4"));
	ck_assert_int_eq(open_path(mounts, at("own"), false, &file, why, sizeof(why)),
			 AUTHORITY_E_UNSUPPORTED);
	ck_assert_int_eq(file.fd, -77);
	asked = (struct pollfd){ .fd = device, .events = POLLIN };
	ck_assert_int_eq(poll(&asked, 1, 0), 0);
	close(device);
	close(fd);
	close(pair[0]);
	close(pair[1]);
	ck_assert_int_eq(umount2(at("own"), MNT_DETACH), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("mounts");
	TCase *tc = tcase_create("mounts");

	world_or_skip();
	tcase_add_checked_fixture(tc, setup, world_teardown);
	tcase_add_loop_test(tc, what_a_table_says, 0, sizeof(tables) / sizeof(tables[0]));
	tcase_add_test(tc, no_table);
	tcase_add_test(tc, new_mounts_are_noticed);
	tcase_add_test(tc, mounts_of_the_peer);
	tcase_add_test(tc, mounts_outside_our_root);
	tcase_add_test(tc, fuse_is_not_asked);
	suite_add_tcase(suite, tc);
	return world_run(suite);
}
