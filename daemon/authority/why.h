/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A refusal is put into words where it is found. */

#include <stdarg.h>
#include <stdio.h>

#include "daemon/authority/authority.h"

__attribute__((format(printf, 4, 5))) static inline int
refuse_as(char *why, size_t size, enum authority_error error, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
	return (int)error;
}
