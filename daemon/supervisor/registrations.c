/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What devices may still write for holders who were revoked.
 *
 * The account of a break says that such a holder was fenced, or that it was not. Whether its
 * process has memory registered with an RDMA device, which goes on writing without it, is asked of
 * the kernel then. A break's answer waits for that, DEADLINE_DEVICES_NS at most, and names them; a
 * stranger goes on without, and the log names them right after its account. Into windows the device
 * writes in vain, and who breaks a DIRECT seal is told that nobody is fenced.
 */

#include <stdlib.h>
#include <sys/epoll.h>

#include "daemon/rdma/rdma.h"
#include "daemon/session/peer.h"
#include "daemon/supervisor/wiring.h"
#include "util/units.h"

struct inquiry {
	struct idmap_node node;
	uint64_t seal, request;
};

static struct inquiry *inquiry_free(struct supervisor *s, struct inquiry *inquiry)
{
	idmap_remove(&s->inquiries, &inquiry->node);
	free(inquiry);
	return NULL;
}

static void log_it(uint64_t seal, const struct rdma_event *event)
{
	char bytes[UNITS_MAX];

	if (event->error)
		log_line(LOG_LEVEL_WARNING,
			 "seal %llu was revoked; which registrations with RDMA devices its holder, pid %d, "
			 "still has can't be told: %s",
			 (unsigned long long)seal, event->pid, error_text(-event->error));
	else if (event->registrations > 0)
		log_line(LOG_LEVEL_WARNING,
			 "seal %llu was revoked; its holder, pid %d, still has %llu registration%s with RDMA "
			 "devices, of %s",
			 (unsigned long long)seal, event->pid,
			 (unsigned long long)event->registrations,
			 event->registrations == 1 ? "" : "s",
			 units_format_bytes(event->bytes, bytes));
}

static void answered(struct supervisor *s, const struct rdma_event *event)
{
	struct idmap_node *n = idmap_find(&s->inquiries, event->tag);
	struct inquiry *inquiry = n ? container_of(n, struct inquiry, node) : NULL;
	struct registered registered = {
		.registrations = event->registrations < UINT32_MAX ? (uint32_t)event->registrations
								   : UINT32_MAX,
		.bytes = event->bytes,
	};

	if (!inquiry)
		return;
	log_it(inquiry->seal, event);
	if (event->error)
		registered = (struct registered){ 0 };
	if (inquiry->request)
		break_registered(s, inquiry->request, inquiry->seal, &registered);
	inquiry_free(s, inquiry);
}

static void ready(struct loop_poll *poll, uint32_t events)
{
	struct supervisor *s = poll->data;
	struct rdma_event event;

	(void)events;
	while (rdma_next(s->rdma, &event))
		answered(s, &event);
}

static bool ask(struct supervisor *s, pid_t pid, uint64_t seal, uint64_t request)
{
	struct inquiry *inquiry = calloc(1, sizeof(*inquiry));

	if (!inquiry || rdma_ask(s->rdma, pid, s->last_tag + 1) < 0) {
		free(inquiry);
		return false; /* the account stands without */
	}
	inquiry->seal = seal;
	inquiry->request = request;
	idmap_insert(&s->inquiries, &inquiry->node, ++s->last_tag);
	return true;
}

uint32_t registrations_look(struct supervisor *s, const struct core_command *command,
			    uint64_t request)
{
	uint32_t n = 0;

	for (size_t i = 0; i < command->n_account; i++) {
		const struct core_account_entry *e = &command->account[i];
		const struct client *client = client_find(s, e->holder);
		pid_t pid = client ? client->pid : e->process ? peer_process_pid(e->process) : 0;

		if (e->result == CORE_RESULT_REVOKED && pid > 0)
			n += ask(s, pid, e->seal, request);
	}
	return n;
}

int registrations_begin(struct supervisor *s)
{
	int r = rdma_new(&s->rdma);

	if (r < 0)
		return r;
	s->rdma_poll = (struct loop_poll){
		.fd = rdma_get_fd(s->rdma),
		.fn = ready,
		.data = s,
	};
	return loop_poll_start(s->loop, &s->rdma_poll, EPOLLIN);
}

void registrations_end(struct supervisor *s)
{
	struct idmap_node *n;

	if (s->rdma)
		loop_poll_stop(&s->rdma_poll);
	s->rdma = rdma_free(s->rdma);
	while ((n = idmap_any(&s->inquiries)))
		inquiry_free(s, container_of(n, struct inquiry, node));
	idmap_deinit(&s->inquiries);
}
