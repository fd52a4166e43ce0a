/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The parts of every command. Whatever goes to a person's terminal passes through here or through
 * render.c, since object names, commands' names and the supervisor's sentences were chosen by other
 * users and may hold control characters.
 */

#include "client/ctl/ctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/render.h"
#include "util/units.h"

void ctl_complain(const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fputs("mapsealctl: ", stderr);
	render_text(stderr, text);
	fputc('\n', stderr);
}

int ctl_misuse(const char *format, ...)
{
	char text[1024];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	ctl_complain("%s", text);
	return EXIT_USAGE;
}

int ctl_status(int r)
{
	switch (-r) {
	case 0:
		return EXIT_OK;
	case ECONNRESET:
	case ECONNREFUSED:
		return EXIT_NO_SUPERVISOR;
	case EAGAIN:
	case EBUSY:
		return EXIT_LATER;
	case EACCES:
	case EPERM:
	case ETXTBSY:
		return EXIT_DENIED;
	case ETIMEDOUT:
		return EXIT_TIMED_OUT;
	case ESTALE:
	case EIDRM:
		return EXIT_REVOKED;
	default:
		return EXIT_FAILED;
	}
}

int ctl_fail(int r)
{
	const struct mapseal_error *error = mapseal_last_error();

	/* Text of another failure would mislead: it is taken only if it is about this one. */
	if (error->error == -r && error->text[0] != '\0')
		ctl_complain("%s", error->text);
	else
		ctl_complain("%s", strerror(-r));
	return ctl_status(r);
}

int ctl_connect(const struct ctl *ctl, const struct mapseal_options *options, struct mapseal **ret)
{
	struct mapseal_options wanted = { 0 };
	int r;

	if (options)
		wanted = *options;
	wanted.size = sizeof(wanted);
	wanted.socket = ctl->socket;
	r = mapseal_connect(&wanted, ret);
	if (r == 0)
		return EXIT_OK;
	ctl_fail(r);
	switch (-r) {
	case ENOENT:
	case ENOTDIR:
	case ENOTSOCK:
	case EPROTOTYPE:
		return EXIT_NO_SUPERVISOR;
	default:
		return ctl_status(r);
	}
}

int ctl_object(const char *text, bool writable, struct object *ret, int *ret_fd)
{
	struct object object = { 0 };
	char error[OBJECT_ERROR_MAX];
	int r, number = 0;

	r = object_parse(text, &object, error);
	if (r < 0)
		render_no_memory();
	if (r > 0)
		return ctl_misuse("%s", error);
	r = object_open(&object, writable, ret_fd, &number, error);
	if (r > 0) {
		ctl_complain("%s", error);
		object_done(&object);
		return ctl_status(-number);
	}
	*ret = object;
	return EXIT_OK;
}

int ctl_id(const char *text, uint64_t *ret)
{
	uint64_t id;
	int r = units_parse_count(text, UINT64_MAX, &id);

	if (r)
		return ctl_misuse("the ID '%.60s' %s", text, units_error_text(r));
	if (id == 0)
		return ctl_misuse("there is no ID 0");
	*ret = id;
	return EXIT_OK;
}

int ctl_flush(void)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return EXIT_OK;
	ctl_complain("cannot write to standard output: %s", strerror(errno));
	return EXIT_FAILED;
}
