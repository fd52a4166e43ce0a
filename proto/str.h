/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What a STR may hold. proto.h has proto_str_clean(), which makes one out of anything. */

#include <stddef.h>

enum proto_str_fault {
	PROTO_STR_OK,
	PROTO_STR_NUL,
	PROTO_STR_CONTROL,
	PROTO_STR_NOT_UTF8,
};

/* Checks @n bytes, whatever comes after them. A fault comes with its offset. */
enum proto_str_fault proto_str_check(const char *text, size_t n, size_t *ret_at);

/* "a control character", ... */
const char *proto_str_fault_text(enum proto_str_fault fault);
