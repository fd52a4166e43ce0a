/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The file behind a loop device, as the device itself tells: loop(4). */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct backing {
	dev_t dev; /* as stat(2) of the file says */
	ino_t ino;
	bool writes;
	uint64_t sequence; /* another each time that a file is put behind it: BLKGETDISKSEQ */
};

#define BACKING_LOOP "loop"

/* "loop0", and no other kind of device. */
bool backing_is_loop(const char *devname);

/* 0, -ENXIO (there is none), or another -errno: the device can't be asked. May wait for whoever is
 * setting the device up. */
int backing_look(const char *devname, struct backing *ret);
