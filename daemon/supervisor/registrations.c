/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What devices may still write for holders who were revoked.
 *
 * The account of a break says that such a holder was fenced, or that it was not. Whether it has memory registered with
 * an RDMA device, which goes on writing without it, is asked of the kernel then and logged right after the account. The
 * breaker does not wait for it: into windows the device writes in vain, and who breaks a DIRECT seal is told that nobody is
 * fenced.
 */

#include <sys/epoll.h>

#include "daemon/rdma/rdma.h"
#include "daemon/session/peer.h"
#include "daemon/supervisor/wiring.h"
#include "util/units.h"

static void tell(const struct rdma_event *event)
{
	char bytes[UNITS_MAX];

	if (event->error)
		log_line(LOG_LEVEL_WARNING,
			 "seal %llu was revoked; which registrations with RDMA devices its holder, pid %d, still has can't "
			 "be told: %s",
			 (unsigned long long)event->tag, event->pid, error_text(-event->error));
	else if (event->registrations > 0)
		log_line(LOG_LEVEL_WARNING,
			 "seal %llu was revoked; its holder, pid %d, still has %llu registration%s with RDMA devices, of %s",
			 (unsigned long long)event->tag, event->pid,
			 (unsigned long long)event->registrations,
			 event->registrations == 1 ? "" : "s",
			 units_format_bytes(event->bytes, bytes));
}

static void ready(struct loop_poll *poll, uint32_t events)
{
	struct supervisor *s = poll->data;
	struct rdma_event event;

	(void)events;
	while (rdma_next(s->rdma, &event))
		tell(&event);
}

void registrations_look(struct supervisor *s, const struct core_command *command)
{
	for (size_t i = 0; i < command->n_account; i++) {
		const struct core_account_entry *e = &command->account[i];
		const struct client *client = client_find(s, e->holder);
		pid_t pid = client ? client->pid : e->process ? peer_process_pid(e->process) : 0;

		if (e->result == CORE_RESULT_REVOKED && pid > 0 &&
		    rdma_ask(s->rdma, pid, e->seal) < 0)
			return; /* no memory: the account stands without */
	}
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
	if (s->rdma)
		loop_poll_stop(&s->rdma_poll);
	s->rdma = rdma_free(s->rdma);
}
