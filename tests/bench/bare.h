/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The floors: what is measured, done by the bare mechanism and nothing else.
 *
 * Each floor is a server (the body of an actor, which is handed a SEQPACKET socket) and what its
 * client calls. Messages are as long as mapseal's commonest ones. Servers end when their socket
 * does.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bare_message { /* 64 bytes */
	uint64_t what, address, length, value;
	uint64_t rest[4];
};

void bare_send(int socket, const struct bare_message *message, int fd); /* -1: none */

/* False: nobody is there any more. *ret_fd is -1 if none came; may be NULL if none can come. */
bool bare_receive(int socket, struct bare_message *ret, int *ret_fd);

/* Sends and receives. */
struct bare_message bare_ask(int socket, uint64_t what, uint64_t address, uint64_t length);

/* ---- floor-pager.c: a userfaultfd served by another process -------------------------------- */

struct bare_pager {
	int file;	      /* what windows are filled from */
	unsigned int batch;   /* pages brought in by a fault */
	unsigned int spin_us; /* looks for more faults before it sleeps */
};

int bare_pager_serve(int channel, void *pager);

struct bare_window {
	int channel, uffd;
	unsigned char *bytes;
	uint64_t length;
};

/* As a mapseal window of that mode is: READ private and read-only, WRITE shared and
 * write-protected. One at a time. */
void bare_window_open(struct bare_window *window, int channel, uint64_t length, bool write);
void bare_window_close(struct bare_window *window);

/* Of a WRITE window, asked for by anybody who has the channel: brings all of it in; write-protects
 * all of it and punches its memory, and says how long that took (ns). */
void bare_window_populate(int channel);
uint64_t bare_window_fence(int channel);

/* ---- floor-grant.c: a round trip with two descriptors, mmap, UFFDIO_REGISTER ---------------- */

int bare_grant_serve(int channel, void *data);

struct bare_grant {
	int channel, uffd, proof;
};

void bare_grant_init(struct bare_grant *grant, int channel, int proof);
void *bare_grant(struct bare_grant *grant);
void bare_grant_undo(struct bare_grant *grant, void *address);

/* ---- floor-fan-out.c: a message to each of N, and all their replies ------------------------ */

struct bare_fan_out {
	int *sockets;
	unsigned int n;
};

/* Asked by a message, answers when all have replied. */
int bare_fan_out_serve(int channel, void *fan_out);

/* One end of each goes to the server, the other to a holder, who replies to what comes. */
void bare_pairs(int *servers, int *holders, unsigned int n);
void bare_reply(int socket);

/* ---- floor-guard.c: fanotify that lets everything go, a lease that is given up -------------- */

/* Data: the path. They tell "held" when they are ready; the lease is taken again on "again", and
 * that is told again. */
int bare_fanotify_serve(int channel, void *path);
int bare_lease_serve(int channel, void *path);
