/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The two unprivileged processes of the demonstration, as a program would be written with the library.
 *
 * The holder verifies a database that it cannot open, changes it through memory and commits; it is cooperative:
 * the library's thread answers recalls. The reader is transparent: nobody asks it, its threads just wait
 * while somebody else needs the file.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "doc/examples/actors.h"
#include "doc/examples/stage.h"
#include "mapseal.h"

enum { CHUNK = 1 << 20, PAGE = 4096 };

static sigjmp_buf bus;

static void on_bus(int signal)
{
	(void)signal;
	siglongjmp(bus, 1);
}

static bool check_call(const char *who, int r, const char *what)
{
	if (r < 0)
		stage_check(who, false, "%s: %s", what, mapseal_last_error()->text);
	return r >= 0;
}

static struct mapseal *meet(const char *who, const struct play *play)
{
	struct mapseal_options options = {
		.size = sizeof(options),
		.socket = play->socket,
		.flags = MAPSEAL_THREAD,
	};
	struct mapseal *m;

	signal(SIGBUS, on_bus);
	signal(SIGPIPE, SIG_IGN);
	if (!check_call(who, mapseal_connect(&options, &m), "connect"))
		exit(1);
	return m;
}

static struct mapseal_seal *hold(const char *who, struct mapseal *m, uint64_t offset, uint64_t length,
				 enum mapseal_mode mode, unsigned int flags, mapseal_recall_fn fn)
{
	struct mapseal_request request = {
		.size = sizeof(request),
		.object = "db",
		.fd = -1,
		.offset = offset,
		.length = length,
		.mode = mode,
		.flags = flags,
		.on_recall = fn,
	};
	struct mapseal_seal *seal;

	if (!check_call(who, mapseal_acquire(m, &request, &seal), "acquire"))
		exit(1);
	stage_say(who, "granted seal %llu: %s of bytes %llu to %llu", (unsigned long long)mapseal_id(seal),
		  mode == MAPSEAL_READ ? "READ" : "WRITE", (unsigned long long)offset,
		  (unsigned long long)(offset + mapseal_length(seal)));
	return seal;
}

/* The window's bytes to sha256sum(1): system calls need the pages brought in first. */
static void digest_window(const char *who, struct mapseal_seal *seal, char ret[65])
{
	const char *bytes = mapseal_address(seal);
	uint64_t length = mapseal_length(seal);
	int result, pipe_fd;
	pid_t pid;

	pipe_fd = stage_digest_begin(&pid, &result);
	for (uint64_t at = 0; at < length; at += CHUNK) {
		size_t n = length - at < CHUNK ? (size_t)(length - at) : CHUNK, done = 0;

		if (!check_call(who, mapseal_enter(seal), "enter"))
			exit(1);
		if (!check_call(who, mapseal_populate(seal, at, n, MAPSEAL_READ), "populate"))
			exit(1);
		while (done < n) {
			ssize_t w = write(pipe_fd, bytes + at + done, n - done);

			if (w < 0) {
				stage_check(who, false, "write: %s", strerror(errno));
				exit(1);
			}
			done += (size_t)w;
		}
		mapseal_exit(seal);
	}
	stage_digest_end(pipe_fd, pid, result, ret);
}

static void put_be32(volatile unsigned char *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (unsigned char)(value >> (24 - 8 * i));
}

static enum mapseal_verdict on_recall(struct mapseal_recall *recall, void *data)
{
	(void)data;
	stage_say("holder", "asked for bytes %llu to %llu within %u ms: returning them",
		  (unsigned long long)recall->offset,
		  (unsigned long long)(recall->offset + recall->length), recall->deadline_ms);
	return MAPSEAL_RETURN;
}

int actor_holder(int channel, const void *data)
{
	const struct play *play = data;
	struct mapseal *m = meet("holder", play);
	struct mapseal_seal *seal;
	volatile unsigned char *bytes;
	volatile int reached = 0;
	char digest[65];
	bool is_denied;

	is_denied = open(play->path, O_RDONLY) < 0 && errno == EACCES;
	stage_check("holder", is_denied, "uid %d cannot open the file: %s", (int)getuid(),
		    is_denied ? strerror(EACCES) : "but it should not");

	seal = hold("holder", m, 0, 0, MAPSEAL_READ, 0, NULL);
	digest_window("holder", seal, digest);
	stage_check("holder", strcmp(digest, play->digest) == 0, "its bytes are right: SHA-256 %.16s...",
		    digest);
	mapseal_seal_free(seal);

	seal = hold("holder", m, 0, HEADER_LENGTH, MAPSEAL_WRITE, 0, on_recall);
	bytes = mapseal_address(seal);
	if (mapseal_enter(seal) == 0) {
		put_be32(bytes + USER_VERSION_OFFSET, USER_VERSION);
		mapseal_exit(seal);
	}
	if (check_call("holder", mapseal_commit(seal, 0, HEADER_LENGTH), "commit"))
		stage_say("holder", "committed user_version = %d", USER_VERSION);
	if (mapseal_enter(seal) == 0) {
		put_be32(bytes + APPLICATION_ID_OFFSET, APPLICATION_ID);
		mapseal_exit(seal);
	}
	stage_say("holder", "written, not committed: application_id = %#x", APPLICATION_ID);
	stage_cue(channel);

	/* Here it is stopped, in the second scene. */
	stage_await(channel);
	if (play->is_silent) {
		for (reached = 0; reached < HEADER_LENGTH; reached += PAGE)
			if (sigsetjmp(bus, 1) == 0) {
				bytes[reached] = 0xee;
				break;
			}
		stage_check("holder", reached >= HEADER_LENGTH,
			    "goes on and writes to every page of its window: SIGBUS, %d of %d",
			    reached / PAGE, HEADER_LENGTH / PAGE);
		stage_check("holder", mapseal_enter(seal) == -ESTALE, "mapseal_enter() says ESTALE");
	} else {
		/* It and the breaker are told at the same time. */
		while (mapseal_seal_state(seal) == MAPSEAL_RECALLED)
			sched_yield();
		stage_check("holder", mapseal_seal_state(seal) == MAPSEAL_RETURNED,
			    "its seal is returned");
	}
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}

static double ms_since(const struct timespec *then)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - then->tv_sec) * 1e3 + (double)(now.tv_nsec - then->tv_nsec) / 1e6;
}

/* One page's sum; false for SIGBUS. A function of its own, so that nothing of its caller's is clobbered. */
static bool sum_page(const volatile uint64_t *words, uint64_t *ret)
{
	volatile uint64_t sum = 0;

	if (sigsetjmp(bus, 1) != 0)
		return false;
	for (size_t i = 0; i < PAGE / sizeof(*words); i++)
		sum = sum * 31 + words[i];
	*ret = sum;
	return true;
}

/* Reads every page in a loop, notices when it had to wait and where the file ends now. */
int actor_reader(int channel, const void *data)
{
	const struct play *play = data;
	struct mapseal *m = meet("reader", play);
	struct mapseal_seal *seal = hold("reader", m, HEADER_LENGTH, play->size - HEADER_LENGTH,
					 MAPSEAL_READ, MAPSEAL_TRANSPARENT, NULL);
	const volatile uint64_t *words = mapseal_address(seal);
	size_t pages = (size_t)((play->size - HEADER_LENGTH) / PAGE);
	size_t kept = (size_t)((play->half - HEADER_LENGTH) / PAGE);
	uint64_t *sums = calloc(pages, sizeof(*sums));
	size_t buses = 0, wrong = 0;
	double longest = 0;
	int rounds = 0;

	if (!sums)
		return 1;
	for (size_t page = 0; page < pages; page++)
		wrong += !sum_page(words + page * (PAGE / sizeof(*words)), &sums[page]);
	stage_check("reader", wrong == 0, "has read %zu pages once, goes on in a loop", pages);
	stage_cue(channel);
	/* until the file ends earlier than it did */
	while (buses == 0) {
		for (size_t page = 0; page < pages; page++) {
			struct timespec before;
			uint64_t sum;
			double ms;

			clock_gettime(CLOCK_MONOTONIC, &before);
			if (!sum_page(words + page * (PAGE / sizeof(*words)), &sum)) {
				buses++;
				continue;
			}
			ms = ms_since(&before);
			if (ms > longest)
				longest = ms;
			wrong += sums[page] != sum;
		}
		rounds++;
	}
	stage_check("reader", wrong == 0,
		    "was parked %.1f ms at a page, then granted again (seq %u, size now %llu)", longest,
		    mapseal_seq(seal), (unsigned long long)mapseal_object_size(seal));
	/* once more, from the start: before the end all is as it was, past it is SIGBUS */
	buses = wrong = 0;
	for (size_t page = 0; page < pages; page++) {
		uint64_t sum;

		if (!sum_page(words + page * (PAGE / sizeof(*words)), &sum)) {
			buses++;
			wrong += page < kept;
			continue;
		}
		wrong += sums[page] != sum || page >= kept;
	}
	stage_check("reader", wrong == 0 && buses == pages - kept,
		    "after %d rounds: %zu pages as before, SIGBUS on %zu past the end, handled", rounds,
		    pages - buses, buses);
	free(sums);
	mapseal_seal_free(seal);
	mapseal_close(m);
	return 0;
}
