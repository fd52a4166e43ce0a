/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Descriptors that a client may come with. */

#include "tests/fuzz/session-client.h"

/* A new descriptor of the kind, -1 if there is none to be had now. */
int session_fd(enum session_fd kind, struct client_end *end, unsigned int argument);
bool session_fd_is_uffd(enum session_fd kind);
