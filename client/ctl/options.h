/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * Command-line options as tables. A table ends with OPTION_END; where its values go is part of it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

enum option_type {
	OPTION_TYPE_END,
	OPTION_TYPE_FLAG,   /* bool: set to true */
	OPTION_TYPE_STRING, /* const char *: points into argv */
	OPTION_TYPE_MS,	    /* uint32_t: milliseconds, at least 1 */
	OPTION_TYPE_CHOICE, /* int: the value of one of @choices */
};

struct option_choice {
	const char *name; /* NULL ends the list */
	int value;
};

struct option_spec {
	enum option_type type;
	char letter; /* 0: none */
	const char *name;
	const char *argument; /* what its value is called in the help */
	const char *help;
	void *target;
	const struct option_choice *choices;
};

#define OPTION_FLAG(letter, name, target, help)                                                    \
	{                                                                                          \
		OPTION_TYPE_FLAG, letter, name, NULL, help, (bool *){ target }, NULL               \
	}
#define OPTION_STRING(letter, name, argument, target, help)                                        \
	{                                                                                          \
		OPTION_TYPE_STRING, letter, name, argument, help, (const char **){ target }, NULL  \
	}
#define OPTION_MS(letter, name, target, help)                                                      \
	{                                                                                          \
		OPTION_TYPE_MS, letter, name, "MS", help, (uint32_t *){ target }, NULL             \
	}
#define OPTION_CHOICE(letter, name, argument, choices, target, help)                               \
	{                                                                                          \
		OPTION_TYPE_CHOICE, letter, name, argument, help, (int *){ target }, choices       \
	}
#define OPTION_END                                                                                 \
	{                                                                                          \
		OPTION_TYPE_END, 0, NULL, NULL, NULL, NULL, NULL                                   \
	}

enum {
	OPTIONS_STOP =
		1u << 0, /* the first operand ends the options (it is the name of a command) */
	OPTIONS_COMMAND = 1u << 1, /* what follows "--" is a command to run, not operands */
};

struct options_rest {
	char **operands; /* NULL-terminated, in argv's memory */
	size_t n_operands;
	char **command; /* NULL: no "--", or without OPTIONS_COMMAND */
};

#define OPTIONS_ERROR_MAX 256

/*
 * Parses @argv (without the program's name), which is reordered: operands come first. Options of
 * either table are taken anywhere before "--". Names are never abbreviated. 0, or 1 with a sentence
 * about what is wrong in @error; what was parsed until there stays in the targets.
 */
int options_parse(const struct option_spec *common, const struct option_spec *specific, char **argv,
		  unsigned int flags, struct options_rest *ret, char error[OPTIONS_ERROR_MAX]);

/* One line an option, aligned. */
void options_help(FILE *f, const struct option_spec *table);
