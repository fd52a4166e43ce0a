/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The option parser. It is of its own because getopt_long() abbreviates names, prints by itself,
 * keeps its state in globals and cannot be told that options of the program may also follow the
 * command.
 *
 * A word that begins with "-" is an option until "--" is seen, and "-" alone is an operand. An
 * option that no table knows is refused, as is a value for a flag, a missing value and an empty
 * one. A repeated option takes its last value. Nothing is printed here but the help.
 */

#include "client/ctl/options.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include "util/units.h"

struct parser {
	const struct option_spec *tables[2];
	char *error;
};

__attribute__((__format__(__printf__, 2, 3))) static int refuse(struct parser *p,
								const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(p->error, OPTIONS_ERROR_MAX, format, ap);
	va_end(ap);
	return 1;
}

static const struct option_spec *find(const struct parser *p, char letter, const char *name,
				      size_t n)
{
	for (size_t t = 0; t < 2; t++) {
		const struct option_spec *o = p->tables[t];

		for (; o && o->type != OPTION_TYPE_END; o++) {
			if (name ? strncmp(o->name, name, n) == 0 && o->name[n] == '\0' :
				   o->letter == letter)
				return o;
		}
	}
	return NULL;
}

static int choose(struct parser *p, const struct option_spec *o, const char *value)
{
	char known[128] = "";
	size_t used = 0;

	for (const struct option_choice *c = o->choices; c->name; c++) {
		int n;

		if (strcmp(c->name, value) == 0) {
			*(int *)o->target = c->value;
			return 0;
		}
		n = snprintf(known + used, sizeof(known) - used, "%s%s", used ? ", " : "", c->name);
		used += (size_t)n < sizeof(known) - used ? (size_t)n : 0;
	}
	return refuse(p, "--%s: '%.60s' is none of %s", o->name, value, known);
}

static int set(struct parser *p, const struct option_spec *o, const char *value)
{
	uint64_t ms;
	int r;

	switch (o->type) {
	case OPTION_TYPE_FLAG:
		*(bool *)o->target = true;
		return 0;
	case OPTION_TYPE_STRING:
		*(const char **)o->target = value;
		return 0;
	case OPTION_TYPE_MS:
		r = units_parse_count(value, UINT32_MAX, &ms);
		if (r)
			return refuse(p, "--%s: '%.60s' %s", o->name, value, units_error_text(r));
		if (ms == 0)
			return refuse(p, "--%s: 0 is no time; it takes 1 millisecond or more",
				      o->name);
		*(uint32_t *)o->target = (uint32_t)ms;
		return 0;
	case OPTION_TYPE_CHOICE:
		return choose(p, o, value);
	case OPTION_TYPE_END:
		break;
	}
	return 0;
}

/* Takes one option, perhaps with the word after it. Advances *@word to the last one used. */
static int take(struct parser *p, char ***word)
{
	const char *text = **word, *value = NULL;
	const struct option_spec *o;

	if (text[1] == '-') {
		size_t n = strcspn(text + 2, "=");

		o = find(p, 0, text + 2, n);
		if (!o)
			return refuse(p, "unknown option '%.*s'", (int)(n > 60 ? 60 : n + 2), text);
		if (text[2 + n] == '=')
			value = text + 2 + n + 1;
	} else {
		o = find(p, text[1], NULL, 0);
		if (!o)
			return refuse(p, "unknown option '-%c'", text[1]);
		if (text[2] != '\0' && o->type == OPTION_TYPE_FLAG)
			return refuse(p, "'%.60s': short options are given one by one", text);
		if (text[2] != '\0')
			value = text + 2;
	}

	if (o->type == OPTION_TYPE_FLAG)
		return value ? refuse(p, "--%s takes no value", o->name) : set(p, o, NULL);
	if (!value) {
		value = (*word)[1];
		if (!value)
			return refuse(p, "--%s needs a value (%s)", o->name, o->argument);
		(*word)++;
	}
	if (*value == '\0')
		return refuse(p, "--%s: its value is empty", o->name);
	return set(p, o, value);
}

int options_parse(const struct option_spec *common, const struct option_spec *specific, char **argv,
		  unsigned int flags, struct options_rest *ret, char error[OPTIONS_ERROR_MAX])
{
	struct parser p = { .tables = { common, specific }, .error = error };
	char **word, **command = NULL;
	size_t n = 0;
	int r;

	for (word = argv; *word; word++) {
		if (strcmp(*word, "--") == 0 && flags & OPTIONS_COMMAND) {
			command = word + 1;
			break;
		}
		if (strcmp(*word, "--") == 0 || (flags & OPTIONS_STOP && (*word)[0] != '-')) {
			for (word += (*word)[0] == '-'; *word; word++)
				argv[n++] = *word;
			break;
		}
		if ((*word)[0] != '-' || (*word)[1] == '\0') {
			argv[n++] = *word;
			continue;
		}
		r = take(&p, &word);
		if (r)
			return r;
	}
	/* The slot of an option or of the "--" before the command, or the NULL that was there. */
	argv[n] = NULL;
	*ret = (struct options_rest){ .operands = argv, .n_operands = n, .command = command };
	return 0;
}

void options_help(FILE *f, const struct option_spec *table)
{
	for (const struct option_spec *o = table; o && o->type != OPTION_TYPE_END; o++) {
		char left[64];

		snprintf(left, sizeof(left), "%c%c%s--%s%s%s", o->letter ? '-' : ' ',
			 o->letter ? o->letter : ' ', o->letter ? ", " : "  ", o->name,
			 o->argument ? " " : "", o->argument ? o->argument : "");
		fprintf(f, "  %-24s  %s\n", left, o->help);
	}
}
