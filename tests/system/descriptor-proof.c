/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A descriptor proves what its open mode says and nothing more: O_PATH, access mode 3, write-only and append-only
 * ones, FIFOs, directories, sockets, procfs and sysfs files are refused; a read-only one does not give WRITE; switching
 * O_APPEND or O_NONBLOCK on afterwards changes nothing for the supervisor's I/O.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { SIZE = 65536 };

static int try(struct mapseal *m, int fd, enum mapseal_mode mode)
{
	struct mapseal_request request = {
		.size = sizeof(request), .fd = fd, .mode = mode
	};
	struct mapseal_seal *seal;
	int r;

	expect(fd >= 0);
	r = mapseal_acquire(m, &request, &seal);
	close(fd);
	if (r == 0)
		mapseal_seal_free(seal);
	return r;
}

static int prover(int channel, void *data)
{
	const char *dir = data;
	struct mapseal *m = client(MAPSEAL_THREAD);
	struct mapseal_request request = { .size = sizeof(request), .mode = MAPSEAL_WRITE };
	char own[256], secret[256], fifo[256];
	struct mapseal_seal *seal;
	unsigned char byte;
	int fd, pair[2];

	(void)channel;
	snprintf(own, sizeof(own), "%s/own", dir);
	snprintf(secret, sizeof(secret), "%s/secret", dir);
	snprintf(fifo, sizeof(fifo), "%s/fifo", dir);

	/* may not be opened, but O_PATH may: it must not become a way in */
	expect(open(secret, O_RDONLY) < 0 && errno == EACCES);
	must_refuse(try(m, open(secret, O_PATH), MAPSEAL_READ), EBADF);
	must_refuse(try(m, open(own, O_WRONLY | O_RDWR), MAPSEAL_READ), EBADF);
	must_refuse(try(m, open(own, O_WRONLY | O_RDWR), MAPSEAL_WRITE), EBADF);
	must_refuse(try(m, open(own, O_WRONLY), MAPSEAL_READ), EACCES);
	must_refuse(try(m, open(own, O_RDONLY), MAPSEAL_WRITE), EACCES);
	must_refuse(try(m, open(own, O_RDWR | O_APPEND), MAPSEAL_WRITE), EACCES);
	must(try(m, open(own, O_RDONLY), MAPSEAL_READ));
	must(try(m, open(own, O_RDWR), MAPSEAL_READ));
	must(try(m, open(own, O_RDWR), MAPSEAL_WRITE));

	expect(mkfifo(fifo, 0600) == 0);
	must_refuse(try(m, open(fifo, O_RDWR), MAPSEAL_READ), EBADF);
	must_refuse(try(m, open(dir, O_RDONLY | O_DIRECTORY), MAPSEAL_READ), EBADF);
	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
	must_refuse(try(m, pair[0], MAPSEAL_READ), EBADF);
	close(pair[1]);
	must_refuse(try(m, open("/dev/zero", O_RDWR), MAPSEAL_READ), EBADF);
	must_refuse(try(m, open("/proc/self/status", O_RDONLY), MAPSEAL_READ), EOPNOTSUPP);
	must_refuse(try(m, open("/proc/version", O_RDONLY), MAPSEAL_READ), EOPNOTSUPP);
	must_refuse(try(m, open("/sys/kernel/mm/transparent_hugepage/enabled", O_RDONLY), MAPSEAL_READ),
		    EOPNOTSUPP);

	/* O_APPEND afterwards: what is committed lands where it belongs */
	fd = open(own, O_RDWR | O_CLOEXEC);
	request.fd = fd;
	must(mapseal_acquire(m, &request, &seal));
	expect(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK) == 0);
	((volatile unsigned char *)mapseal_address(seal))[5000] = '!';
	must(mapseal_commit(seal, 0, SIZE));
	mapseal_seal_free(seal);
	expect_eq(lseek(fd, 0, SEEK_END), SIZE);
	expect(pread(fd, &byte, 1, 5000) == 1 && byte == '!');
	expect(pread(fd, &byte, 1, 0) == 1 && byte == rig_byte(1, 0));
	close(fd);
	mapseal_close(m);
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *own, *dir = rig_path(rig, "dir");
	struct actor actor;

	expect(mkdir(dir, 0755) == 0 && chown(dir, RIG_UID, RIG_UID) == 0);
	own = rig_file(rig, "dir/own", SIZE, 1);
	expect(chown(own, RIG_UID, RIG_UID) == 0);
	(void)rig_file(rig, "dir/secret", SIZE, 2);
	rig_start(rig, NULL);
	actor = actor_start(prover, (void *)dir);
	actor_join(&actor);
	rig_free(rig);
	return 0;
}
