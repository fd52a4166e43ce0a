/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The stage of the demonstration: a timeline that several processes write to, and checks that count.
 */

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { STAGE_UID = 65534 };

/* Opens the timeline; lines are said from any process forked afterwards, and printed by stage_play(). */
void stage_open(void);
void stage_begin(const char *title);

/* "  12.345 ms  who      what" */
void stage_say(const char *who, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Like stage_say(), with "ok" or "NOT OK"; a scene with one of those fails. True if @is_right. */
bool stage_check(const char *who, bool is_right, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* Something that the demonstration cannot go on without. */
void stage_need(bool is_there, const char *what);

/* Waits for the end of @pid and prints its lines meanwhile; its wait status. */
int stage_wait(pid_t pid);
void stage_flush(void);
int stage_failures(void);

/* A child under STAGE_UID that plays @fn; *ret_channel takes one-byte cues. */
pid_t stage_actor(int (*fn)(int channel, const void *data), const void *data, int *ret_channel);
pid_t stage_program(const char *const argv[]);
void stage_cue(int channel);
bool stage_await(int channel); /* false: nobody is there any more */

/* SHA-256 of a file as root sees it, or of what is written to the returned pipe (sha256sum(1)). */
void stage_digest_file(const char *path, char ret[65]);
int stage_digest_begin(pid_t *ret_pid, int *ret_result);
void stage_digest_end(int pipe_fd, pid_t pid, int result, char ret[65]);
