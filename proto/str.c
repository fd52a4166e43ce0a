/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a STR may hold.
 *
 * Strings of the protocol end up in logs and on terminals of people other than their author: the
 * name of a holder is shown to whoever is refused because of it. So a STR is UTF-8 in its shortest
 * form, without surrogates, and without control characters: neither those of ASCII nor those of
 * U+0080 to U+009F, by which some terminals are commanded too. A frame that breaks this is refused
 * whole. Who has bytes of unknown origin to send (a process may call itself anything) cleans them
 * first, so that a strange name can never end the session of the one who is told it.
 */

#include "proto/str.h"

#include <stdint.h>
#include <string.h>

#include "proto/proto.h"

/* Length of the character at @s, of which @n > 0 bytes are left; 0 if it is not well formed. */
static size_t character(const unsigned char *s, size_t n, uint32_t *ret)
{
	static const uint32_t shortest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t c;
	size_t length;

	if (s[0] < 0x80) {
		*ret = s[0];
		return 1;
	}
	if ((s[0] & 0xe0) == 0xc0) {
		length = 2;
		c = s[0] & 0x1f;
	} else if ((s[0] & 0xf0) == 0xe0) {
		length = 3;
		c = s[0] & 0x0f;
	} else if ((s[0] & 0xf8) == 0xf0) {
		length = 4;
		c = s[0] & 0x07;
	} else {
		return 0;
	}
	if (length > n)
		return 0;
	for (size_t i = 1; i < length; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (s[i] & 0x3f);
	}
	if (c < shortest[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
		return 0;
	*ret = c;
	return length;
}

/* Judges the character at @s; *ret_length is what to go on by. */
static enum proto_str_fault judge(const char *s, size_t n, size_t *ret_length)
{
	uint32_t c = 0;
	size_t length = character((const unsigned char *)s, n, &c);

	*ret_length = length ? length : 1;
	if (!length)
		return PROTO_STR_NOT_UTF8;
	if (c == 0)
		return PROTO_STR_NUL;
	if (c < 0x20 || (c >= 0x7f && c < 0xa0))
		return PROTO_STR_CONTROL;
	return PROTO_STR_OK;
}

enum proto_str_fault proto_str_check(const char *text, size_t n, size_t *ret_at)
{
	size_t length;

	for (size_t i = 0; i < n; i += length) {
		enum proto_str_fault fault = judge(text + i, n - i, &length);

		if (fault) {
			*ret_at = i;
			return fault;
		}
	}
	return PROTO_STR_OK;
}

const char *proto_str_fault_text(enum proto_str_fault fault)
{
	switch (fault) {
	case PROTO_STR_OK:
		break;
	case PROTO_STR_NUL:
		return "a NUL";
	case PROTO_STR_CONTROL:
		return "a control character";
	case PROTO_STR_NOT_UTF8:
		return "invalid UTF-8";
	}
	return "nothing wrong";
}

char *proto_str_clean(char *text)
{
	size_t n = strlen(text), i = 0, length;

	while (i < n) {
		/* Byte by byte: what is left of a character is ill-formed, and replaced next. */
		if (judge(text + i, n - i, &length)) {
			text[i] = '?';
			length = 1;
		}
		if (i + length > PROTO_STR_MAX)
			break;
		i += length;
	}
	text[i] = '\0';
	return text;
}
