/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Listens to the kernel's messages about devices, and looks behind the loop devices among them.
 *
 * A change is told of for many reasons: a file, a size, its end, somebody who asks for the message
 * to be sent once more. All of them carry the device's sequence number, which is another one for
 * each file that is put behind it (DISKSEQ, Linux 5.15). So the first message with a new number is
 * about a new file. If the device still has that number when it is asked its file is known.
 *
 * Only what the kernel itself sends is listened to. Messages that did not fit into the socket are
 * lost with no trace but an error, as a file is that there was no memory to tell of: then all
 * devices are looked at, now or a second later, and whatever came and went meanwhile is told of as
 * one file that is not known.
 */

#include "daemon/uevent/uevent.h"

#include <dirent.h>
#include <errno.h>
#include <netlink/errno.h>
#include <netlink/netlink.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/core/deadline.h"
#include "daemon/uevent/decode.h"
#include "util/idmap.h"
#include "util/list.h"

#define KERNEL_GROUP	1 /* the other one is udev's, for what it made of them */
#define BUFFER_BYTES	(1 << 20)
#define SCAN_AGAIN_MS	1000
#define BLOCK_DEVICES	"/sys/block"

/* A loop device that had a file once. */
struct device {
	struct idmap_node node; /* by number */
	uint64_t told;		/* the sequence number of that file */
};

struct entry {
	struct list link;
	struct attached attached;
};

struct uevents {
	struct nl_sock *socket;
	int told_fd, stop_fd, ended_fd; /* eventfds */
	pthread_t thread;
	bool runs;
	pthread_mutex_t lock;
	struct list entries; /* under the lock */

	struct idmap devices; /* the thread's */
	bool scan, lost;
};

/* ---- the thread -------------------------------------------------------------------------- */

/* @file: NULL: it is not known. */
static void post(struct uevents *uevents, const char *devname, const struct backing *file)
{
	struct entry *entry = calloc(1, sizeof(*entry));

	if (!entry) {
		uevents->scan = uevents->lost = true;
		return;
	}
	snprintf(entry->attached.device, sizeof(entry->attached.device), "%s", devname);
	entry->attached.known = file;
	if (file)
		entry->attached.file = *file;
	pthread_mutex_lock(&uevents->lock);
	list_append(&uevents->entries, &entry->link);
	pthread_mutex_unlock(&uevents->lock);
	eventfd_write(uevents->told_fd, 1);
}

/* True: it was told of already. */
static bool is_told(struct uevents *uevents, const char *devname, uint64_t sequence)
{
	uint64_t number = strtoul(devname + strlen(BACKING_LOOP), NULL, 10);
	struct idmap_node *n = idmap_find(&uevents->devices, number);
	struct device *device = n ? container_of(n, struct device, node) : calloc(1, sizeof(*device));

	if (!device)
		return false; /* once more does no harm */
	if (!n)
		idmap_insert(&uevents->devices, &device->node, number);
	if (device->told == sequence)
		return true;
	device->told = sequence;
	return false;
}

static void scan(struct uevents *uevents)
{
	DIR *dir = opendir(BLOCK_DEVICES);
	bool lost = uevents->lost;
	struct dirent *entry;
	struct backing file;

	uevents->scan = uevents->lost = false;
	if (lost)
		post(uevents, "", NULL);
	while (dir && (entry = readdir(dir)))
		if (backing_is_loop(entry->d_name) && backing_look(entry->d_name, &file) == 0 &&
		    !is_told(uevents, entry->d_name, file.sequence))
			post(uevents, entry->d_name, &file);
	if (dir)
		closedir(dir);
}

static void take(struct uevents *uevents, const char *message, size_t length)
{
	struct backing file;
	struct uevent uevent;
	bool known;

	if (!uevent_decode(message, length, &uevent) || uevent.synthetic ||
	    strcmp(uevent.subsystem, "block") != 0 || strcmp(uevent.action, "change") != 0 ||
	    !backing_is_loop(uevent.devname) ||
	    is_told(uevents, uevent.devname, uevent.diskseq))
		return;
	known = backing_look(uevent.devname, &file) == 0 && file.sequence == uevent.diskseq;
	post(uevents, uevent.devname, known ? &file : NULL);
}

/* False: there is none for now. */
static bool take_message(struct uevents *uevents)
{
	struct sockaddr_nl from = { 0 };
	unsigned char *message = NULL;
	int n = nl_recv(uevents->socket, &from, &message, NULL);

	if (n == -NLE_AGAIN || n == 0)
		return false;
	if (n < 0) {
		uevents->scan = uevents->lost = true;
		return false;
	}
	if (from.nl_pid == 0)
		take(uevents, (const char *)message, (size_t)n);
	free(message);
	return true;
}

static void *listen_to_it(void *data)
{
	struct uevents *uevents = data;
	struct pollfd fds[] = {
		{ .fd = nl_socket_get_fd(uevents->socket), .events = POLLIN },
		{ .fd = uevents->stop_fd, .events = POLLIN },
	};

	scan(uevents); /* of what was there before nobody needs to be told later */
	while (!fds[1].revents) {
		if (poll(fds, 2, uevents->scan ? SCAN_AGAIN_MS : -1) < 0)
			continue;
		while (fds[0].revents && !fds[1].revents && take_message(uevents))
			poll(fds + 1, 1, 0);
		if (uevents->scan)
			scan(uevents);
	}
	eventfd_write(uevents->ended_fd, 1);
	return NULL;
}

/* ---- for others -------------------------------------------------------------------------- */

static int connect_socket(struct uevents *uevents)
{
	int r;

	uevents->socket = nl_socket_alloc();
	if (!uevents->socket)
		return -ENOMEM;
	r = nl_connect(uevents->socket, NETLINK_KOBJECT_UEVENT);
	if (r == 0)
		r = nl_socket_set_buffer_size(uevents->socket, BUFFER_BYTES, 0);
	if (r == 0)
		r = nl_socket_set_nonblocking(uevents->socket);
	if (r == 0)
		r = nl_socket_add_membership(uevents->socket, KERNEL_GROUP);
	switch (-r) {
	case 0:
		return 0;
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_AF_NOSUPPORT:
		return -EAFNOSUPPORT;
	default:
		return -EPERM;
	}
}

static int start(struct uevents *uevents)
{
	sigset_t all, before;
	int r;

	uevents->told_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uevents->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	uevents->ended_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (uevents->told_fd < 0 || uevents->stop_fd < 0 || uevents->ended_fd < 0)
		return -errno;
	r = connect_socket(uevents);
	if (r < 0)
		return r;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = -pthread_create(&uevents->thread, NULL, listen_to_it, uevents);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	uevents->runs = r == 0;
	return r;
}

int uevents_new(struct uevents **ret)
{
	struct uevents *uevents = calloc(1, sizeof(*uevents));
	int r;

	if (!uevents)
		return -ENOMEM;
	uevents->told_fd = uevents->stop_fd = uevents->ended_fd = -1;
	pthread_mutex_init(&uevents->lock, NULL);
	list_init(&uevents->entries);
	r = start(uevents);
	if (r < 0) {
		uevents_free(uevents);
		return r;
	}
	*ret = uevents;
	return 0;
}

/* False: it is left behind, with all that is its own. */
static bool stop(struct uevents *uevents)
{
	struct pollfd ended = { .fd = uevents->ended_fd, .events = POLLIN };
	int r;

	eventfd_write(uevents->stop_fd, 1);
	do
		r = poll(&ended, 1, DEADLINE_LEAVE_S * 1000);
	while (r < 0 && errno == EINTR);
	return r == 1 && pthread_join(uevents->thread, NULL) == 0;
}

struct uevents *uevents_free(struct uevents *uevents)
{
	struct idmap_node *n;

	if (!uevents)
		return NULL;
	if (uevents->runs && !stop(uevents))
		return NULL;
	list_for_each (l, &uevents->entries)
		free(list_entry(l, struct entry, link));
	while ((n = idmap_any(&uevents->devices))) {
		idmap_remove(&uevents->devices, n);
		free(container_of(n, struct device, node));
	}
	idmap_deinit(&uevents->devices);
	if (uevents->socket)
		nl_socket_free(uevents->socket);
	fd_close(uevents->told_fd);
	fd_close(uevents->stop_fd);
	fd_close(uevents->ended_fd);
	pthread_mutex_destroy(&uevents->lock);
	free(uevents);
	return NULL;
}

int uevents_get_fd(const struct uevents *uevents)
{
	return uevents->told_fd;
}

bool uevents_next(struct uevents *uevents, struct attached *ret)
{
	struct list *first;
	eventfd_t count;

	pthread_mutex_lock(&uevents->lock);
	first = list_first(&uevents->entries);
	if (first) {
		struct entry *entry = list_entry(first, struct entry, link);

		*ret = entry->attached;
		list_unlink(first);
		free(entry);
	} else {
		eventfd_read(uevents->told_fd, &count);
	}
	pthread_mutex_unlock(&uevents->lock);
	return first;
}
