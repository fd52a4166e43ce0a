/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What both scenes are about. */
struct play {
	char socket[128];
	char path[128];	  /* the database: root may open it, the actors may not */
	char digest[65];  /* of its bytes at the start */
	uint64_t size, half;
	bool is_silent;	  /* the holder is stopped, so that it cannot answer */
};

enum {
	USER_VERSION_OFFSET = 60,    /* of an SQLite file's header, big-endian */
	APPLICATION_ID_OFFSET = 68,
	USER_VERSION = 2017,
	APPLICATION_ID = 0x5ea1,
	HEADER_LENGTH = 1 << 20, /* what the holder holds for writing; the reader has the rest */
};

int actor_holder(int channel, const void *play);
int actor_reader(int channel, const void *play);
