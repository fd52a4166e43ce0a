/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Small requests that touch no seal: status, watching, anonymous objects, quarantined bytes.
 */

#include <errno.h>
#include <string.h>

#include "client/connection.h"
#include "client/error.h"

static int call(struct mapseal *m, struct proto_message *request, enum proto_type type,
		struct wire_frame **ret_reply)
{
	int r = connection_check(m);

	if (r < 0)
		return r;
	wire_lock(&m->wire);
	r = wire_call(&m->wire, request, NULL, 0, NULL, NULL, type, ret_reply);
	wire_unlock(&m->wire);
	return r;
}

static void copy(char *to, size_t size, const char *from)
{
	size_t n = strnlen(from, size - 1);

	memcpy(to, from, n);
	to[n] = '\0';
}

int mapseal_get_status(struct mapseal *m, struct mapseal_status *ret)
{
	_cleanup_(wire_frame_freep) struct wire_frame *reply = NULL;
	struct proto_message request = { .type = PROTO_STATUS_GET };
	const struct proto_welcome *welcome = &m->welcome;
	const struct proto_status *status;
	int r = call(m, &request, PROTO_STATUS, &reply);

	if (r < 0)
		return r;
	status = &reply->message.status;
	*ret = (struct mapseal_status){
		.epoch = status->epoch,
		.pid = status->pid,
		.uptime_ms = status->uptime_ms,
		.sessions = status->sessions,
		.seals = status->seals,
		.objects = status->objects,
		.breaks = status->breaks,
		.window_bytes = status->window_bytes,
		.quarantined = status->quarantined,
		.grants = status->grants,
		.recalls = status->recalls,
		.returns = status->returns,
		.revocations = status->revocations,
		.faults = status->faults,
		.pages_filled = status->pages_filled,
		.pages_written = status->pages_written,
		.guard = (enum mapseal_guard)status->guard,
		.strangers = status->strangers,
		.strangers_held = status->strangers_held,
		.strangers_denied = status->strangers_denied,
		.broken_promises = status->broken_promises,
		.max_window_bytes = welcome->max_window_bytes,
		.max_seals = welcome->max_seals,
		.deadline_ms = welcome->deadline_ms,
		.hard_ms = welcome->hard_ms,
		.hold_ms = welcome->hold_ms,
		.poison = welcome->features & PROTO_FEATURE_POISON,
		.wp_continue = welcome->features & PROTO_FEATURE_WP_CONTINUE,
		.kernel_faults = welcome->features & PROTO_FEATURE_KERNEL_FAULTS,
	};
	copy(ret->version, sizeof(ret->version), status->version);
	return 0;
}

int mapseal_watch(struct mapseal *m, void (*fn)(const struct mapseal_change *change, void *data),
		  void *data)
{
	struct proto_message request = { .type = PROTO_WATCH };
	int r = connection_check(m);

	if (r < 0)
		return r;
	if (!fn)
		return error_set(EINVAL, "Nobody to tell changes to");
	wire_lock(&m->wire);
	if (m->on_change) {
		r = error_set(EBUSY, "The connection is watching already");
	} else {
		m->on_change = fn;
		m->change_data = data;
		r = wire_call(&m->wire, &request, NULL, 0, NULL, NULL, PROTO_DONE, NULL);
		if (r < 0)
			m->on_change = NULL;
	}
	wire_unlock(&m->wire);
	return r;
}

int mapseal_create(struct mapseal *m, uint64_t size, char name[64])
{
	_cleanup_(wire_frame_freep) struct wire_frame *reply = NULL;
	struct proto_message request = { .type = PROTO_CREATE, .create.size = size };
	int r;

	if (size == 0 || size > INT64_MAX)
		return error_set(EINVAL, "An object of %llu bytes", (unsigned long long)size);
	r = call(m, &request, PROTO_CREATED, &reply);
	if (r < 0)
		return r;
	copy(name, 64, reply->message.created.name);
	return 0;
}

int mapseal_quarantine_open(struct mapseal *m, uint64_t id, uint64_t *ret_offset,
			    uint64_t *ret_length)
{
	_cleanup_(wire_frame_freep) struct wire_frame *reply = NULL;
	struct proto_message request = { .type = PROTO_QUARANTINE_READ, .quarantine_read.id = id };
	int r = call(m, &request, PROTO_QUARANTINE_MEMORY, &reply);

	if (r < 0)
		return r;
	*ret_offset = reply->message.quarantine_memory.offset;
	*ret_length = reply->message.quarantine_memory.length;
	return fdlist_take(&reply->fds, 0);
}

int mapseal_quarantine_drop(struct mapseal *m, uint64_t id)
{
	struct proto_message request = { .type = PROTO_QUARANTINE_DROP, .quarantine_drop.id = id };

	return call(m, &request, PROTO_DONE, NULL);
}
