/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Writes that hang in the kernel (a frozen file system): a revocation goes on at its limit and
 * keeps the bytes, the same when it is forced, and nothing of them lands when the file system goes
 * on. A patient fence waits for it, and all of them land; unless a revocation comes after it, which goes
 * on in the same way. */

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "rig.h"

#define N 300ul

static int run(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* The root of a small file system of its own, that may be frozen. */
static int own_filesystem(void)
{
	char directory[] = "/tmp/pager-XXXXXX", command[256];
	int root;

	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    !mkdtemp(directory))
		rig_skip("no mount namespace");
	snprintf(command, sizeof(command),
		 "mount -t tmpfs tmpfs %s && truncate -s 32M %s/image && "
		 "mkfs.ext4 -q -F %s/image && mount -o loop %s/image %s",
		 directory, directory, directory, directory, directory);
	if (run(command) != 0) {
		umount2(directory, MNT_DETACH);
		rmdir(directory);
		rig_skip("no ext4 on a loop device here");
	}
	root = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	umount2(directory, MNT_DETACH);
	umount2(directory, MNT_DETACH);
	rmdir(directory);
	check(root >= 0);
	return root;
}

static uint64_t in_ms(uint64_t ms)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec + ms * 1000000u;
}

/* A file of 'o', whose window is full of 'n'. */
struct written {
	int fd; /* ours */
	uint64_t object;
	struct window_of window;
};

static struct written write_window(struct rig *rig, int root)
{
	struct written written;
	int fd = openat(root, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	written.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	check(fd >= 0);
	for (unsigned long page = 0; page < N; page++)
		check_is(pwrite(fd, "o", 1, (off_t)(page * PAGE)), 1);
	check_is(ftruncate(fd, N * PAGE), 0);
	check_is(fsync(fd), 0);
	written.object = rig_object(rig, fd, N * PAGE, true);
	written.window = rig_window(rig, written.object, 0, N * PAGE, RIG_WRITE);
	for (unsigned long page = 0; page < N; page++)
		written.window.at[page * PAGE] = 'n';
	return written;
}

static uint64_t fence(struct rig *rig, const struct written *written, enum pager_how how,
		      uint64_t limit, bool patient)
{
	return rig_submit(rig, &(struct pager_job){
				       .type = PAGER_FENCE,
				       .window = written->window.id,
				       .end = N * PAGE,
				       .how = how,
				       .limit = limit,
				       .patient = patient,
			       });
}

static void is_kept(const struct pager_event *event, const struct written *written)
{
	unsigned char byte;

	check_is(event->error, 0);
	check_is(event->quarantined, N * PAGE);
	check_is(event->quarantine_errno, ETIMEDOUT);
	for (unsigned long page = 0; page < N; page++) {
		check_is(pread(event->quarantine_fd, &byte, 1, (off_t)(page * PAGE)), 1);
		check_is(byte, 'n');
	}
	close(event->quarantine_fd);
	check_is(lseek(written->window.memory, 0, SEEK_DATA), -1);
}

static void close_file(struct rig *rig, struct written *written, unsigned char expected)
{
	unsigned char byte;

	rig_close(rig, &written->window);
	check_is(rig_do(rig, (struct pager_job){ .type = PAGER_OBJECT_CLOSE,
						 .object = written->object })
			 .error,
		 0);
	for (unsigned long page = 0; page < N; page++) {
		check_is(pread(written->fd, &byte, 1, (off_t)(page * PAGE)), 1);
		check_is(byte, expected);
	}
	close(written->fd);
}

/* @first: COMMIT or FLUSH, which is stuck already; FENCE: none. */
static void hangs(struct rig *rig, int root, uint64_t limit, bool force, enum pager_job_type first)
{
	struct written written = write_window(rig, root);
	uint64_t tag, first_tag = 0;
	struct pager_event event;

	check_is(ioctl(root, FIFREEZE, 0), 0);
	if (first != PAGER_FENCE)
		first_tag = rig_submit(rig, &(struct pager_job){
						    .type = first,
						    .window = written.window.id,
						    .end = N * PAGE,
					    });
	tag = fence(rig, &written, PAGER_HOW_REVOKE, limit, false);
	if (force)
		pager_force(rig->pager, tag);
	event = rig_wait(rig, tag);
	is_kept(&event, &written);
	check_is(ioctl(root, FITHAW, 0), 0);
	if (first != PAGER_FENCE)
		check_is(rig_wait(rig, first_tag).error, -ECANCELED);
	close_file(rig, &written, 'o');
}

/* Its limit is over before that of the revocation, which says that time has passed. */
static void waits(struct rig *rig, int root, enum pager_how how)
{
	struct written patient = write_window(rig, root), other = write_window(rig, root);
	struct pager_event event;
	uint64_t tag;

	check_is(ioctl(root, FIFREEZE, 0), 0);
	tag = fence(rig, &patient, how, in_ms(1), true);
	event = rig_wait(rig, fence(rig, &other, PAGER_HOW_REVOKE, in_ms(100), false));
	is_kept(&event, &other);
	for (unsigned int i = 0; i < rig->n_early; i++)
		check(rig->early[i].tag != tag);
	check_is(ioctl(root, FITHAW, 0), 0);
	event = rig_wait(rig, tag);
	check_is(event.error, 0);
	check_is(event.fence, PAGER_FENCE_FENCED);
	check_is(event.quarantined, 0);
	close_file(rig, &patient, 'n');
	close_file(rig, &other, 'o');
}

static void is_overtaken(struct rig *rig, int root)
{
	struct written written = write_window(rig, root);
	struct pager_event event;
	uint64_t tag, late;

	check_is(ioctl(root, FIFREEZE, 0), 0);
	tag = fence(rig, &written, PAGER_HOW_RETURN, in_ms(1), true);
	late = fence(rig, &written, PAGER_HOW_REVOKE, in_ms(100), false);
	event = rig_wait(rig, late);
	is_kept(&event, &written);
	check_is(ioctl(root, FITHAW, 0), 0);
	check(rig_wait(rig, tag).error < 0);
	for (unsigned long page = 0; page < N; page += N / 3)
		check(!rig_write(written.window.at + page * PAGE, 'x'));
	close_file(rig, &written, 'o');
}

/* Its end is waited for just as long as is asked for; then it says what it left. */
static void is_left_behind(struct rig *rig, int root)
{
	struct written written = write_window(rig, root);
	struct pager_left left = { 0 };

	check_is(ioctl(root, FIFREEZE, 0), 0);
	fence(rig, &written, PAGER_HOW_DEATH, 0, true);
	check_is(pager_end(rig->pager, in_ms(100), &left), -ETIMEDOUT);
	check(!left.stuck);
	check_is(left.jobs, 1);
	check_is(left.bytes, N * PAGE);
	rig->pager = pager_free(rig->pager);
	check_is(ioctl(root, FITHAW, 0), 0);
	close(written.fd);
	close(rig->uffd);
}

int main(void)
{
	struct rig rig;
	int root;

	rig_start(&rig, &RIG_CONFIG);
	root = own_filesystem();
	hangs(&rig, root, in_ms(100), false, PAGER_FENCE);
	hangs(&rig, root, 0, true, PAGER_FENCE);
	hangs(&rig, root, in_ms(100), false, PAGER_COMMIT);
	hangs(&rig, root, 0, true, PAGER_COMMIT);
	hangs(&rig, root, in_ms(100), false, PAGER_FLUSH);
	hangs(&rig, root, 0, true, PAGER_FLUSH);
	waits(&rig, root, PAGER_HOW_RETURN);
	waits(&rig, root, PAGER_HOW_DEATH);
	is_overtaken(&rig, root);
	/* its end waits for every write that was under way */
	rig_stop(&rig);
	rig_start(&rig, &RIG_CONFIG);
	is_left_behind(&rig, root);
	close(root);
	return 0;
}
