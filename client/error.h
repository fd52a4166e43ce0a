/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What mapseal_last_error() of the calling thread says; see error.c. */

#include "mapseal.h"
#include "proto/proto.h"

/* Each of these replaces the thread's last error and returns -@error. */
int error_set(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));
int error_refused(const struct proto_refused *refused);

/* As error_set(), for a refusal that came by another message than REFUSED. */
int error_code(enum proto_error code, const char *text);

/* "@what: " and what errno says. */
int error_errno(int error, const char *what);

/* Puts back what mapseal_last_error() said before a failure was cleaned up after. */
void error_restore(const struct mapseal_error *error);

/* Async-signal-safe: @text is copied as it is. */
int error_plain(int error, const char *text);

/* Names who is in the way, in the error just set. */
void error_holder(uint64_t seal, pid_t pid, uid_t uid, const char *comm, uint32_t deadline_ms);
