/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A loop device, which is gone when its descriptor is closed. See rig.h. */

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "tests/system/rig.h"

#define BLOCK 4096

/* The free one that is named may be another's by then, or on its way out. */
int rig_attach(int file)
{
	struct loop_config config = {
		.fd = (uint32_t)file,
		.block_size = BLOCK,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR,
	};
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int device, r;

	if (control < 0)
		return -errno;
	do {
		char name[32];

		snprintf(name, sizeof(name), "/dev/loop%d", ioctl(control, LOOP_CTL_GET_FREE));
		device = open(name, O_RDWR | O_CLOEXEC);
		r = device < 0 || ioctl(device, LOOP_CONFIGURE, &config) < 0 ? -errno : 0;
		if (r < 0 && device >= 0)
			close(device);
	} while (r == -EBUSY || r == -ENXIO);
	close(control);
	return r < 0 ? r : device;
}
