/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Which files did the kernel take for itself?
 *
 * Behind a loop device is a file that the kernel reads and writes without any event that fanotify
 * knows, for whoever uses the device. It is told by a uevent that a device changed; which file is
 * behind it then, the device is asked (loop(4), LOOP_GET_STATUS64). So each time that a file was
 * attached it comes out of uevents_next() a moment later. By then it may be detached again: then it
 * is told that there was one, and not which. So it is where messages were lost, and for who may not
 * open the devices. That a file was detached is not told.
 *
 * Uevents come to the network name spaces of the first user name space only: inside of a container
 * that has its own there are none. To listen needs no privilege; to open the devices,
 * CAP_DAC_OVERRIDE or their group.
 *
 * It has a thread, which waits for whoever is setting a device up. Functions here wait for nobody,
 * and are for one thread. It decides nothing.
 */

#include <stdbool.h>

#include "daemon/uevent/backing.h"
#include "util/cleanup.h"

struct uevents;

struct attached {
	char device[16]; /* "loop0", or "" */
	bool known;	 /* else it was any file */
	struct backing file;
};

/* -ENOMEM, -EMFILE, -EAFNOSUPPORT, -EPERM and the like. */
int uevents_new(struct uevents **ret);

/* NULL is allowed; returns NULL. Waits for the thread, two seconds at most if a device keeps it: then it is left
 * behind. */
struct uevents *uevents_free(struct uevents *uevents);
DEFINE_CLEANUP(struct uevents *, uevents_free)

/* Readable while uevents_next() has something. */
int uevents_get_fd(const struct uevents *uevents);

/* False: nothing for now. */
bool uevents_next(struct uevents *uevents, struct attached *ret);
