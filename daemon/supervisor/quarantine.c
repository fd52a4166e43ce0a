/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Quarantine: written bytes that could not be brought into their object when a break had to go on.
 *
 * They are kept in memory, listed, and readable by the uid that wrote them and by root, until one of
 * these drops them. They are never written by themselves: the breaker has been there since, and they
 * would overwrite its work.
 *
 * They count as window bytes of their uid. There is no refusing them, so the charge may exceed the
 * limit; then that uid gets no windows until some are dropped.
 *
 * The memory comes with the pager's report of the fence; the core confirms it in the same round. An
 * entry has the id of that fence, which is never used again.
 *
 * They do not outlive this process, which says what is lost with it.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/supervisor/wiring.h"
#include "util/units.h"

void quarantine_keep(struct supervisor *s, const struct job *job, struct pager_event *event)
{
	const struct window *window = window_find(s, job->window);
	_cleanup_fd_ int fd = take_fd(&event->quarantine_fd);
	struct kept *kept;

	if (fd < 0 || !window)
		return;
	kept = calloc(1, sizeof(*kept));
	if (!kept)
		return;
	kept->object = strdup(window->object->name);
	if (!kept->object) {
		free(kept);
		return;
	}
	kept->fd = take_fd(&fd);
	kept->seal = job->seal;
	kept->start = event->quarantine_start;
	kept->end = event->quarantine_end;
	kept->bytes = event->quarantined;
	kept->number = event->quarantine_errno;
	kept->since = loop_now();
	kept->uid = window->client->uid;
	kept->pid = window->client->pid;
	strcpy(kept->comm, window->client->comm);
	quota_charge_forced(window->client->user, QUOTA_WINDOW_BYTES, kept->bytes, &kept->charge);
	s->quarantined_bytes += kept->bytes;
	list_append(&s->quarantine_list, &kept->link);
	idmap_insert(&s->quarantine, &kept->node, job->core_job);
}

void quarantine_confirm(struct supervisor *s, const struct core_command *command)
{
	char bytes[UNITS_MAX], detail[160];
	const struct kept *kept = kept_find(s, command->job);

	units_format_bytes(command->quarantined, bytes);
	if (!kept) {
		log_line(LOG_LEVEL_ERROR,
			 "LOST: %s that uid %u wrote under seal %llu could neither be written "
			 "(%s) nor kept",
			 bytes, command->uid, (unsigned long long)command->seal,
			 error_text(command->quarantine_errno));
		return;
	}
	log_line(LOG_LEVEL_ERROR,
		 "QUARANTINED as %llu: %s of \"%s\" that pid %d (%s, uid %u) wrote under seal %llu "
		 "could not be written: %s",
		 (unsigned long long)kept->node.id, bytes, kept->object, kept->pid, kept->comm,
		 kept->uid, (unsigned long long)kept->seal, error_text(kept->number));
	snprintf(detail, sizeof(detail), "%s under seal %llu: %s", bytes,
		 (unsigned long long)kept->seal, error_text(kept->number));
	watch_tell(s, &(struct change){
			      .change = PROTO_CHANGE_QUARANTINED,
			      .id = kept->node.id,
			      .object = command->object,
			      .start = kept->start,
			      .end = kept->end,
			      .holder = command->holder,
			      .detail = detail,
		      });
}

struct kept *kept_find(const struct supervisor *s, uint64_t id)
{
	struct idmap_node *n = idmap_find(&s->quarantine, id);

	return n ? container_of(n, struct kept, node) : NULL;
}

struct kept *kept_free(struct supervisor *s, struct kept *kept)
{
	if (!kept)
		return NULL;
	s->quarantined_bytes -= kept->bytes;
	idmap_remove(&s->quarantine, &kept->node);
	list_unlink(&kept->link);
	quota_refund(&kept->charge);
	fd_close(kept->fd);
	free(kept->object);
	free(kept);
	return NULL;
}

void quarantine_lost(struct supervisor *s)
{
	char bytes[UNITS_MAX];

	list_for_each (l, &s->quarantine_list) {
		struct kept *kept = list_entry(l, struct kept, link);

		log_line(LOG_LEVEL_ERROR,
			 "LOST with the end of the supervisor: quarantine entry %llu, %s of \"%s\" "
			 "that uid %u wrote under seal %llu",
			 (unsigned long long)kept->node.id,
			 units_format_bytes(kept->bytes, bytes), kept->object, kept->uid,
			 (unsigned long long)kept->seal);
		kept_free(s, kept);
	}
}

bool kept_visible(const struct client *client, const struct kept *kept)
{
	return client->uid == 0 || client->uid == kept->uid;
}

static struct kept *find_for(struct supervisor *s, struct client *client, uint32_t serial,
			     uint64_t id)
{
	struct kept *kept = kept_find(s, id);
	struct refusal refusal;

	if (kept && kept_visible(client, kept))
		return kept;
	/* whether there is one of another uid is nobody's business */
	refuse(&refusal, PROTO_E_UNKNOWN_OBJECT, "uid %u has no quarantine entry %llu", client->uid,
	       (unsigned long long)id);
	refusal_send(client, serial, &refusal);
	return NULL;
}

void request_quarantine_read(struct supervisor *s, struct client *client, uint32_t serial,
			     const struct proto_quarantine_read *m)
{
	const struct kept *kept = find_for(s, client, serial, m->id);
	struct proto_message message = { .type = PROTO_QUARANTINE_MEMORY };
	struct refusal refusal;
	char path[64];
	int fd;

	if (!kept)
		return;
	/* a description of its own: readers must not share an offset */
	snprintf(path, sizeof(path), "/proc/self/fd/%d", kept->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		refuse_errno(&refusal, PROTO_E_NO_MEMORY, errno, "the kept bytes can't be opened");
		refusal_send(client, serial, &refusal);
		return;
	}
	message.quarantine_memory.offset = kept->start;
	message.quarantine_memory.length = kept->end - kept->start;
	session_reply(client->session, serial, &message, fd);
}

void request_quarantine_drop(struct supervisor *s, struct client *client, uint32_t serial,
			     const struct proto_quarantine_drop *m)
{
	struct kept *kept = find_for(s, client, serial, m->id);

	if (!kept)
		return;
	log_line(LOG_LEVEL_NOTICE, "quarantine entry %llu dropped by pid %d (%s, uid %u)",
		 (unsigned long long)kept->node.id, client->pid, client->comm, client->uid);
	kept_free(s, kept);
	session_done(client->session, serial, 0);
}
