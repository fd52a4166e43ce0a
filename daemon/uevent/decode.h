/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What a message of the kernel says about a device: pure, no socket.
 *
 * "ACTION@DEVPATH", then "KEY=value" in any order, each ended by a zero byte (kobject_uevent_env()
 * in lib/kobject_uevent.c of the kernel, Documentation/core-api/kobject.rst).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct uevent {
	const char *action, *subsystem, *devname; /* into the message; "" where it does not say */
	uint64_t diskseq; /* of a block device, another for each thing behind it; 0: not said */
	bool synthetic;	  /* somebody asked for it by writing to the device's "uevent" file */
};

/* False: it is none of the kernel's. What is not known in it is passed over. */
bool uevent_decode(const char *message, size_t length, struct uevent *ret);
