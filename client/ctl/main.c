/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * mapsealctl: the table of commands, and the way to them.
 *
 * The global options are taken in two places by the same table: before the command here, and after
 * it, together with the command's own, in ctl_arguments(). A command returns its exit status;
 * nothing but render_no_memory() ends the program elsewhere, so that seals and break holds are
 * always given back.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/ctl.h"

static const struct command commands[] = {
	{ "status", "", "How the supervisor is", cmd_status },
	{ "list", "[--breaks]", "The seals you may see, or who waits for whom", cmd_list },
	{ "show", "ID", "One seal", cmd_show },
	{ "cat", "OBJECT[:RANGE]", "Bytes, through a READ window, to standard output", cmd_cat },
	{ "hold", "OBJECT[:RANGE] [--mode MODE] [-- COMMAND ...]",
	  "Hold a seal until it is recalled or COMMAND ends", cmd_hold },
	{ "break", "OBJECT[:RANGE] [--for WANT] [-- COMMAND ...]",
	  "Free a range, and keep it free while COMMAND runs", cmd_break },
	{ "extents", "ID", "Where the blocks under a DIRECT seal were promised to be", cmd_extents },
	{ "verify", "[ID]", "Whether DIRECT seals' blocks are where they were promised to be",
	  cmd_verify },
	{ "watch", "", "What happens, while it happens", cmd_watch },
	{ "doctor", "", "What this kernel offers, and what follows from it", cmd_doctor },
	{ "quarantine", "[list | read ID | drop ID]", "Bytes that could not be written",
	  cmd_quarantine },
};
#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct option_spec *global_options(struct ctl *ctl, struct option_spec table[5])
{
	const struct option_spec options[] = {
		OPTION_STRING('s', "socket", "PATH", &ctl->socket,
			      "the supervisor's socket ($MAPSEAL_SOCKET)"),
		OPTION_FLAG('j', "json", &ctl->json, "print JSON"),
		OPTION_FLAG('h', "help", &ctl->help, "print this help"),
		OPTION_FLAG('V', "version", &ctl->version, "print the version"),
		OPTION_END,
	};

	memcpy(table, options, sizeof(options));
	return table;
}

static void help(struct ctl *ctl)
{
	struct option_spec table[5];

	printf("mapsealctl [OPTION ...] COMMAND ...\n\n"
	       "Looks at, holds and breaks seals on files' memory lent by mapseald(8).\n\n"
	       "Commands:\n");
	for (size_t i = 0; i < N_COMMANDS; i++)
		printf("  %-12s  %s\n", commands[i].name, commands[i].summary);
	printf("\nOptions:\n");
	options_help(stdout, global_options(ctl, table));
	printf("\n'mapsealctl COMMAND --help' tells more; so does mapsealctl(1).\n");
}

bool ctl_arguments(struct ctl *ctl, const struct command *self, const struct option_spec *options,
		   unsigned int flags, char **argv, size_t min, size_t max,
		   struct options_rest *ret, int *ret_status)
{
	struct option_spec table[5];
	char error[OPTIONS_ERROR_MAX];
	struct options_rest rest;

	global_options(ctl, table);
	if (options_parse(table, options, argv, flags & OPTIONS_COMMAND, &rest, error)) {
		*ret_status = ctl_misuse("%s: %s (see mapsealctl %s --help)", self->name, error,
					 self->name);
		return false;
	}
	if (ctl->help) {
		printf("mapsealctl %s%s%s\n\n%s.\n\nOptions:\n", self->name,
		       *self->synopsis ? " " : "", self->synopsis, self->summary);
		options_help(stdout, options);
		options_help(stdout, table);
		*ret_status = EXIT_OK;
		return false;
	}
	if (rest.n_operands < min) {
		*ret_status = ctl_misuse("%s: something is missing: mapsealctl %s %s", self->name,
					 self->name, self->synopsis);
		return false;
	}
	if (rest.n_operands > max) {
		const char *hint = flags & OPTIONS_COMMAND ? "; a COMMAND comes after --" : "";

		*ret_status = ctl_misuse("%s: '%.60s' is too much%s", self->name,
					 rest.operands[max], hint);
		return false;
	}
	if (rest.command && !rest.command[0]) {
		*ret_status = ctl_misuse("%s: there is no command after --", self->name);
		return false;
	}
	if (ctl->json && flags & CTL_NO_JSON) {
		*ret_status =
			ctl_misuse("%s: what it prints is no JSON; leave --json out", self->name);
		return false;
	}
	*ret = rest;
	return true;
}

static int run(struct ctl *ctl, char **argv)
{
	struct option_spec table[5];
	char error[OPTIONS_ERROR_MAX];
	struct options_rest rest;

	global_options(ctl, table);
	if (options_parse(table, NULL, argv, OPTIONS_STOP, &rest, error))
		return ctl_misuse(
			"%s (the options of a command come after it; see mapsealctl --help)",
			error);
	if (ctl->version) {
		printf("mapsealctl %s\n", PACKAGE_VERSION);
		return EXIT_OK;
	}
	if (ctl->help && rest.n_operands == 0) {
		help(ctl);
		return EXIT_OK;
	}
	if (rest.n_operands == 0)
		return ctl_misuse("what shall be done? mapsealctl --help lists the commands");
	for (size_t i = 0; i < N_COMMANDS; i++) {
		if (strcmp(commands[i].name, rest.operands[0]) == 0)
			return commands[i].run(ctl, &commands[i], rest.operands + 1);
	}
	return ctl_misuse("'%.60s' is no command; mapsealctl --help lists them", rest.operands[0]);
}

int main(int argc, char **argv)
{
	struct ctl ctl = { 0 };
	int status, flushed;

	status = run(&ctl, argc > 0 ? argv + 1 : argv);
	flushed = ctl_flush();
	return status ? status : flushed;
}
