/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Questions and answers, with the kernel's part played here: its devices, whose registrations they have, and what
 * goes wrong with them.
 */

#include <check.h>
#include <errno.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <poll.h>
#include <rdma/rdma_netlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "daemon/rdma/rdma.h"

enum { DEVICES_MAX = 4, PARTS_MAX = 256, KERNEL = 0, US = 10, THEM = 20 };

/* ---- a kernel ---------------------------------------------------------------------------- */

static struct {
	bool absent, stale, garbled;
	int error; /* instead of the list of devices */
	struct {
		int error; /* instead of its list */
		size_t n_parts, per_part;
		uint32_t pid;
		uint64_t bytes;
	} devices[DEVICES_MAX];
	size_t n_devices;
	/* what it has to say, and what it saw */
	struct nl_msg *parts[PARTS_MAX];
	size_t n_parts, next_part, n_read, n_rounds;
	uint32_t seq;
	int fd;
} kernel;

static struct nl_msg *part(int type, int flags)
{
	struct nl_msg *message = nlmsg_alloc();

	ck_assert_ptr_nonnull(message);
	ck_assert_ptr_nonnull(nlmsg_put(message, 0, kernel.seq, type, 0, flags));
	ck_assert_uint_lt(kernel.n_parts, PARTS_MAX);
	kernel.parts[kernel.n_parts++] = message;
	eventfd_write(kernel.fd, 1);
	return message;
}

static void end(int type, int error)
{
	ck_assert_int_eq(nlmsg_append(part(type, 0), &error, sizeof(error), 0), 0);
}

static void list_devices(void)
{
	kernel.n_rounds++;
	for (uint32_t i = 0; !kernel.error && i < kernel.n_devices; i++)
		nla_put_u32(part(RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_GET), NLM_F_MULTI),
			    RDMA_NLDEV_ATTR_DEV_INDEX, i);
	end(kernel.error ? NLMSG_ERROR : NLMSG_DONE, kernel.error);
}

static void put_registration(struct nl_msg *message, uint32_t pid, uint64_t bytes)
{
	struct nlattr *entry = nla_nest_start(message, RDMA_NLDEV_ATTR_RES_MR_ENTRY);

	if (pid == KERNEL)
		nla_put_string(message, RDMA_NLDEV_ATTR_RES_KERN_NAME, "nvmet");
	else
		nla_put_u32(message, RDMA_NLDEV_ATTR_RES_PID, pid);
	nla_put_u64(message, RDMA_NLDEV_ATTR_RES_MRLEN, bytes);
	nla_nest_end(message, entry);
}

static void list_registrations(uint32_t device)
{
	const int type = RDMA_NL_GET_TYPE(RDMA_NL_NLDEV, RDMA_NLDEV_CMD_RES_MR_GET);

	ck_assert_uint_lt(device, kernel.n_devices);
	for (size_t i = 0; i < kernel.devices[device].n_parts; i++) {
		struct nl_msg *message = part(type, NLM_F_MULTI);
		struct nlattr *table = nla_nest_start(message, RDMA_NLDEV_ATTR_RES_MR);

		for (size_t j = 0; j < kernel.devices[device].per_part; j++)
			put_registration(message, kernel.devices[device].pid,
					 kernel.devices[device].bytes);
		nla_nest_end(message, table);
		if (kernel.stale)
			nlmsg_hdr(message)->nlmsg_seq--;
		if (kernel.garbled)
			((struct nlattr *)nla_data(table))->nla_len = 3;
	}
	end(kernel.devices[device].error ? NLMSG_ERROR : NLMSG_DONE, kernel.devices[device].error);
}

int __wrap_access(const char *path, int mode);
int __wrap_nl_connect(struct nl_sock *socket, int protocol);
int __wrap_nl_socket_set_nonblocking(const struct nl_sock *socket);
int __wrap_nl_socket_get_fd(const struct nl_sock *socket);
int __wrap_nl_send_auto(struct nl_sock *socket, struct nl_msg *message);
int __wrap_nl_recv(struct nl_sock *socket, struct sockaddr_nl *from, unsigned char **buffer,
		   struct ucred **credentials);

int __wrap_access(const char *path, int mode)
{
	(void)path;
	(void)mode;
	errno = ENOENT;
	return kernel.absent ? -1 : 0;
}

static void forget_parts(void)
{
	while (kernel.n_parts > 0)
		nlmsg_free(kernel.parts[--kernel.n_parts]);
	kernel.next_part = 0;
}

int __wrap_nl_connect(struct nl_sock *socket, int protocol)
{
	(void)socket;
	ck_assert_int_eq(protocol, NETLINK_RDMA);
	forget_parts();
	close(kernel.fd);
	kernel.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK | EFD_SEMAPHORE);
	return 0;
}

int __wrap_nl_socket_set_nonblocking(const struct nl_sock *socket)
{
	(void)socket;
	return 0;
}

int __wrap_nl_socket_get_fd(const struct nl_sock *socket)
{
	(void)socket;
	return kernel.fd;
}

int __wrap_nl_send_auto(struct nl_sock *socket, struct nl_msg *message)
{
	struct nlmsghdr *header = nlmsg_hdr(message);
	struct nlattr *device = nlmsg_find_attr(header, 0, RDMA_NLDEV_ATTR_DEV_INDEX);

	(void)socket;
	header->nlmsg_seq = ++kernel.seq;
	ck_assert_int_eq(RDMA_NL_GET_CLIENT(header->nlmsg_type), RDMA_NL_NLDEV);
	if (RDMA_NL_GET_OP(header->nlmsg_type) == RDMA_NLDEV_CMD_GET)
		list_devices();
	else
		list_registrations(nla_get_u32(device));
	return (int)header->nlmsg_len;
}

int __wrap_nl_recv(struct nl_sock *socket, struct sockaddr_nl *from, unsigned char **buffer,
		   struct ucred **credentials)
{
	struct nlmsghdr *header;
	eventfd_t one;

	(void)socket;
	(void)from;
	(void)credentials;
	if (kernel.next_part == kernel.n_parts)
		return -NLE_AGAIN;
	eventfd_read(kernel.fd, &one);
	header = nlmsg_hdr(kernel.parts[kernel.next_part++]);
	*buffer = malloc(header->nlmsg_len);
	memcpy(*buffer, header, header->nlmsg_len);
	kernel.n_read++;
	return (int)header->nlmsg_len;
}

/* ---- who asks ---------------------------------------------------------------------------- */

static struct rdma *rdma;

static void begin(void)
{
	memset(&kernel, 0, sizeof(kernel));
	kernel.fd = -1;
	ck_assert_int_eq(rdma_new(&rdma), 0);
}

static void finish(void)
{
	rdma = rdma_free(rdma);
	forget_parts();
	close(kernel.fd);
}

static void device(uint32_t pid, size_t n_parts, size_t per_part, uint64_t bytes)
{
	size_t i = kernel.n_devices++;

	kernel.devices[i].pid = pid;
	kernel.devices[i].n_parts = n_parts;
	kernel.devices[i].per_part = per_part;
	kernel.devices[i].bytes = bytes;
}

static bool is_readable(void)
{
	struct pollfd pollfd = { .fd = rdma_get_fd(rdma), .events = POLLIN };

	return poll(&pollfd, 1, 0) == 1;
}

/* As a loop would. False: nothing comes. */
static bool await(struct rdma_event *ret)
{
	do
		if (rdma_next(rdma, ret))
			return true;
	while (is_readable());
	return false;
}

static void answer_is(uint64_t tag, pid_t pid, uint64_t registrations, uint64_t bytes)
{
	struct rdma_event event = { 0 };

	ck_assert(await(&event));
	ck_assert_int_eq(event.error, 0);
	ck_assert_uint_eq(event.tag, tag);
	ck_assert_int_eq(event.pid, pid);
	ck_assert_uint_eq(event.registrations, registrations);
	ck_assert_uint_eq(event.bytes, bytes);
}

static void fails(uint64_t tag, int error)
{
	struct rdma_event event = { 0 };

	ck_assert(await(&event));
	ck_assert_int_eq(event.error, error);
	ck_assert_uint_eq(event.tag, tag);
}

static void silence(void)
{
	struct rdma_event event;

	ck_assert(!await(&event));
	ck_assert(!is_readable());
}

static void ask(pid_t pid, uint64_t tag)
{
	ck_assert_int_eq(rdma_ask(rdma, pid, tag), 0);
}

/* ---- tests ------------------------------------------------------------------------------- */

START_TEST(nobody_has_any_without_devices)
{
	silence();
	kernel.absent = true;
	ask(US, 1);
	answer_is(1, US, 0, 0);
	silence();
	ck_assert_uint_eq(kernel.n_rounds, 0);
	kernel.absent = false;
	ask(US, 2);
	answer_is(2, US, 0, 0);
	ck_assert_uint_eq(kernel.n_rounds, 1);
}
END_TEST

START_TEST(all_devices_are_counted_by_process)
{
	device(US, 2, 3, 4096);
	device(THEM, 1, 1, 5);
	device(KERNEL, 1, 7, 100);
	device(US, 1, 1, 1);
	ask(US, 1);
	ask(THEM, 2);
	ask(THEM + 1, 3);
	ask(US, 4);
	answer_is(1, US, 7, 6 * 4096 + 1);
	answer_is(2, THEM, 1, 5);
	answer_is(3, THEM + 1, 0, 0);
	answer_is(4, US, 7, 6 * 4096 + 1);
	silence();
	ck_assert_uint_eq(kernel.n_rounds, 1);
	kernel.n_devices = 2;
	ask(US, 5);
	answer_is(5, US, 6, 6 * 4096);
}
END_TEST

START_TEST(a_device_that_went_away_has_none)
{
	device(US, 1, 1, 1);
	device(US, 0, 0, 0);
	kernel.devices[1].error = -EINVAL;
	device(US, 1, 1, 1);
	ask(US, 1);
	answer_is(1, US, 2, 2);
	silence();
}
END_TEST

START_TEST(a_failure_is_everybody_s_answer)
{
	device(US, 1, 1, 1);
	kernel.error = -EPERM;
	ask(US, 1);
	ask(THEM, 2);
	fails(1, -EPERM);
	fails(2, -EPERM);
	silence();
	kernel.error = 0;
	kernel.devices[0].error = -ENOMEM;
	ask(US, 3);
	fails(3, -ENOMEM);
	kernel.devices[0].error = 0;
	kernel.garbled = true;
	ask(US, 4);
	fails(4, -EBADMSG);
	kernel.garbled = false;
	ask(US, 5);
	answer_is(5, US, 1, 1);
	silence();
}
END_TEST

START_TEST(what_was_not_asked_for_is_not_counted)
{
	device(US, 1, 1, 1);
	kernel.stale = true;
	ask(US, 1);
	answer_is(1, US, 0, 0);
}
END_TEST

START_TEST(a_turn_is_bounded_and_a_later_question_waits)
{
	struct rdma_event event;

	device(US, 100, 2, 1);
	ask(US, 1);
	for (size_t turns = 1; kernel.n_read < 50; turns++) {
		ck_assert(is_readable());
		ck_assert(!rdma_next(rdma, &event));
		ck_assert_uint_le(kernel.n_read, 8 * turns);
	}
	ask(US, 2);
	kernel.devices[0].per_part = 1;
	answer_is(1, US, 200, 200);
	ck_assert_uint_eq(kernel.n_rounds, 1);
	answer_is(2, US, 100, 100);
	ck_assert_uint_eq(kernel.n_rounds, 2);
	silence();
	ask(US, 3);
	ck_assert(!rdma_next(rdma, &event));
	/* and what is not awaited any more is forgotten */
	ask(US, 4);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("rdma");
	TCase *tcase = tcase_create("rdma");
	SRunner *runner;
	int failed;

	tcase_add_checked_fixture(tcase, begin, finish);
	tcase_add_test(tcase, nobody_has_any_without_devices);
	tcase_add_test(tcase, all_devices_are_counted_by_process);
	tcase_add_test(tcase, a_device_that_went_away_has_none);
	tcase_add_test(tcase, a_failure_is_everybody_s_answer);
	tcase_add_test(tcase, what_was_not_asked_for_is_not_counted);
	tcase_add_test(tcase, a_turn_is_bounded_and_a_later_question_waits);
	suite_add_tcase(suite, tcase);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
