/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "proto/fdlist.h"

void fdlist_init(struct fdlist *list)
{
	for (size_t i = 0; i < PROTO_FDS_MAX; i++)
		list->fds[i] = -1;
	list->n = 0;
	list->close = NULL;
	list->data = NULL;
}

static void close_one(const struct fdlist *list, int fd)
{
	if (fd < 0)
		return;
	if (list->close)
		list->close(fd, list->data);
	else
		fd_close(fd);
}

void fdlist_clear(struct fdlist *list)
{
	for (size_t i = 0; i < PROTO_FDS_MAX; i++)
		close_one(list, take_fd(&list->fds[i]));
	list->n = 0;
}

void fdlist_add(struct fdlist *list, int fd)
{
	if (list->n < PROTO_FDS_MAX)
		list->fds[list->n] = fd;
	else
		close_one(list, fd);
	list->n++;
}

int fdlist_take(struct fdlist *list, size_t index)
{
	return index < PROTO_FDS_MAX ? take_fd(&list->fds[index]) : -1;
}
