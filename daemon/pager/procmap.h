/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What is mapped where in another process.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct procmap {
	uint64_t start, end; /* of the mapping */
	uint64_t offset;     /* in the file, of its start */
	uint64_t inode;	     /* 0: no file */
	dev_t device;
	bool readable, writable, executable, shared;
};

bool procmap_has_query(void);

/* A descriptor of the address space that @pid has now, to be asked for as long as that lives.
 * -errno. */
int procmap_open(pid_t pid);

/* The mapping that contains @address: 0. -ENOENT: there is none, -ESRCH: no address space any
 * more. */
int procmap_find(int fd, uint64_t address, struct procmap *ret);
