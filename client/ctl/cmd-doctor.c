/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mapsealctl doctor: what this kernel offers, each line with what follows from it.
 *
 * It needs no supervisor, changes nothing, and works for any user; what it says holds for who asks
 * (the supervisor is usually root, and may do more). Its exit status says whether everything is
 * there without which nothing works.
 */

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "client/ctl/ctl.h"
#include "client/ctl/json.h"
#include "client/ctl/probe.h"
#include "client/ctl/render.h"

static const char *const state_names[] = { "no", "yes", "unknown" };

void findings_add(struct findings *f, const char *name, enum probe_state state, bool required,
		  const char *const consequence[3], const char *format, ...)
{
	struct finding *finding = &f->list[f->n];
	va_list ap;

	if (f->n == sizeof(f->list) / sizeof(f->list[0]))
		return;
	f->n++;
	*finding = (struct finding){
		.name = name,
		.state = state,
		.consequence = consequence[state] ? consequence[state] : "",
		.required = required,
	};
	va_start(ap, format);
	vsnprintf(finding->detail, sizeof(finding->detail), format, ap);
	va_end(ap);
}

bool probe_file(const char *path, char *text, size_t size)
{
	_cleanup_fd_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, text, size - 1);
	if (n <= 0)
		return false;
	text[n] = '\0';
	text[strcspn(text, "\n")] = '\0';
	return true;
}

bool probe_release_at_least(unsigned int major, unsigned int minor)
{
	struct utsname name;
	unsigned int a, b;

	if (uname(&name) < 0 || sscanf(name.release, "%u.%u", &a, &b) != 2)
		return false;
	return a > major || (a == major && b >= minor);
}

enum probe_state findings_state(const struct findings *f, const char *name)
{
	for (size_t i = 0; i < f->n; i++)
		if (strcmp(f->list[i].name, name) == 0)
			return f->list[i].state;
	return PROBE_UNKNOWN;
}

/* Which guard seals can have here. A supervisor that answers knows; else it is what the one who
 * asks could have in its place. */
static void probe_guard(struct findings *f, const struct mapseal_status *status)
{
	static const char *const levels[] = {
		[MAPSEAL_GUARD_COOPERATIVE] =
			"only programs that ask are kept from what is sealed; strict exports are "
			"refused",
		[MAPSEAL_GUARD_LEASE] =
			"strangers are held when they open or truncate a file by name, never denied",
		[MAPSEAL_GUARD_FANOTIFY] =
			"strangers are held in each operation on ext4, XFS and btrfs, and by leases "
			"elsewhere",
	};
	static const char *const unknown[] = {
		[PROBE_UNKNOWN] = "only root can tell, or a supervisor that runs",
	};
	enum probe_state fanotify = findings_state(f, "fanotify-pre-content");
	enum probe_state leases = findings_state(f, "leases");
	enum mapseal_guard level = status ? status->guard :
				   fanotify == PROBE_YES ? MAPSEAL_GUARD_FANOTIFY :
				   leases == PROBE_YES ? MAPSEAL_GUARD_LEASE :
							 MAPSEAL_GUARD_COOPERATIVE;
	const char *const known[] = { levels[level], levels[level], levels[level] };
	enum probe_state state = level == MAPSEAL_GUARD_COOPERATIVE ? PROBE_NO : PROBE_YES;

	if (!status && fanotify == PROBE_UNKNOWN)
		findings_add(f, "guard", PROBE_UNKNOWN, false, unknown,
			     "fanotify takes CAP_SYS_ADMIN to be tried");
	else
		findings_add(f, "guard", state, false, known, "%s, at best%s", guard_name(level),
			     status ? ", says the supervisor" : "");
}

static void probe_supervisor(struct ctl *ctl, struct findings *f)
{
	static const char *const consequence[3] = {
		"nothing is lent here at the moment",
		"seals can be asked for",
	};
	struct mapseal_options wanted = { .size = sizeof(wanted), .socket = ctl->socket };
	_cleanup_(mapseal_closep) struct mapseal *m = NULL;
	struct mapseal_status status = { 0 };
	int r = mapseal_connect(&wanted, &m);

	if (r == 0)
		r = mapseal_get_status(m, &status);
	probe_guard(f, r == 0 ? &status : NULL);
	if (r == 0)
		findings_add(f, "supervisor", PROBE_YES, false, consequence, "mapseald %s, pid %d",
			     status.version, (int)status.pid);
	else
		findings_add(f, "supervisor", PROBE_NO, false, consequence, "%s",
			     mapseal_last_error()->text[0] ? mapseal_last_error()->text :
							     strerror(-r));
}

static void print_json(const struct findings *f)
{
	struct json_object *array = json_new_array();

	for (size_t i = 0; i < f->n; i++) {
		struct json_object *o = json_new_object();

		json_add_string(o, "name", f->list[i].name);
		json_add_string(o, "state", state_names[f->list[i].state]);
		json_add_string(o, "detail", f->list[i].detail);
		json_add_string(o, "consequence", f->list[i].consequence);
		json_add_bool(o, "required", f->list[i].required);
		json_append(array, o);
	}
	json_print(array, stdout);
}

static void print(const struct findings *f)
{
	static const struct column columns[] = {
		{ "WHAT", false },
		{ "STATE", false },
		{ "WHAT FOLLOWS", false },
	};
	struct table *table = table_new(columns, 3);

	for (size_t i = 0; i < f->n; i++) {
		table_cell(table, "%s", f->list[i].name);
		table_cell(table, "%s", state_names[f->list[i].state]);
		table_cell(table, "%s (%s)", f->list[i].consequence, f->list[i].detail);
	}
	table_print(table, true, stdout);
	table_free(table);
}

COMMAND_FN(cmd_doctor)
{
	const struct option_spec options[] = { OPTION_END };
	struct findings f = { .n = 0 };
	struct options_rest rest;
	int ret;

	if (!ctl_arguments(ctl, self, options, 0, argv, 0, 0, &rest, &ret))
		return ret;
	ret = EXIT_OK;
	probe_system(&f);
	probe_userfaultfd(&f);
	probe_supervisor(ctl, &f);
	if (ctl->json)
		print_json(&f);
	else
		print(&f);
	for (size_t i = 0; i < f.n; i++) {
		if (f.list[i].required && f.list[i].state != PROBE_YES)
			ret = EXIT_FAILED;
	}
	return ret;
}
