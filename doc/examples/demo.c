/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The demonstration: a database that only root may open is lent to unprivileged processes, and taken back.
 *
 * Twice the same play: a holder verifies the file, changes it through memory and commits; a second, transparent
 * process reads on in a loop; then somebody truncates the file to half. In the first scene the holder is asked
 * and returns; in the second it is stopped and cannot, so that its seal is revoked at the deadline. Everything that
 * is shown is checked ('+' right, '!' wrong); the exit status says whether all of it was right.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "doc/examples/actors.h"
#include "doc/examples/stage.h"
#include "mapseal.h"

enum { DEADLINE_MS = 600, HARD_MS = 2000, DATABASE_MIN = 64 << 20 };

static char directory[64];

static bool run(const char *const argv[])
{
	int status = stage_wait(stage_program(argv));

	return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void make_database(const char *path)
{
	const char *sql = "CREATE TABLE t(id INTEGER PRIMARY KEY, data BLOB);"
			  "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 18000)"
			  "INSERT INTO t SELECT i, randomblob(4000) FROM n;";
	struct stat st;

	stage_need(run((const char *const[]){ "sqlite3", path, sql, NULL }), "sqlite3");
	stage_need(chmod(path, 0600) == 0 && stat(path, &st) == 0, path);
	stage_need(st.st_size > DATABASE_MIN, "a database of more than 64 MiB");
}

static pid_t start_supervisor(const char *program, const struct play *play)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	char config[128], message[256];
	FILE *file;
	ssize_t n;
	pid_t pid;
	int fd;

	snprintf(config, sizeof(config), "%s/mapseald.conf", directory);
	file = fopen(config, "we");
	stage_need(file, config);
	fprintf(file,
		"[export db]\npath = %s\nread = uid:%d\nwrite = uid:%d\nkernel-faults = uid:%d\n"
		"deadline-ms = %d\nhard-ms = %d\n",
		play->path, STAGE_UID, STAGE_UID, STAGE_UID, DEADLINE_MS, HARD_MS);
	stage_need(fclose(file) == 0, config);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", directory);
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	stage_need(fd >= 0 && bind(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "a socket");
	setenv("NOTIFY_SOCKET", address.sun_path, 1);
	pid = stage_program((const char *const[]){ program, "--socket", play->socket, "--config", config,
						    NULL });
	unsetenv("NOTIFY_SOCKET");
	do {
		n = recv(fd, message, sizeof(message) - 1, 0);
		stage_need(n > 0, "the supervisor");
		message[n] = '\0';
	} while (!strstr(message, "READY=1"));
	close(fd);
	unlink(address.sun_path);
	return pid;
}

static void on_change(const struct mapseal_change *change, void *data)
{
	(void)data;
	if (change->length == 0)
		stage_say("supervisor", "%s %llu: %s from %llu on, pid %d (%s) %s", change->change,
			  (unsigned long long)change->id, change->object,
			  (unsigned long long)change->offset, (int)change->pid, change->comm,
			  change->detail);
	else
		stage_say("supervisor", "%s %llu: %s %llu+%llu, pid %d (%s) %s", change->change,
			  (unsigned long long)change->id, change->object,
			  (unsigned long long)change->offset, (unsigned long long)change->length,
			  (int)change->pid, change->comm, change->detail);
}

static uint32_t read_be32(const char *path, off_t offset)
{
	unsigned char bytes[4] = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	stage_need(fd >= 0 && pread(fd, bytes, 4, offset) == 4, path);
	close(fd);
	return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
}

/* The breaker: recall everything, truncate while the range is held free, let go. */
static void truncate_to_half(struct mapseal *m, const struct play *play)
{
	struct mapseal_break_request request = {
		.size = sizeof(request),
		.object = "db",
		.fd = -1,
		.want = MAPSEAL_WANT_LAYOUT,
		.flags = MAPSEAL_BREAK_HOLD,
	};
	const struct mapseal_account *account;
	struct mapseal_break *brk;
	struct stat st;
	size_t n;

	stage_say("breaker", "wants to truncate the file to half: break");
	if (mapseal_break_begin(m, &request, &brk) < 0) {
		stage_check("breaker", false, "break: %s", mapseal_last_error()->text);
		return;
	}
	n = mapseal_break_account(brk, &account);
	for (size_t i = 0; i < n; i++)
		stage_say("breaker", "  seal %llu of pid %d (%s): answer %s, %s, %s, %u ms",
			  (unsigned long long)account[i].seal, (int)account[i].pid, account[i].comm,
			  account[i].answer, account[i].result, account[i].fence, account[i].ms);
	stage_check("breaker", n == 2, "%zu holders were in the way", n);
	for (size_t i = 0; i < n; i++) {
		bool is_reader = strcmp(account[i].result, "parked") == 0;

		if (is_reader)
			continue;
		stage_check("breaker",
			    strcmp(account[i].result, play->is_silent ? "revoked" : "returned") == 0 &&
				    strcmp(account[i].fence, "fenced") == 0,
			    "the holder's seal was %s, and is fenced", account[i].result);
	}
	stage_check("breaker", truncate(play->path, (off_t)play->half) == 0 &&
				       stat(play->path, &st) == 0 && (uint64_t)st.st_size == play->half,
		    "truncated to %llu bytes", (unsigned long long)play->half);
	stage_check("breaker", mapseal_break_end(brk) == 0, "break ended");
}

static void scene(const char *title, const char *supervisor, const char *database, bool is_silent)
{
	struct mapseal_options options = { .size = sizeof(options), .flags = MAPSEAL_THREAD };
	struct play play = { .is_silent = is_silent };
	pid_t holder, reader, daemon;
	struct mapseal_status status;
	int to_holder, to_reader;
	struct mapseal *m;
	struct stat st;

	snprintf(play.path, sizeof(play.path), "%s/play.db", directory);
	snprintf(play.socket, sizeof(play.socket), "%s/socket", directory);
	stage_need(run((const char *const[]){ "cp", "--preserve=mode", database, play.path, NULL }), "cp");
	stage_digest_file(play.path, play.digest);
	stage_need(stat(play.path, &st) == 0, play.path);
	play.size = (uint64_t)st.st_size;
	play.half = play.size / 2 / 4096 * 4096;

	stage_begin(title);
	daemon = start_supervisor(supervisor, &play);
	options.socket = play.socket;
	stage_need(mapseal_connect(&options, &m) == 0, mapseal_last_error()->text);
	stage_need(mapseal_watch(m, on_change, NULL) == 0, mapseal_last_error()->text);

	holder = stage_actor(actor_holder, &play, &to_holder);
	stage_need(stage_await(to_holder), "the holder");
	reader = stage_actor(actor_reader, &play, &to_reader);
	stage_need(stage_await(to_reader), "the reader");
	stage_need(mapseal_get_status(m, &status) == 0, mapseal_last_error()->text);
	stage_say("supervisor", "%llu faults served, %llu pages filled",
		  (unsigned long long)status.faults, (unsigned long long)status.pages_filled);
	stage_check("breaker", read_be32(play.path, USER_VERSION_OFFSET) == USER_VERSION,
		    "user_version in the file is %u", read_be32(play.path, USER_VERSION_OFFSET));

	if (is_silent) {
		int stopped;

		stage_need(kill(holder, SIGSTOP) == 0, "SIGSTOP");
		stage_need(waitpid(holder, &stopped, WUNTRACED) == holder && WIFSTOPPED(stopped),
			   "a stopped holder");
		stage_say("breaker", "the holder is stopped (SIGSTOP): it will not answer");
	}
	truncate_to_half(m, &play);
	if (is_silent)
		stage_need(kill(holder, SIGCONT) == 0, "SIGCONT");
	stage_cue(to_holder);
	stage_check("holder", stage_wait(holder) == 0, "left in good order");
	stage_check("reader", stage_wait(reader) == 0, "left in good order");
	close(to_holder);
	close(to_reader);

	stage_check("breaker", read_be32(play.path, USER_VERSION_OFFSET) == USER_VERSION,
		    "what was committed is in the file: user_version %u",
		    read_be32(play.path, USER_VERSION_OFFSET));
	stage_check("breaker", read_be32(play.path, APPLICATION_ID_OFFSET) == APPLICATION_ID,
		    "what was written before the %s is too: application_id %#x",
		    is_silent ? "revocation" : "return", read_be32(play.path, APPLICATION_ID_OFFSET));
	if (is_silent)
		stage_check("breaker", read_be32(play.path, 0) == 0x53514c69 /* "SQLi" */,
			    "what was written after it is not: the file begins with \"SQLi\"");
	mapseal_close(m);
	stage_need(kill(daemon, SIGTERM) == 0, "the supervisor");
	stage_check("supervisor", stage_wait(daemon) == 0, "left in good order");
	stage_flush();
	unlink(play.path);
}

int main(int argc, char **argv)
{
	char database[128];

	if (argc != 2 || geteuid() != 0) {
		fprintf(stderr, "usage: demo PATH-OF-MAPSEALD, as root\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	snprintf(directory, sizeof(directory), "/var/tmp/mapseal-demo-XXXXXX");
	stage_need(mkdtemp(directory) && chmod(directory, 0755) == 0, "a directory");
	snprintf(database, sizeof(database), "%s/original.db", directory);
	stage_open();
	stage_begin("A database is written by sqlite3; only root may open it.");
	make_database(database);

	scene("Scene 1: the holder is asked, and returns its seal.", argv[1], database, false);
	scene("Scene 2: the holder is stopped, and is revoked at the deadline.", argv[1], database, true);

	run((const char *const[]){ "rm", "-rf", directory, NULL });
	if (stage_failures() > 0) {
		printf("\n%d checks failed\n", stage_failures());
		return 1;
	}
	printf("\nEverything shown was checked, and right.\n");
	return 0;
}
