/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mapsealctl watch: a line for every change, flushed at once, until interrupted or nobody reads any
 * more.
 *
 * The first line says that the watch has begun: what happens after it was printed is reported,
 * which is what a script needs to know before it does something worth watching.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/ctl/ctl.h"
#include "client/ctl/json.h"
#include "client/ctl/render.h"
#include "util/range.h"

static void print_line(const struct mapseal_change *c)
{
	char range[RANGE_TEXT_MAX], clock[16] = "";
	time_t seconds = (time_t)(c->time_ms / 1000);
	struct tm tm;

	if (localtime_r(&seconds, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	printf("%s.%03u  %-13s", clock, (unsigned int)(c->time_ms % 1000), c->change);
	if (c->id) {
		printf("  %" PRIu64 "  ", c->id);
		render_text(stdout, c->object);
		printf(" %s  pid %d (", range_format(c->offset, c->length, range), (int)c->pid);
		render_text(stdout, c->comm);
		printf(") uid %u", (unsigned int)c->uid);
	}
	if (*c->detail) {
		fputs("  ", stdout);
		render_text(stdout, c->detail);
	}
	fputc('\n', stdout);
	fflush(stdout);
}

static void on_change(const struct mapseal_change *change, void *data)
{
	const struct ctl *ctl = data;

	if (ctl->json)
		json_print_line(json_change(change), stdout);
	else
		print_line(change);
}

static void say_begun(struct ctl *ctl)
{
	struct timespec now;
	struct mapseal_change begun = {
		.change = "watching",
		.object = "",
		.comm = "",
		.detail = "",
	};

	clock_gettime(CLOCK_REALTIME, &now);
	begun.time_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
	on_change(&begun, ctl);
}

static int loop(struct mapseal *m)
{
	struct pollfd p[] = {
		{ .fd = mapseal_get_fd(m), .events = POLLIN },
		{ .fd = STDOUT_FILENO, .events = 0 }, /* POLLERR: the reader has gone */
	};

	for (;;) {
		int r = mapseal_dispatch(m);

		if (r < 0)
			return ctl_fail(r);
		if (p[1].revents & POLLERR || ferror(stdout))
			return EXIT_SIGNAL + SIGPIPE;
		if (poll(p, 2, -1) < 0 && errno != EINTR) {
			ctl_complain("poll: %s", strerror(errno));
			return EXIT_FAILED;
		}
	}
}

COMMAND_FN(cmd_watch)
{
	const struct option_spec options[] = { OPTION_END };
	_cleanup_(mapseal_closep) struct mapseal *m = NULL;
	struct options_rest rest;
	int r, ret;

	if (!ctl_arguments(ctl, self, options, 0, argv, 0, 0, &rest, &ret))
		return ret;
	ret = ctl_connect(ctl, NULL, &m);
	if (ret)
		return ret;
	signal(SIGPIPE, SIG_IGN);
	r = mapseal_watch(m, on_change, ctl);
	if (r < 0)
		return ctl_fail(r);
	say_begun(ctl);
	return loop(m);
}
