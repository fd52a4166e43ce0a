/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mapsealctl hold: a cooperative holder from the shell.
 *
 * It holds one seal and touches none of its bytes, so a recall can be answered at once: the whole
 * seal is returned, even if a part was asked for, since "held until recalled" is what a script can
 * wait for. The connection, the signals and the COMMAND are descriptors in one poll loop; there is
 * no other thread.
 *
 * Lines about the seal go to standard output, or, beside a COMMAND, whose output must not be mixed
 * with ours, to standard error.
 */

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <string.h>

#include "client/ctl/ctl.h"
#include "client/ctl/json.h"
#include "client/ctl/render.h"
#include "client/ctl/run.h"
#include "util/range.h"
#include "util/units.h"

struct hold {
	struct mapseal *m;
	struct mapseal_seal *seal;
	const char *object, *mode, *kind;
	bool json;
	FILE *out;
	bool over;  /* nothing is held any more */
	int status; /* why, when it is over */
	struct run run;
};

/* An event with the fields that every event has. */
static struct json_object *event(const struct hold *h, const char *name)
{
	struct json_object *o = json_new_object();

	json_add_string(o, "event", name);
	json_add_u64(o, "id", mapseal_id(h->seal));
	json_add_u64(o, "seq", mapseal_seq(h->seal));
	return o;
}

__attribute__((__format__(__printf__, 2, 3))) static void say(const struct hold *h,
							      const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	render_text(h->out, text);
	fputc('\n', h->out);
	fflush(h->out);
}

static void over(struct hold *h, int status)
{
	if (!h->over)
		h->status = status;
	h->over = true;
}

static void say_held(const struct hold *h)
{
	uint64_t offset = mapseal_offset(h->seal), length = mapseal_length(h->seal);
	char range[RANGE_TEXT_MAX];
	struct json_object *o;

	if (!h->json) {
		say(h, "held seal %" PRIu64 ": %s %s %s, until recalled%s", mapseal_id(h->seal),
		    h->object, range_format(offset, length, range), h->mode,
		    mapseal_seal_is_weak(h->seal) ? " (weak)" : "");
		return;
	}
	o = event(h, "held");
	json_add_string(o, "object", h->object);
	json_add_u64(o, "offset", offset);
	json_add_u64(o, "length", length);
	json_add_string(o, "mode", h->mode);
	json_add_string(o, "kind", h->kind);
	json_add_string(o, "guard", guard_name(mapseal_seal_guard(h->seal)));
	json_add_bool(o, "weak", mapseal_seal_is_weak(h->seal));
	json_print_line(o, h->out);
}

static enum mapseal_verdict on_recall(struct mapseal_recall *recall, void *data)
{
	struct hold *h = data;
	char range[RANGE_TEXT_MAX], deadline[UNITS_MAX];
	struct json_object *o;

	recall->whole = true;
	if (!h->json) {
		say(h, "recalled seal %" PRIu64 ": %s is asked for within %s",
		    mapseal_id(recall->seal), range_format(recall->offset, recall->length, range),
		    units_format_ms(recall->deadline_ms, deadline));
		return MAPSEAL_RETURN;
	}
	o = event(h, "recalled");
	json_add_u64(o, "offset", recall->offset);
	json_add_u64(o, "length", recall->length);
	json_add_bool(o, "map_will_change", recall->map_will_change);
	json_add_u64(o, "deadline_ms", recall->deadline_ms);
	json_add_u64(o, "hard_ms", recall->hard_ms);
	json_print_line(o, h->out);
	return MAPSEAL_RETURN;
}

static void say_returned(const struct hold *h)
{
	if (h->json)
		json_print_line(event(h, "returned"), h->out);
	else
		say(h, "returned seal %" PRIu64, mapseal_id(h->seal));
}

static void say_revoked(const struct hold *h, const struct mapseal_event *e)
{
	char bytes[UNITS_MAX];
	struct json_object *o;

	if (!h->json) {
		say(h, "revoked seal %" PRIu64 ": %s%s%s", mapseal_id(h->seal), e->fence,
		    e->quarantined ? ", quarantined " : "",
		    e->quarantined ? units_format_bytes(e->quarantined, bytes) : "");
		return;
	}
	o = event(h, "revoked");
	json_add_string(o, "fence", e->fence);
	json_add_u64(o, "quarantined", e->quarantined);
	json_print_line(o, h->out);
}

static void say_broken(const struct hold *h, const struct mapseal_event *e)
{
	char range[RANGE_TEXT_MAX];
	struct json_object *o;

	if (!h->json) {
		say(h, "broken promise: blocks under seal %" PRIu64 " were changed within %s",
		    mapseal_id(h->seal), range_format(e->offset, e->length, range));
		return;
	}
	o = event(h, "broken");
	json_add_u64(o, "offset", e->offset);
	json_add_u64(o, "length", e->length);
	json_print_line(o, h->out);
}

static void on_event(struct mapseal *m, const struct mapseal_event *e, void *data)
{
	struct hold *h = data;

	(void)m;
	switch (e->type) {
	case MAPSEAL_EVENT_REVOKED:
		if (!h->seal)
			break;
		say_revoked(h, e);
		over(h, EXIT_REVOKED);
		break;
	case MAPSEAL_EVENT_DISCONNECTED:
		ctl_complain("the supervisor is gone, and the seal with it");
		over(h, EXIT_NO_SUPERVISOR);
		break;
	case MAPSEAL_EVENT_RECALL_ANY:
		if (e->keep == 0 && h->seal)
			mapseal_return(h->seal, mapseal_offset(h->seal), mapseal_length(h->seal),
				       0);
		break;
	case MAPSEAL_EVENT_BROKEN:
		if (h->seal)
			say_broken(h, e);
		break;
	case MAPSEAL_EVENT_RETURNED:
	case MAPSEAL_EVENT_PARKED:
	case MAPSEAL_EVENT_REGRANTED:
	case MAPSEAL_EVENT_AVAIL:
	case MAPSEAL_EVENT_BREAK_EXPIRED:
		break;
	}
}

static int give_back(struct hold *h)
{
	int r;

	if (h->over)
		return h->status;
	r = mapseal_return(h->seal, mapseal_offset(h->seal), mapseal_length(h->seal), 0);
	if (r < 0)
		return ctl_fail(r);
	say_returned(h);
	return EXIT_OK;
}

static void dispatch(struct hold *h)
{
	int r;

	if (h->over)
		return;
	r = mapseal_dispatch(h->m);
	if (r < 0) {
		if (!h->over)
			ctl_fail(r);
		over(h, ctl_status(r));
	} else if (!h->over && mapseal_seal_state(h->seal) == MAPSEAL_RETURNED) {
		say_returned(h);
		over(h, EXIT_OK);
	}
}

/* The COMMAND has ended. Its failure is told first; success that was not under the seal is none. */
static int conclude(struct hold *h)
{
	bool early = h->over;
	int status = run_reap(&h->run), r = give_back(h);

	if (status)
		return status;
	return early ? EXIT_REVOKED : r;
}

/* Without a COMMAND the end of the seal is the end; with one, the COMMAND's end is. */
static int loop(struct hold *h, bool has_command)
{
	struct pollfd p[] = {
		{ .fd = mapseal_get_fd(h->m), .events = POLLIN },
		{ .fd = h->run.signalfd, .events = POLLIN },
		{ .fd = h->run.pidfd, .events = POLLIN },
	};

	for (;;) {
		/* First: what was taken in before does not make the descriptor readable. */
		dispatch(h);
		if (p[2].revents)
			return conclude(h);
		if (p[1].revents && run_signal(&h->run) && !has_command)
			return give_back(h);
		if (h->over && !has_command)
			return h->status;
		if (h->over)
			p[0].fd = -1;
		if (poll(p, 3, -1) < 0 && errno != EINTR) {
			ctl_complain("poll: %s", strerror(errno));
			return EXIT_FAILED;
		}
	}
}

static int hold(struct hold *h, struct mapseal_request *request, char **command)
{
	_cleanup_(mapseal_seal_freep) struct mapseal_seal *seal = NULL;
	int r, ret;

	r = mapseal_acquire(h->m, request, &seal);
	if (r < 0)
		return ctl_fail(r);
	h->seal = seal;
	r = run_signals(&h->run);
	if (r < 0) {
		ctl_complain("cannot take signals: %s", strerror(-r));
		return EXIT_FAILED;
	}
	say_held(h);
	if (command && !run_start(&h->run, command, &ret))
		return ret;
	return loop(h, command != NULL);
}

static void hold_done(struct hold *h)
{
	run_done(&h->run);
}

COMMAND_FN(cmd_hold)
{
	static const struct option_choice modes[] = { { "read", MAPSEAL_READ },
						      { "write", MAPSEAL_WRITE },
						      { NULL, 0 } };
	static const struct option_choice kinds[] = { { "window", MAPSEAL_WINDOW },
						      { "direct", MAPSEAL_DIRECT },
						      { NULL, 0 } };
	int mode = MAPSEAL_READ, kind = MAPSEAL_WINDOW;
	bool no_wait = false, pinnable = false, unshare = false, weak_ok = false, hard = false;
	uint32_t wait_ms = 0;
	const struct option_spec options[] = {
		OPTION_CHOICE('m', "mode", "MODE", modes, &mode, "read (the default) or write"),
		OPTION_CHOICE('k', "kind", "KIND", kinds, &kind, "window (the default) or direct"),
		OPTION_MS('w', "wait", &wait_ms, "give up if it is not granted by then"),
		OPTION_FLAG('n', "no-wait", &no_wait, "give up if it is not granted at once"),
		OPTION_FLAG(0, "pinnable", &pinnable, "write: pages may be pinned"),
		OPTION_FLAG(0, "unshare", &unshare, "direct: unshare what reflinks share"),
		OPTION_FLAG(0, "weak-ok", &weak_ok, "take it though the guard can't prove it"),
		OPTION_FLAG(0, "hard", &hard, "deny others, who get ETXTBSY (a privilege)"),
		OPTION_END,
	};
	_cleanup_(hold_done) struct hold h = { .run = RUN_INIT };
	struct mapseal_options wanted = { .on_event = on_event, .data = &h };
	struct mapseal_request request = { .size = sizeof(request),
					   .on_recall = on_recall,
					   .data = &h };
	_cleanup_(mapseal_closep) struct mapseal *m = NULL;
	_cleanup_(object_done) struct object object = { 0 };
	_cleanup_fd_ int fd = -1;
	struct options_rest rest;
	int ret;

	if (!ctl_arguments(ctl, self, options, OPTIONS_COMMAND, argv, 1, 1, &rest, &ret))
		return ret;
	if (no_wait && wait_ms)
		return ctl_misuse("hold: --wait and --no-wait exclude each other");
	/* the right to write is needed for every DIRECT seal */
	ret = ctl_object(rest.operands[0], mode == MAPSEAL_WRITE || kind == MAPSEAL_DIRECT, &object,
			 &fd);
	if (!ret)
		ret = ctl_connect(ctl, &wanted, &m);
	if (ret)
		return ret;

	request.object = object.is_path ? NULL : object.name;
	request.fd = fd;
	request.offset = object.whole ? 0 : object.range.offset;
	request.length = object.whole ? 0 : object.range.length;
	request.mode = (enum mapseal_mode)mode;
	request.kind = (enum mapseal_kind)kind;
	request.wait_ms = wait_ms;
	request.flags = (no_wait ? (unsigned int)MAPSEAL_NO_WAIT : 0) |
			(pinnable ? (unsigned int)MAPSEAL_PINNABLE : 0) |
			(unshare ? (unsigned int)MAPSEAL_UNSHARE : 0) |
			(weak_ok ? (unsigned int)MAPSEAL_WEAK_OK : 0) |
			(hard ? (unsigned int)MAPSEAL_HARD : 0);
	h.m = m;
	h.object = object.name;
	h.mode = mode == MAPSEAL_READ ? "read" : "write";
	h.kind = kind == MAPSEAL_WINDOW ? "window" : "direct";
	h.json = ctl->json;
	h.out = rest.command ? stderr : stdout;
	return hold(&h, &request, rest.command);
}
