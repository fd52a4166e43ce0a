/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What tests of authority share: a directory in a mount namespace of their own, and a client. */

#include <check.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/types.h>
#include <unistd.h>

#include "daemon/authority/authority.h"

#define CLIENT_UID 65534

extern struct mounts *mounts;

/* Exits with 77 unless run by root; after it, mounts made here are seen by nobody else. */
void world_or_skip(void);
int world_run(Suite *suite);

/* A fixture: an empty directory that all may enter, and *mounts. Descriptors must not leak. */
void world_setup(void);
void world_teardown(void);

/* Names in it; several results may be in use at once. */
const char *at(const char *name);
void make_file(const char *name, uid_t owner, const char *content);

/* Becomes a client: for child processes only. */
void become_client(void);

/* What open(2) gives a client, as passed by it; -errno if it may not. */
int client_open(const char *path, int flags);

int receive_fd(int socket);
void send_fd(int socket, int fd);

/* Judgements of a descriptor, which is closed. */
void must_refuse(int fd, bool write, int error);
void must_prove(int fd, bool write);

/* @why tells a person something, and would fit in a message. */
void must_explain(const char *why);
/* @file is a description as promised. */
void must_be_own(const struct authority_file *file, bool write);
