/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Connections: opened with HELLO, closed by giving everything back.
 *
 * Closing stops the agent first. From then on the connection is the closing thread's alone: it
 * returns the seals, ends break holds, unmaps the windows while there is a supervisor to hear of
 * it, and only then closes the socket, and the userfaultfd last.
 *
 * The process's connections are on a list for fork.c alone.
 */

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "client/agent.h"
#include "client/break.h"
#include "client/direct.h"
#include "client/connection.h"
#include "client/error.h"
#include "client/fork.h"
#include "client/gate.h"
#include "client/seal.h"

int connection_check(const struct mapseal *m)
{
	if (m->pid == fork_self())
		return 0;
	return error_plain(ECHILD, "The connection belongs to the parent process");
}

bool connection_in_callback(const struct mapseal *m)
{
	return m->agent.running && pthread_equal(m->agent.runner, pthread_self());
}

uint64_t connection_page(void)
{
	return (uint64_t)sysconf(_SC_PAGESIZE);
}

int connection_check_range(uint64_t offset, uint64_t length)
{
	uint64_t end, page = connection_page();

	if (offset % page)
		return error_set(EINVAL, "Offset %llu is no multiple of the page size %llu",
				 (unsigned long long)offset, (unsigned long long)page);
	if (__builtin_add_overflow(offset, length, &end) || end > INT64_MAX)
		return error_set(EINVAL, "%llu+%llu reaches past the largest file offset",
				 (unsigned long long)offset, (unsigned long long)length);
	return 0;
}

int connection_copy(void *to, size_t to_size, const void *from, const char *what)
{
	size_t size;

	if (!from)
		return error_set(EINVAL, "No %s", what);
	memcpy(&size, from, sizeof(size));
	if (size < to_size)
		return error_set(EINVAL, "%s has %zu bytes: its size is not set", what, size);
	/* A newer program than this library: what it does not use is zero. */
	for (size_t i = to_size; i < size; i++)
		if (((const char *)from)[i])
			return error_set(EINVAL, "%s has fields that this library does not know",
					 what);
	memcpy(to, from, to_size);
	return 0;
}

int connection_token(uint64_t token, uint64_t *ret)
{
	const char *text = token ? NULL : secure_getenv("MAPSEAL_TOKEN");
	char *end;

	if (text && *text) {
		errno = 0;
		token = strtoull(text, &end, 0);
		if (errno || *end || *text == '-')
			return error_set(EINVAL, "$MAPSEAL_TOKEN is no number: \"%.40s\"", text);
	}
	*ret = token;
	return 0;
}

/* ---- opening ----------------------------------------------------------------------------- */

static int open_socket(const char *path, int *ret_socket)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	_cleanup_fd_ int fd = -1;

	if (!path)
		path = secure_getenv("MAPSEAL_SOCKET");
	if (!path || !*path)
		path = MAPSEAL_DEFAULT_SOCKET;
	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(ENAMETOOLONG, "The socket's path is longer than %zu bytes: %s",
				 sizeof(address.sun_path) - 1, path);
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(errno, "No socket: %m");
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		if (errno != EINTR)
			return error_set(errno, "No supervisor at %s: %m", path);
	*ret_socket = take_fd(&fd);
	return 0;
}

static int say_hello(struct mapseal *m, uint32_t max_io_ms)
{
	_cleanup_(wire_frame_freep) struct wire_frame *reply = NULL;
	struct proto_message message = {
		.type = PROTO_HELLO,
		.hello = {
			.min_version = PROTO_VERSION,
			.max_version = PROTO_VERSION,
			.max_io_ms = max_io_ms,
		},
	};
	int r;

	wire_lock(&m->wire);
	r = wire_call(&m->wire, &message, NULL, 0, NULL, NULL, PROTO_WELCOME, &reply);
	if (r == 0) {
		m->welcome = reply->message.welcome;
		if (m->welcome.max_in_flight)
			m->wire.max_in_flight = m->welcome.max_in_flight;
	}
	wire_unlock(&m->wire);
	if (r < 0)
		return r;
	if (m->welcome.version != PROTO_VERSION)
		return error_set(EPROTONOSUPPORT, "The supervisor speaks version %u, we speak %u",
				 m->welcome.version, PROTO_VERSION);
	return 0;
}

static struct mapseal *free_connection(struct mapseal *m, bool forked);

static int open_connection(struct mapseal *m, const struct mapseal_options *options)
{
	const struct wire_handlers handlers = {
		.on_event = agent_on_event,
		.on_lost = agent_on_lost,
		.data = m,
	};
	_cleanup_fd_ int socket = -1;
	int r;

	r = gate_setup();
	if (r == 0)
		r = open_socket(options->socket, &socket);
	if (r == 0)
		r = wire_init(&m->wire, socket, &handlers);
	if (r < 0)
		return r;
	take_fd(&socket);
	r = agent_init(m, options->flags & MAPSEAL_THREAD);
	if (r == 0)
		r = say_hello(m, options->max_io_ms);
	if (r == 0)
		r = fork_add(m);
	if (r == 0 && m->agent.threaded) {
		r = agent_start(m);
		if (r < 0)
			fork_remove(m);
	}
	return r;
}

int mapseal_connect(const struct mapseal_options *given, struct mapseal **ret)
{
	struct mapseal_options options = { .size = sizeof(options) };
	struct mapseal *m;
	int r;

	if (given) {
		r = connection_copy(&options, sizeof(options), given, "struct mapseal_options");
		if (r < 0)
			return r;
	}
	if (options.flags & ~(unsigned int)MAPSEAL_THREAD)
		return error_set(EINVAL, "Unknown flag 0x%x in the options",
				 options.flags & ~(unsigned int)MAPSEAL_THREAD);
	m = calloc(1, sizeof(*m));
	if (!m)
		return error_set(ENOMEM, "Out of memory");
	m->pid = getpid();
	m->on_event = options.on_event;
	m->data = options.data;
	m->wire.socket = m->wire.nudge = m->space.uffd = m->space.fences = -1;
	m->agent.epoll = m->agent.kick = m->agent.timer = -1;
	list_init(&m->link);
	list_init(&m->seals);
	list_init(&m->breaks);
	list_init(&m->space.retired);
	list_init(&m->space.due);
	list_init(&m->space.askings);
	list_init(&m->wire.calls);
	list_init(&m->wire.backlog);
	list_init(&m->agent.recalls);
	list_init(&m->agent.events);
	for (size_t i = 0; i < CONNECTION_BUCKETS; i++)
		list_init(&m->pieces[i]);
	r = open_connection(m, &options);
	if (r < 0) {
		free_connection(m, false);
		return r;
	}
	*ret = m;
	return 0;
}

/* ---- closing ----------------------------------------------------------------------------- */

static void unmap_windows(struct mapseal *m)
{
	struct list *windows = &m->space.retired;

	while (!list_empty(&m->seals))
		seal_forget(list_entry(list_first(&m->seals), struct mapseal_seal, link), windows);
	window_unmap(windows, m->wire.socket, m->space.uffd, m->wire.lost);
	/* Without means to do it the orderly way. */
	window_unmap(windows, m->wire.socket, m->space.uffd, true);
}

static struct mapseal *free_connection(struct mapseal *m, bool forked)
{
	wire_deinit(&m->wire, forked);
	agent_deinit(m);
	break_free_all(m);
	while (!list_empty(&m->seals))
		seal_forget(list_entry(list_first(&m->seals), struct mapseal_seal, link), NULL);
	while (!list_empty(&m->space.retired)) {
		struct list *l = list_first(&m->space.retired);

		list_unlink(l);
		free(list_entry(l, struct window, link));
	}
	fence_forget_askings(m);
	m->space.uffd = fd_close(m->space.uffd);
	m->space.fences = fd_close(m->space.fences);
	free(m);
	return NULL;
}

/* Gives everything back, as far as the supervisor takes it. Nobody else is at work any more. */
static void give_back(struct mapseal *m)
{
	wire_lock(&m->wire);
	list_for_each(l, &m->seals) {
		struct mapseal_seal *seal = list_entry(l, struct mapseal_seal, link);

		if (!list_empty(&seal->pieces) && !m->wire.lost)
			seal_return(seal, seal->offset, seal->offset + seal->length, 0, false);
	}
	break_end_all(m);
	wire_unlock(&m->wire);
}

struct mapseal *mapseal_close(struct mapseal *m)
{
	if (!m)
		return NULL;
	if (m->pid != fork_self()) {
		fork_remove(m);
		return free_connection(m, true);
	}
	agent_stop(m);
	give_back(m);
	unmap_windows(m);
	fork_remove(m);
	return free_connection(m, false);
}
