/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What is going on, in sentences: what is in the way, whose it is, what happens when.
 */

#include <stdio.h>
#include <string.h>

#include "daemon/core/deadline.h"
#include "daemon/supervisor/wiring.h"
#include "util/units.h"

const char *describe_range(uint64_t start, uint64_t end, char *text, size_t size)
{
	char a[UNITS_MAX], b[UNITS_MAX];

	if (end == CORE_INFINITY && start == 0)
		snprintf(text, size, "all of it");
	else if (end == CORE_INFINITY)
		snprintf(text, size, "from %s on", units_format_exact(start, a));
	else
		snprintf(text, size, "range %s-%s", units_format_exact(start, a),
			 units_format_exact(end, b));
	return text;
}

const char *describe_object(const struct object *object, char *text, size_t size)
{
	snprintf(text, size, "%s \"%s\"",
		 object->anonymous ? "memory" : object->name[0] == '/' ? "file" : "export",
		 object->name);
	return text;
}

static void describe_who(const struct supervisor *s, uint64_t holder, uint64_t process, uid_t uid,
			 char *text, size_t size)
{
	const struct client *client = client_find(s, holder);

	if (client)
		snprintf(text, size, "pid %d (%s, uid %u)", client->pid, client->comm, client->uid);
	else if (process)
		snprintf(text, size, "pid %d (uid %u)", peer_process_pid(process), uid);
	else
		snprintf(text, size, "a session that is gone");
}

static void describe_seal(const struct supervisor *s, const struct core_seal_view *view,
			  const char *object, char *text, size_t size)
{
	char range[80], who[128], left[UNITS_MAX];

	describe_range(view->start, view->end, range, sizeof(range));
	describe_who(s, view->holder, 0, 0, who, sizeof(who));
	if (view->deadline != CORE_NEVER)
		snprintf(text, size, "%s: %s is sealed by %s; recall deadline in %s", object, range,
			 who, units_format_ms(deadline_ms(loop_now(), view->deadline), left));
	else if (view->hard)
		snprintf(text, size, "%s: %s is sealed by %s, and others are denied", object, range,
			 who);
	else
		snprintf(text, size, "%s: %s is sealed by %s until returned", object, range, who);
}

const char *describe_blocker(const struct supervisor *s, const struct object *object,
			     const struct core_command *command, char *text, size_t size)
{
	char name[PROTO_STR_MAX], range[80], who[128];
	const struct pending *hold = pending_find(s, command->blocking_break);
	struct core_seal_view view;

	describe_object(object, name, sizeof(name));
	if (command->blocker && core_seal_find(s->core, command->blocker, &view)) {
		describe_seal(s, &view, name, text, size);
	} else if (hold) {
		describe_range(hold->start, hold->end, range, sizeof(range));
		describe_who(s, hold->client->node.id, 0, 0, who, sizeof(who));
		snprintf(text, size, "%s: %s is %s by a break of %s", name, range,
			 hold->answered ? "held free" : "being freed", who);
	} else {
		snprintf(text, size, "%s", name);
	}
	return text;
}

void describe_account(const struct supervisor *s, const struct core_account_entry *account,
		      size_t n, char *text, size_t size)
{
	size_t used = 0;
	char who[128];
	int r;

	text[0] = '\0';
	for (size_t i = 0; i < n && used < size; i++) {
		const struct core_account_entry *e = &account[i];

		describe_who(s, e->holder, e->process, e->uid, who, sizeof(who));
		r = snprintf(text + used, size - used, "; seal %llu of %s: %s after %u ms, %s",
			     (unsigned long long)e->seal, who,
			     proto_text(PROTO_TEXT_RESULT, e->result), e->ms,
			     proto_text(PROTO_TEXT_FENCE, e->fence));
		used += r > 0 ? (size_t)r : 0;
	}
}
