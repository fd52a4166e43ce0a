/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * A pager, an address space and objects for tests: everything is real but the supervisor.
 *
 * The client is the test process itself unless a test forks one. A call that fails where the test
 * does not expect it ends the program with a message; what the kernel or the user lacks ends it
 * with 77.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>

#include "daemon/pager/pager.h"

#define PAGE 4096ul

#define check(condition)                                                                           \
	do {                                                                                       \
		if (!(condition))                                                                  \
			rig_fail(__FILE__, __LINE__, #condition);                                  \
	} while (0)

/* Equal integers, or both are shown. */
#define check_is(a, b) rig_equal(__FILE__, __LINE__, #a, (long long)(a), (long long)(b))

void rig_fail(const char *file, int line, const char *what) __attribute__((noreturn));
void rig_equal(const char *file, int line, const char *what, long long a, long long b);
void rig_skip(const char *why) __attribute__((noreturn));

struct rig {
	struct pager *pager;
	int uffd; /* the client's copy */
	uint64_t space, next_id, next_tag;
	bool space_lost;
	unsigned int committed;
	struct pager_event early[48]; /* ends of jobs that nobody waited for yet */
	unsigned int n_early;
};

struct window_of {
	uint64_t id;
	unsigned char *at;
	size_t length; /* whole pages */
	uint64_t start, end;
	int memory;
};

#define RIG_CONFIG                                                                                 \
	(struct pager_config)                                                                      \
	{                                                                                          \
		.memory_owner = 65533, .readahead_pages = 4, .sequential_pages = 8,                \
		.granule_pages = 2, .max_mappers = 4                                               \
	}

/* A pager, and this process attached to it as a space. */
void rig_start(struct rig *rig, const struct pager_config *config);
void rig_start_as(struct rig *rig, const struct pager_config *config, int uffd_flags);
void rig_stop(struct rig *rig);

/* A userfaultfd that nobody configured; @flags: 0 serves system calls too, or
 * UFFD_USER_MODE_ONLY. */
int rig_uffd(int flags);

/* Attaches @pid's @uffd (a copy is passed), with its page at @probe. */
struct pager_event rig_attach(struct rig *rig, uint64_t space, int uffd, pid_t pid, void *probe);
void *rig_probe(void);

/* Submits, fills in the tag. */
uint64_t rig_submit(struct rig *rig, struct pager_job *job);
/* Waits for the end of the job of @tag; other events are kept for those who will. */
struct pager_event rig_wait(struct rig *rig, uint64_t tag);
struct pager_event rig_do(struct rig *rig, struct pager_job job);

/* Waits for a SPACE_LOST. */
void rig_wait_lost(struct rig *rig);

/* Makes an object of @fd (which becomes the pager's); its id. */
uint64_t rig_object(struct rig *rig, int fd, uint64_t size, bool writable);

/* A new file with @size bytes, byte n of which is rig_byte(n). Unlinked; in $TMPDIR or /var/tmp. */
int rig_file(size_t size);
unsigned char rig_byte(uint64_t offset);

/* As the library does for what is populated: or reclaim may take it out of the page table. */
void rig_lock(const struct window_of *window);

enum { RIG_WRITE = 1, RIG_PINNABLE = 2, RIG_UNMAPPED = 4 };
struct window_of rig_window(struct rig *rig, uint64_t object, uint64_t start, uint64_t end,
			    int flags);
void rig_map(struct rig *rig, struct window_of *window, int flags);

struct pager_event rig_commit(struct rig *rig, const struct window_of *window);
struct pager_event rig_fence(struct rig *rig, const struct window_of *window, enum pager_how how);
void rig_regrant(struct rig *rig, const struct window_of *window);
void rig_close(struct rig *rig, struct window_of *window);

/* Reads or writes a byte; false if that was a SIGBUS (before Linux 6.6 also if it waits for good). */
bool rig_read(const unsigned char *at, unsigned char *ret);
bool rig_write(unsigned char *at, unsigned char value);

/* Waits until a thread of @tid is asleep in the page fault handler of a userfaultfd. */
void rig_wait_parked(pid_t tid);

/* May memory be made of large pages here? Then a page that was taken out alone may stay, as zeros. */
bool rig_large_pages(void);
