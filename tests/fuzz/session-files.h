/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The files that the supervisor lends, in a directory of their own, and its configuration. */

#include <stdbool.h>
#include <stdint.h>

#define FILES_BYTES (256 * 1024 + 123) /* of each */
#define FILES_LIMIT (16 * 1024 * 1024) /* nothing can be written past this */
#define RIG_PATH_MAX 96

struct config;

void files_begin(char socket_path[RIG_PATH_MAX], struct config **ret);

/* Names of objects, SESSION_NAME_*; and a file below the directory. */
const char *files_name(unsigned int name);
int files_open(const char *name, int flags);

/* Somebody else changes the file behind an export; puts everything right again. */
void files_disturb(unsigned int which, unsigned int what);
bool files_disturbed(void);
void files_restore(void);
