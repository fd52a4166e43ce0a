/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The life of a session: it begins, is hung up on, and is gone when nothing of it is left.
 *
 * Hanging up only marks: callers on the stack keep a valid session. `closed` is called, once, from
 * sessions_reap(); the memory goes when the kernel has given back both operations' buffers.
 *
 * A session over the quota of its uid is told so in answer to its first request, where the client
 * looks for it. Only so many are kept until then; the oldest are hung up on without a word.
 *
 * The socket, with all that may be queued in it, is closed elsewhere (closer.h), like the descriptors
 * that came through it. A session that owes any of those counts as a session of its uid until they
 * are closed.
 */

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>

#include "daemon/session/state.h"
#include "util/cleanup.h"

#define UNWELCOME_MAX 64 /* sessions over their quota that have not been told yet */

/* A child that inherited the socket keeps it open; the seals were the process's. */
static void ended(struct loop_poll *poll, uint32_t events)
{
	(void)events;
	session_hang_up(poll->data);
}

static int session_init(struct session *session, struct sessions *sessions)
{
	int r;

	r = peer_init(&session->peer, session->fd);
	if (r < 0)
		return r;
	r = quota_user_get(sessions->quota, session->peer.uid, &session->user);
	if (r < 0)
		return r;
	session->ended.fd = session->peer.pidfd;
	r = loop_poll_start(sessions->loop, &session->ended, EPOLLIN);
	if (r < 0)
		return r;
	if (quota_charge(session->user, QUOTA_SESSIONS, 1, &session->charge) == 0)
		return 0;
	list_append(&sessions->unwelcome, &session->unwelcome_link);
	if (++sessions->n_unwelcome > UNWELCOME_MAX)
		session_hang_up(list_entry(list_first(&sessions->unwelcome), struct session,
					   unwelcome_link));
	return 0;
}

int sessions_accept(struct sessions *sessions, int fd)
{
	struct session *session = calloc(1, sizeof(*session));
	int r;

	if (!session) {
		fd_close(fd);
		return -ENOMEM;
	}
	session->sessions = sessions;
	session->fd = fd;
	session->peer.pidfd = -1;
	request_init(session);
	reply_init(session);
	session->ended = (struct loop_poll){ .fn = ended, .data = session, .fd = -1 };
	list_init(&session->unwelcome_link);
	session->debt = debt_new();
	r = session->debt ? session_init(session, sessions) : -ENOMEM;
	if (r < 0) {
		debt_unref(session->debt);
		quota_refund(&session->charge);
		quota_user_put(session->user);
		peer_deinit(&session->peer);
		closer_close(sessions->closer, fd, NULL);
		free(session);
		return r;
	}
	session->id = ++sessions->last_id;
	list_append(&sessions->all, &session->link);
	sessions->n++;
	request_next(session);
	return 0;
}

static void forget_unwelcome(struct session *session)
{
	if (list_empty(&session->unwelcome_link))
		return;
	list_unlink(&session->unwelcome_link);
	session->sessions->n_unwelcome--;
}

/* The end of one session and the beginning of the next are heard from two sockets, in any order. */
bool session_admit(struct session *session)
{
	if (list_empty(&session->unwelcome_link))
		return true;
	if (quota_charge(session->user, QUOTA_SESSIONS, 1, &session->charge) != 0)
		return false;
	forget_unwelcome(session);
	return true;
}

void session_hang_up(struct session *session)
{
	if (session->hung_up)
		return;
	session->hung_up = true;
	reply_stop(session);
	/* at once, so that hanging up and connecting again is not refused for the session just left */
	quota_refund(&session->charge);
	forget_unwelcome(session);
	list_unlink(&session->link);
	list_append(&session->sessions->over, &session->link);
}

/* A session that is over but for what it owes. */
struct debtor {
	struct list link;
	struct debt *debt;
	struct quota_charge charge;
};

static void remember_debt(struct session *session)
{
	struct debtor *debtor;

	if (debt_open(session->debt) == 0)
		return;
	debtor = calloc(1, sizeof(*debtor));
	if (!debtor)
		return;
	debtor->debt = take_ptr(session->debt);
	quota_charge_forced(session->user, QUOTA_SESSIONS, 1, &debtor->charge);
	list_init(&debtor->link);
	list_append(&session->sessions->debtors, &debtor->link);
}

static void debtor_free(struct debtor *debtor)
{
	list_unlink(&debtor->link);
	debt_unref(debtor->debt);
	quota_refund(&debtor->charge);
	free(debtor);
}

static void session_free(struct session *session)
{
	request_drain(session);
	remember_debt(session);
	outbox_deinit(&session->outbox);
	closer_close(session->sessions->closer, session->fd, NULL);
	list_unlink(&session->link);
	debt_unref(session->debt);
	quota_refund(&session->charge);
	quota_user_put(session->user);
	peer_deinit(&session->peer);
	session->sessions->n--;
	free(session);
}

size_t sessions_reap(struct sessions *sessions)
{
	size_t told = 0;

	reply_flush(sessions);
	list_for_each (l, &sessions->debtors) {
		struct debtor *debtor = list_entry(l, struct debtor, link);

		if (debt_open(debtor->debt) == 0)
			debtor_free(debtor);
	}
	list_for_each (l, &sessions->over) {
		struct session *session = list_entry(l, struct session, link);

		if (!session->told) {
			session->told = true;
			told++;
			sessions->ops.closed(session, sessions->ops.data);
			loop_poll_stop(&session->ended);
			loop_op_cancel(&session->receive);
		}
		if (!session->receive.busy && outbox_is_idle(&session->outbox))
			session_free(session);
	}
	return told;
}

void sessions_hang_up_all(struct sessions *sessions)
{
	list_for_each (l, &sessions->all)
		session_hang_up(list_entry(l, struct session, link));
}

size_t sessions_count(const struct sessions *sessions)
{
	return sessions->n;
}

int sessions_new(struct loop *loop, struct quota *quota, const struct session_limits *limits,
		 const struct session_ops *ops, struct sessions **ret)
{
	struct sessions *sessions = calloc(1, sizeof(*sessions));

	if (!sessions || closer_new(&sessions->closer) < 0) {
		free(sessions);
		return -ENOMEM;
	}
	sessions->loop = loop;
	sessions->quota = quota;
	sessions->limits = *limits;
	sessions->ops = *ops;
	list_init(&sessions->all);
	list_init(&sessions->over);
	list_init(&sessions->unwelcome);
	list_init(&sessions->debtors);
	*ret = sessions;
	return 0;
}

struct sessions *sessions_free(struct sessions *sessions)
{
	if (!sessions)
		return NULL;
	list_for_each (l, &sessions->debtors)
		debtor_free(list_entry(l, struct debtor, link));
	closer_free(sessions->closer);
	free(sessions);
	return NULL;
}
