/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Who connected gets no hard seal for what a set-user-id program may do that it has become since, while
 * another process has its socket.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

static int asks(struct raw *raw, int channel, pid_t peer)
{
	struct proto_message acquire = {
		.type = PROTO_ACQUIRE,
		.acquire = { .object = "soft", .mode = PROTO_MODE_WRITE, .kind = PROTO_KIND_DIRECT,
			     .flags = PROTO_ACQUIRE_WHOLE | PROTO_ACQUIRE_HARD },
	};
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", peer);
	expect(stat(path, &st) == 0);
	if (st.st_uid == 0) {
		raw_refused(raw, &acquire, -1, DENIED);
		cue(channel, "refused");
	} else {
		cue(channel, "nosuid");
	}
	return 0;
}

static int connects(int channel, void *data)
{
	pid_t me = getpid(), child;
	int executed[2];
	struct raw raw;
	char byte;

	raw_hello(&raw);
	expect(pipe2(executed, O_CLOEXEC) == 0);
	child = fork();
	expect(child >= 0);
	if (child == 0) {
		close(executed[1]);
		expect_eq(read(executed[0], &byte, 1), 0);
		_exit(asks(&raw, channel, me));
	}
	execl(data, "sleep", "infinity", (char *)NULL);
	return 1;
}

static void copy_program(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = open(to, O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
	char bytes[65536];
	ssize_t n;

	expect(in >= 0 && out >= 0);
	while ((n = read(in, bytes, sizeof(bytes))) > 0)
		expect_eq(write(out, bytes, (size_t)n), n);
	expect(fchmod(out, 04755) == 0);
	close(in);
	close(out);
}

int main(void)
{
	struct rig *rig = rig_new();
	char program[256], word[16];
	struct actor actor;
	ssize_t n;

	rig_mount(rig, "disk", "ext4", 64 * MiB);
	snprintf(program, sizeof(program), "%s", rig_path(rig, "sleep"));
	copy_program("/bin/sleep", program);
	rig_start(rig, "[export soft]\npath = %s\nread = *\nwrite = *\n",
		  rig_file(rig, "disk/soft", 64 * KiB, 2));
	actor = actor_start(connects, program);
	n = read(actor.channel, word, sizeof(word) - 1);
	expect(n > 0);
	word[n] = '\0';
	actor_kill(&actor, SIGKILL);
	rig_free(rig);
	if (strncmp(word, "nosuid", 6) == 0) {
		puts("the directory of the test is mounted nosuid");
		return 77;
	}
	expect(strncmp(word, "refused", 7) == 0);
	return 0;
}
