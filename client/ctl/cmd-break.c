/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mapsealctl break: a breaker from the shell.
 *
 * Without a COMMAND it recalls what is in the way and ends; the range is free at that moment and
 * nothing keeps it so. With one it holds the range free while the COMMAND runs, as a kernel would
 * hold the inode lock, and hands it the hold's token, so that what it starts does not wait for us.
 *
 * The account is always told, of refused breaks too: on standard output, or, beside a COMMAND,
 * whose output it would spoil, on standard error. A hold that expires does not kill the COMMAND,
 * which may be half way through what it does: it is warned of, and a success that was not under the
 * hold is not passed on as one.
 *
 * A read is announced rather than held off: others flush and go on, so there is no hold.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "client/ctl/json.h"
#include "client/ctl/render.h"
#include "client/ctl/run.h"
#include "util/range.h"
#include "util/units.h"

struct breaking {
	struct mapseal *m;
	struct mapseal_break *brk;
	struct mapseal_break_request request;
	const char *object, *want, *socket;
	bool json, expired, gone;
	FILE *out;
	struct run run;
};

static const struct option_choice wants[] = {
	{ "write", MAPSEAL_WANT_WRITE },
	{ "layout", MAPSEAL_WANT_LAYOUT },
	{ "read", MAPSEAL_WANT_READ },
	{ "map", MAPSEAL_WANT_MAP },
	{ "map-write", MAPSEAL_WANT_MAP_WRITE },
	{ "extend", MAPSEAL_WANT_EXTEND },
	{ NULL, 0 },
};

static struct json_object *error_object(int r)
{
	const struct mapseal_error *error = mapseal_last_error();
	const char *name = strerrorname_np(-r);
	bool known = error->error == -r;
	struct json_object *o;

	if (r == 0)
		return NULL;
	o = json_new_object();
	json_add_string(o, "errno", name ? name : "");
	json_add_string(o, "code", known ? error->code : "");
	json_add_string(o, "text", known ? error->text : strerror(-r));
	return o;
}

static void tell_json(const struct breaking *b, int r)
{
	const struct mapseal_account *account = NULL;
	size_t n = mapseal_break_account(b->brk, &account);
	struct json_object *o = json_new_object();

	json_add_u64(o, "id", mapseal_break_id(b->brk));
	json_add_string(o, "object", b->object);
	json_add_u64(o, "offset", b->request.offset);
	json_add_u64(o, "length", b->request.length);
	json_add_string(o, "want", b->want);
	json_add_string(o, "outcome", mapseal_break_outcome(b->brk));
	json_add_u64(o, "ms", mapseal_break_ms(b->brk));
	json_add_u64(o, "hold_ms", mapseal_break_hold_ms(b->brk));
	json_add(o, "holders", json_account(account, n));
	json_add(o, "error", error_object(r));
	json_print(o, b->out);
	fflush(b->out);
}

static void tell(const struct breaking *b)
{
	const struct mapseal_account *account = NULL;
	size_t n = mapseal_break_account(b->brk, &account);
	char range[RANGE_TEXT_MAX], took[UNITS_MAX], hold[UNITS_MAX];
	uint32_t hold_ms = mapseal_break_hold_ms(b->brk);

	fprintf(b->out, "break %" PRIu64 ": ", mapseal_break_id(b->brk));
	render_text(b->out, b->object);
	fprintf(b->out, " %s for %s: %s after %s, %zu %s in the way",
		range_format(b->request.offset, b->request.length, range), b->want,
		mapseal_break_outcome(b->brk), units_format_ms(mapseal_break_ms(b->brk), took), n,
		n == 1 ? "seal" : "seals");
	if (hold_ms)
		fprintf(b->out, "; held free for at most %s", units_format_ms(hold_ms, hold));
	fputc('\n', b->out);
	render_account(b->out, account, n);
	fflush(b->out);
}

static void lose(struct breaking *b)
{
	if (!b->gone)
		ctl_complain("the supervisor is gone: nothing is held any more");
	b->gone = true;
}

static void on_event(struct mapseal *m, const struct mapseal_event *e, void *data)
{
	struct breaking *b = data;

	(void)m;
	if (e->type == MAPSEAL_EVENT_BREAK_EXPIRED && !b->expired) {
		ctl_complain("the longest hold was reached: others may use the range from here on, "
			     "though the command still runs");
		b->expired = true;
	} else if (e->type == MAPSEAL_EVENT_DISCONNECTED) {
		lose(b);
	}
}

/* What the COMMAND starts is part of the break; it is also to find the same supervisor. */
static bool set_environment(const struct breaking *b)
{
	uint64_t token = mapseal_break_token(b->brk);
	char text[32];

	if (b->socket && setenv("MAPSEAL_SOCKET", b->socket, 1) < 0)
		return false;
	if (!token)
		return true;
	snprintf(text, sizeof(text), "%" PRIu64, token);
	if (setenv("MAPSEAL_TOKEN", text, 1) < 0)
		return false;
	snprintf(text, sizeof(text), "%" PRIu64, mapseal_break_id(b->brk));
	return setenv("MAPSEAL_BREAK", text, 1) == 0;
}

/* Ends the hold; 0, or EXIT_REVOKED if there was none any more. */
static int end(struct breaking *b)
{
	bool holds = mapseal_break_token(b->brk) != 0;
	struct mapseal_break *brk = take_ptr(b->brk);
	int r = mapseal_break_end(brk);

	if (!holds)
		return EXIT_OK;
	if (r == -ESTALE && !b->expired)
		ctl_complain("the longest hold was reached before the command ended");
	else if (r < 0 && r != -ESTALE && !b->gone)
		ctl_fail(r);
	return r < 0 || b->expired || b->gone ? EXIT_REVOKED : EXIT_OK;
}

static int loop(struct breaking *b)
{
	struct pollfd p[] = {
		{ .fd = mapseal_get_fd(b->m), .events = POLLIN },
		{ .fd = b->run.signalfd, .events = POLLIN },
		{ .fd = b->run.pidfd, .events = POLLIN },
	};

	for (;;) {
		/* First: what was taken in before does not make the descriptor readable. */
		if (p[0].fd >= 0 && mapseal_dispatch(b->m) < 0) {
			lose(b);
			p[0].fd = -1;
		}
		if (p[1].revents)
			run_signal(&b->run);
		if (p[2].revents) {
			int status = run_reap(&b->run), ended = end(b);

			return status ? status : ended;
		}
		if (poll(p, 3, -1) < 0 && errno != EINTR) {
			ctl_complain("poll: %s", strerror(errno));
			return EXIT_FAILED;
		}
	}
}

static int run_command(struct breaking *b, char **command)
{
	int r, ret;

	r = run_signals(&b->run);
	if (r < 0) {
		ctl_complain("cannot take signals: %s", strerror(-r));
		return EXIT_FAILED;
	}
	if (!set_environment(b))
		render_no_memory();
	return run_start(&b->run, command, &ret) ? loop(b) : ret;
}

static void breaking_done(struct breaking *b)
{
	mapseal_break_end(b->brk);
	mapseal_close(b->m);
	run_done(&b->run);
}

/* The right that the operation itself would need. */
static bool needs_writable(int want)
{
	return want != MAPSEAL_WANT_READ && want != MAPSEAL_WANT_MAP;
}

static const char *want_name(int want)
{
	const struct option_choice *c = wants;

	while (c->value != want)
		c++;
	return c->name;
}

COMMAND_FN(cmd_break)
{
	int want = MAPSEAL_WANT_LAYOUT;
	bool no_wait = false, will_change = false;
	uint32_t wait_ms = 0, hold_ms = 0;
	const struct option_spec options[] = {
		OPTION_CHOICE('f', "for", "WANT", wants, &want,
			      "layout (the default), write, extend, map-write, map or read"),
		OPTION_MS('w', "wait", &wait_ms, "give up if it is not free by then"),
		OPTION_FLAG('n', "no-wait", &no_wait, "recall nothing, give up at once"),
		OPTION_MS('H', "hold", &hold_ms, "hold it for COMMAND no longer than this"),
		OPTION_FLAG(0, "map-will-change", &will_change,
			    "holders must not write through their mapping any more"),
		OPTION_END,
	};
	_cleanup_(object_done) struct object object = { 0 };
	_cleanup_fd_ int fd = -1;
	_cleanup_(breaking_done) struct breaking b = { .run = RUN_INIT };
	struct mapseal_options wanted = { .on_event = on_event, .data = &b };
	struct options_rest rest;
	int r, ret;

	if (!ctl_arguments(ctl, self, options, OPTIONS_COMMAND, argv, 1, 1, &rest, &ret))
		return ret;
	if (no_wait && wait_ms)
		return ctl_misuse("break: --wait and --no-wait exclude each other");
	if (hold_ms && (!rest.command || want == MAPSEAL_WANT_READ))
		return ctl_misuse("break: --hold is for a COMMAND, and not with --for read");
	ret = ctl_object(rest.operands[0], needs_writable(want), &object, &fd);
	if (!ret)
		ret = ctl_connect(ctl, &wanted, &b.m);
	if (ret)
		return ret;

	b.object = object.name;
	b.want = want_name(want);
	b.socket = ctl->socket;
	b.json = ctl->json;
	b.out = rest.command ? stderr : stdout;
	b.request = (struct mapseal_break_request){
		.size = sizeof(b.request),
		.object = object.is_path ? NULL : object.name,
		.fd = fd,
		.offset = object.whole ? 0 : object.range.offset,
		.length = object.whole ? 0 : object.range.length,
		.want = (enum mapseal_want)want,
		.flags = (no_wait ? (unsigned int)MAPSEAL_BREAK_NO_WAIT : 0) |
			 (will_change ? (unsigned int)MAPSEAL_BREAK_MAP_WILL_CHANGE : 0) |
			 (rest.command && want != MAPSEAL_WANT_READ ?
				  (unsigned int)MAPSEAL_BREAK_HOLD :
				  0),
		.wait_ms = wait_ms,
		.hold_ms = hold_ms,
	};
	r = mapseal_break_begin(b.m, &b.request, &b.brk);
	if (b.brk && b.json)
		tell_json(&b, r);
	else if (b.brk)
		tell(&b);
	if (r < 0)
		return ctl_fail(r);
	/* The proof is given; our descriptor would only be one more outsider on the file. */
	fd = fd_close(fd);
	return rest.command ? run_command(&b, rest.command) : EXIT_OK;
}
