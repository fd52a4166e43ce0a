/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The threads that close.
 *
 * One is enough as long as nobody plays games. When a descriptor is to be closed and none is free there
 * is another one, up to a limit, beyond which descriptors queue; the limit of each session's debt
 * (request.c) is what keeps one uid from taking all of them. A thread that is stuck in close(2) can't be
 * helped, not even by a signal; it is left alone.
 *
 * A number that is needed again at once is freed by sending the file, as one that passes descriptors
 * does, into a socket pair of our own. What is in there has no number, and a thread that takes the
 * message out without room for a descriptor closes it.
 */

#include "daemon/session/closer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/frame.h"
#include "util/list.h"

#define THREADS_MAX 256

struct closer {
	pthread_mutex_t lock;
	pthread_cond_t wanted;
	struct list items;
	int pair[2]; /* files in transit from [0] to [1] */
	unsigned int n_items, threads, idle;
	bool ended;
};

struct item {
	struct list link;
	int fd; /* -1: the next one in transit */
	struct debt *debt;
};

struct debt {
	_Atomic unsigned int refs; /* one of the debtor, one for each descriptor */
};

/* ---- debts ------------------------------------------------------------------------------- */

struct debt *debt_new(void)
{
	struct debt *debt = calloc(1, sizeof(*debt));

	if (debt)
		atomic_store(&debt->refs, 1);
	return debt;
}

struct debt *debt_unref(struct debt *debt)
{
	if (debt && atomic_fetch_sub(&debt->refs, 1) == 1)
		free(debt);
	return NULL;
}

unsigned int debt_open(const struct debt *debt)
{
	return debt ? atomic_load(&debt->refs) - 1 : 0;
}

/* ---- which ------------------------------------------------------------------------------- */

bool closer_is_userfaultfd(int fd)
{
	char path[64], name[32];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, name, sizeof(name) - 1);
	name[n > 0 ? n : 0] = '\0';
	return strcmp(name, "anon_inode:[userfaultfd]") == 0;
}

bool closer_is_plain(int fd)
{
	return fcntl(fd, F_GET_SEALS) >= 0 || closer_is_userfaultfd(fd);
}

/* ---- threads ----------------------------------------------------------------------------- */

static void destroy(struct closer *closer)
{
	pthread_mutex_destroy(&closer->lock);
	pthread_cond_destroy(&closer->wanted);
	fd_close(closer->pair[0]);
	fd_close(closer->pair[1]);
	free(closer);
}

static void close_item(struct closer *closer, struct item *item)
{
	char byte;

	if (item->fd >= 0)
		fd_close(item->fd);
	else
		(void)!recv(closer->pair[1], &byte, sizeof(byte), MSG_DONTWAIT);
	debt_unref(item->debt);
	free(item);
}

static void *work(void *data)
{
	struct closer *closer = data;
	bool last;

	pthread_mutex_lock(&closer->lock);
	for (;;) {
		struct list *link = list_first(&closer->items);
		struct item *item;

		if (!link) {
			if (closer->ended || closer->idle > 0)
				break; /* one that waits is enough */
			closer->idle++;
			pthread_cond_wait(&closer->wanted, &closer->lock);
			closer->idle--;
			continue;
		}
		list_unlink(link);
		closer->n_items--;
		pthread_mutex_unlock(&closer->lock);
		item = list_entry(link, struct item, link);
		close_item(closer, item);
		pthread_mutex_lock(&closer->lock);
	}
	last = --closer->threads == 0 && closer->ended;
	pthread_mutex_unlock(&closer->lock);
	if (last)
		destroy(closer);
	return NULL;
}

/* Under the lock. */
static void start_thread(struct closer *closer)
{
	sigset_t all, before;
	pthread_attr_t attr;
	pthread_t thread;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	if (pthread_create(&thread, &attr, work, closer) == 0)
		closer->threads++;
	pthread_attr_destroy(&attr);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void queue(struct closer *closer, struct item *item)
{
	list_init(&item->link);
	pthread_mutex_lock(&closer->lock);
	list_append(&closer->items, &item->link);
	closer->n_items++;
	if (closer->n_items > closer->idle && closer->threads < THREADS_MAX)
		start_thread(closer);
	pthread_cond_signal(&closer->wanted);
	pthread_mutex_unlock(&closer->lock);
}

void closer_close(struct closer *closer, int fd, struct debt *debt)
{
	struct item *item;

	if (fd < 0)
		return;
	item = closer_is_plain(fd) ? NULL : malloc(sizeof(*item));
	if (!item) {
		fd_close(fd); /* plain; or there is no memory, and then it has to be risked */
		return;
	}
	*item = (struct item){ .fd = fd, .debt = debt };
	if (debt)
		atomic_fetch_add(&debt->refs, 1);
	queue(closer, item);
}

void closer_close_number(struct closer *closer, int fd)
{
	struct item *item = malloc(sizeof(*item));

	if (!item || proto_frame_send(closer->pair[0], "", 1, &fd, 1, MSG_DONTWAIT) < 0) {
		free(item);
		closer_close(closer, fd, NULL);
		return;
	}
	fd_close(fd); /* not the last reference, so nobody is asked */
	*item = (struct item){ .fd = -1 };
	queue(closer, item);
}

int closer_new(struct closer **ret)
{
	struct closer *closer = calloc(1, sizeof(*closer));
	int r;

	if (!closer)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, closer->pair) < 0) {
		r = -errno;
		free(closer);
		return r;
	}
	pthread_mutex_init(&closer->lock, NULL);
	pthread_cond_init(&closer->wanted, NULL);
	list_init(&closer->items);
	*ret = closer;
	return 0;
}

struct closer *closer_free(struct closer *closer)
{
	bool last;

	if (!closer)
		return NULL;
	pthread_mutex_lock(&closer->lock);
	closer->ended = true;
	last = closer->threads == 0;
	pthread_cond_broadcast(&closer->wanted);
	pthread_mutex_unlock(&closer->lock);
	if (last)
		destroy(closer);
	return NULL;
}
