/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Files behind loop devices: what goes through those makes no event that a guard could hold.
 *
 * To attach one takes an open for writing. Where opens are held that is where it is held; where
 * they are watched it passes, and the device is heard of when it is there. Then the guard asks for
 * every seal that it disturbs, and who acquires one as long as the device has the file gets a weak
 * one. If it was gone before it could be asked for its file, any file may have been behind it that
 * a privileged stranger was let open for writing.
 *
 * Without uevents (no netlink, a container with name spaces of its own) such a device is as little
 * heard of as a program that had the file open before.
 */

#include <sys/epoll.h>

#include "daemon/supervisor/wiring.h"
#include "daemon/uevent/uevent.h"

static void behind(struct supervisor *s, const struct attached *attached)
{
	const struct backing *file = &attached->file;
	struct object *object = object_find_inode(s, file->dev, file->ino);
	char name[PROTO_STR_MAX];

	if (!object)
		return;
	log_line(LOG_LEVEL_NOTICE,
		 "%s: %s was made of it, and what goes through that is heard of by nobody: seals in its "
		 "way are taken back, and as long as it is there new ones are weak",
		 describe_object(object, name, sizeof(name)), attached->device);
	guard_attached(s->guard, file->dev, file->ino, file->writes, attached->device);
}

static void ready(struct loop_poll *poll, uint32_t events)
{
	struct supervisor *s = poll->data;
	struct attached attached;

	(void)events;
	while (uevents_next(s->uevents, &attached)) {
		if (attached.known)
			behind(s, &attached);
		else
			guard_attached_any(s->guard);
	}
}

int attached_begin(struct supervisor *s)
{
	int r = uevents_new(&s->uevents);

	if (r < 0) {
		log_line(LOG_LEVEL_NOTICE, "loop devices will not be heard of: %s", error_text(-r));
		return 0;
	}
	s->uevents_poll = (struct loop_poll){
		.fd = uevents_get_fd(s->uevents),
		.fn = ready,
		.data = s,
	};
	return loop_poll_start(s->loop, &s->uevents_poll, EPOLLIN);
}

void attached_end(struct supervisor *s)
{
	if (s->uevents)
		loop_poll_stop(&s->uevents_poll);
	s->uevents = uevents_free(s->uevents);
}
