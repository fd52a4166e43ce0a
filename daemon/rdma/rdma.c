/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Looks at the kernel's list of registrations.
 *
 *	idle	        nobody asks
 *	devices	        their list is on its way
 *	registrations   those of one device are on their way, then of the next one
 *	telling	        all were counted by process: each question of this round gets its number
 *
 * A question that comes during a round waits for the next, so that its answer is not from before it. The kernel makes a
 * part of a list when the one before it was read; a call of rdma_next() reads so many parts, and leaves the rest to the
 * next turn of the caller's loop.
 *
 * The socket lives as long as a round: while it is open RDMA's modules cannot be unloaded, and opening it without them would
 * load them on machines that have no use for them. When anything about a list goes wrong it takes the rest of the list
 * with it, and all questions of that round are answered with the error. A device that went away meanwhile has
 * no registrations left.
 */

#include "daemon/rdma/rdma.h"

#include <errno.h>
#include <netlink/errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <rdma/rdma_netlink.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/rdma/decode.h"
#include "util/idmap.h"
#include "util/list.h"

#define CLASS "/sys/class/infiniband"

enum { PARTS = 8 }; /* of a list, read in one turn; at most 32 KiB each */

enum state { IDLE, DEVICES, REGISTRATIONS, TELLING };

struct question {
	struct list link;
	pid_t pid;
	uint64_t tag;
};

/* By process: what was counted in this round. */
struct count {
	struct idmap_node node;
	uint64_t registrations, bytes;
};

struct rdma {
	enum state state;
	struct list waiting, asked; /* for the next round; in this one */
	struct nl_sock *socket;
	int poll_fd, kick_fd;	    /* the first polls the socket and the second */
	uint32_t seq;		    /* of the request that is being answered */
	uint32_t *devices;
	size_t n_devices, size_devices, next_device;
	struct idmap counts;
	int error; /* of this round */
};

static void kick(struct rdma *rdma)
{
	eventfd_write(rdma->kick_fd, 1);
}

static int error_of(int nl_error)
{
	switch (-nl_error) {
	case NLE_NOMEM:
		return -ENOMEM;
	case NLE_PERM:
	case NLE_NOACCESS:
		return -EACCES;
	case NLE_AF_NOSUPPORT:
		return -EAFNOSUPPORT;
	case NLE_AGAIN:
		return -EAGAIN;
	default:
		return -EIO;
	}
}

/* ---- the socket -------------------------------------------------------------------------- */

static void socket_close(struct rdma *rdma)
{
	if (rdma->socket)
		nl_socket_free(rdma->socket);
	rdma->socket = NULL;
}

static int socket_open(struct rdma *rdma)
{
	struct epoll_event event = { .events = EPOLLIN };
	int r;

	rdma->socket = nl_socket_alloc();
	if (!rdma->socket)
		return -ENOMEM;
	nl_socket_disable_auto_ack(rdma->socket);
	r = nl_connect(rdma->socket, NETLINK_RDMA);
	if (r == 0)
		r = nl_socket_set_nonblocking(rdma->socket);
	if (r < 0)
		return error_of(r);
	if (epoll_ctl(rdma->poll_fd, EPOLL_CTL_ADD, nl_socket_get_fd(rdma->socket), &event) < 0)
		return -errno;
	return 0;
}

/* Asks for a list: of devices, or of the registrations of *@device. */
static int request(struct rdma *rdma, int command, const uint32_t *device)
{
	struct nl_msg *message =
		nlmsg_alloc_simple(RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, command), NLM_F_DUMP);
	int r = 0;

	if (!message)
		return -ENOMEM;
	if (device)
		r = nla_put_u32(message, RDMA_NLDEV_ATTR_DEV_INDEX, *device);
	if (r == 0)
		r = nl_send_auto(rdma->socket, message);
	rdma->seq = nlmsg_hdr(message)->nlmsg_seq;
	nlmsg_free(message);
	return r < 0 ? error_of(r) : 0;
}

/* ---- a round ----------------------------------------------------------------------------- */

static void forget_counts(struct rdma *rdma)
{
	struct idmap_node *node;

	while ((node = idmap_any(&rdma->counts))) {
		idmap_remove(&rdma->counts, node);
		free(container_of(node, struct count, node));
	}
}

static void round_over(struct rdma *rdma, int error)
{
	socket_close(rdma);
	rdma->error = error;
	rdma->state = TELLING;
}

static bool round_begin(struct rdma *rdma)
{
	int r;

	if (list_empty(&rdma->waiting))
		return false;
	list_for_each(link, &rdma->waiting) {
		list_unlink(link);
		list_append(&rdma->asked, link);
	}
	rdma->n_devices = rdma->next_device = 0;
	rdma->state = DEVICES;
	if (access(CLASS, F_OK) < 0) {
		round_over(rdma, 0);
		return true;
	}
	r = socket_open(rdma);
	if (r == 0)
		r = request(rdma, RDMA_NLDEV_CMD_GET, NULL);
	if (r < 0)
		round_over(rdma, r);
	return true;
}

/* A list has come to its end. */
static void list_over(struct rdma *rdma)
{
	int r;

	if (rdma->next_device == rdma->n_devices) {
		round_over(rdma, 0);
		return;
	}
	rdma->state = REGISTRATIONS;
	r = request(rdma, RDMA_NLDEV_CMD_RES_MR_GET, &rdma->devices[rdma->next_device++]);
	if (r < 0)
		round_over(rdma, r);
}

/* The kernel does not make the list, or not all of it. */
static void list_failed(struct rdma *rdma, int error)
{
	bool gone = error == -EINVAL || error == -ENODEV;

	if (rdma->state == REGISTRATIONS && gone)
		list_over(rdma);
	else
		round_over(rdma, error);
}

static int add_device(struct rdma *rdma, const struct nlmsghdr *message)
{
	uint32_t device;
	int r = rdma_decode_device(message, &device);

	if (r < 0)
		return r;
	if (rdma->n_devices == rdma->size_devices) {
		size_t size = rdma->size_devices ? 2 * rdma->size_devices : 8;
		uint32_t *devices = reallocarray(rdma->devices, size, sizeof(*devices));

		if (!devices)
			return -ENOMEM;
		rdma->devices = devices;
		rdma->size_devices = size;
	}
	rdma->devices[rdma->n_devices++] = device;
	return 0;
}

static int add_registration(uint32_t pid, uint64_t bytes, void *data)
{
	struct rdma *rdma = data;
	struct idmap_node *node = idmap_find(&rdma->counts, pid);
	struct count *count;

	if (node) {
		count = container_of(node, struct count, node);
	} else {
		count = calloc(1, sizeof(*count));
		if (!count)
			return -ENOMEM;
		idmap_insert(&rdma->counts, &count->node, pid);
	}
	count->registrations++;
	count->bytes += bytes;
	return 0;
}

/* ---- messages ---------------------------------------------------------------------------- */

/* Both ends of a list may carry an error, as their first number. */
static int error_in(const struct nlmsghdr *message)
{
	const int *error = nlmsg_data(message);

	return nlmsg_datalen(message) >= (int)sizeof(*error) ? *error : 0;
}

static void take_message(struct rdma *rdma, const struct nlmsghdr *message)
{
	int r;

	if (message->nlmsg_seq != rdma->seq || message->nlmsg_type == NLMSG_NOOP)
		return;
	if (message->nlmsg_type == NLMSG_DONE || message->nlmsg_type == NLMSG_ERROR) {
		r = error_in(message);
		if (r < 0)
			list_failed(rdma, r);
		else if (message->nlmsg_type == NLMSG_DONE)
			list_over(rdma);
		return;
	}
	if (message->nlmsg_type == NLMSG_OVERRUN)
		r = -EIO;
	else if (rdma->state == DEVICES)
		r = add_device(rdma, message);
	else
		r = rdma_decode_registrations(message, add_registration, rdma);
	if (r < 0)
		round_over(rdma, r);
}

/* Reads a part of the list. False: there is none yet. */
static bool take_part(struct rdma *rdma)
{
	struct sockaddr_nl from = { 0 };
	unsigned char *buffer = NULL;
	struct nlmsghdr *message;
	int n = nl_recv(rdma->socket, &from, &buffer, NULL);

	if (n < 0 && error_of(n) == -EAGAIN)
		return false;
	if (n <= 0) {
		round_over(rdma, n < 0 ? error_of(n) : -EIO);
		return true;
	}
	message = (struct nlmsghdr *)(void *)buffer;
	while (from.nl_pid == 0 && rdma->state != TELLING && nlmsg_ok(message, n)) {
		take_message(rdma, message);
		message = nlmsg_next(message, &n);
	}
	free(buffer);
	return true;
}

static bool tell(struct rdma *rdma, struct rdma_event *ret)
{
	struct list *link = list_first(&rdma->asked);
	struct question *question;
	struct idmap_node *node;

	if (!link) {
		forget_counts(rdma);
		rdma->state = IDLE;
		return false;
	}
	question = list_entry(link, struct question, link);
	*ret = (struct rdma_event){
		.tag = question->tag,
		.pid = question->pid,
		.error = rdma->error,
	};
	node = rdma->error ? NULL : idmap_find(&rdma->counts, (uint64_t)question->pid);
	if (node) {
		const struct count *count = container_of(node, struct count, node);

		ret->registrations = count->registrations;
		ret->bytes = count->bytes;
	}
	list_unlink(&question->link);
	free(question);
	return true;
}

/* ---- for others -------------------------------------------------------------------------- */

int rdma_ask(struct rdma *rdma, pid_t pid, uint64_t tag)
{
	struct question *question = calloc(1, sizeof(*question));

	if (!question)
		return -ENOMEM;
	question->pid = pid;
	question->tag = tag;
	list_init(&question->link);
	if (list_empty(&rdma->waiting))
		kick(rdma);
	list_append(&rdma->waiting, &question->link);
	return 0;
}

bool rdma_next(struct rdma *rdma, struct rdma_event *ret)
{
	eventfd_t kicks;

	eventfd_read(rdma->kick_fd, &kicks);
	for (unsigned int parts = 0; parts < PARTS;) {
		switch (rdma->state) {
		case TELLING:
			if (tell(rdma, ret))
				return true;
			break;
		case IDLE:
			if (!round_begin(rdma))
				return false;
			break;
		case DEVICES:
		case REGISTRATIONS:
			if (!take_part(rdma))
				return false;
			parts++;
			break;
		}
	}
	kick(rdma);
	return false;
}

int rdma_get_fd(const struct rdma *rdma)
{
	return rdma->poll_fd;
}

int rdma_new(struct rdma **ret)
{
	_cleanup_(rdma_freep) struct rdma *rdma = calloc(1, sizeof(*rdma));
	struct epoll_event event = { .events = EPOLLIN };

	if (!rdma)
		return -ENOMEM;
	list_init(&rdma->waiting);
	list_init(&rdma->asked);
	rdma->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	rdma->poll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (rdma->kick_fd < 0 || rdma->poll_fd < 0 ||
	    epoll_ctl(rdma->poll_fd, EPOLL_CTL_ADD, rdma->kick_fd, &event) < 0)
		return -errno;
	*ret = take_ptr(rdma);
	return 0;
}

static void forget_questions(struct list *questions)
{
	list_for_each(link, questions) {
		list_unlink(link);
		free(list_entry(link, struct question, link));
	}
}

struct rdma *rdma_free(struct rdma *rdma)
{
	if (!rdma)
		return NULL;
	socket_close(rdma);
	forget_questions(&rdma->waiting);
	forget_questions(&rdma->asked);
	forget_counts(rdma);
	idmap_deinit(&rdma->counts);
	free(rdma->devices);
	fd_close(rdma->kick_fd);
	fd_close(rdma->poll_fd);
	free(rdma);
	return NULL;
}
