/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The queue of commands: a ring that grows, filled by every part of the core and emptied by whoever
 * drives it.
 *
 * Commands are values. The only memory behind one is its account, which belongs to the queue until
 * the command is taken, and then until the next one is.
 */

#include "daemon/core/core-internal.h"

#include <stdlib.h>
#include <string.h>

static void grow(struct core *core)
{
	size_t size = core->size_commands ? 2 * core->size_commands : 64;
	struct core_command *ring = core_must(calloc(size, sizeof(*ring)));

	for (size_t i = 0; i < core->n_commands; i++)
		ring[i] = core->commands[(core->first_command + i) % core->size_commands];
	free(core->commands);
	core->commands = ring;
	core->first_command = 0;
	core->size_commands = size;
}

struct core_command *core_emit(struct core *core, enum core_command_type type)
{
	struct core_command *command;

	if (core->n_commands == core->size_commands)
		grow(core);
	command = &core->commands[(core->first_command + core->n_commands++) % core->size_commands];
	*command = (struct core_command){ .type = type };
	return command;
}

struct core_command *core_emit_seal(struct core *core, enum core_command_type type,
				    const struct seal *seal)
{
	struct core_command *command = core_emit(core, type);

	command->holder = seal->holder->node.id;
	command->seal = seal->node.id;
	command->window = seal->window;
	command->object = seal->object->node.id;
	command->start = seal->range.start;
	command->end = seal->range.end;
	command->seq = seal->seq;
	command->mode = seal->mode;
	command->kind = seal->kind;
	command->uid = seal->holder->info.uid;
	return command;
}

bool core_next_command(struct core *core, struct core_command *ret)
{
	free(core->lent);
	core->lent = NULL;
	if (core->n_commands == 0)
		return false;
	*ret = core->commands[core->first_command];
	core->lent = (struct core_account_entry *)ret->account;
	core->first_command = (core->first_command + 1) % core->size_commands;
	core->n_commands--;
	return true;
}

void core_command_deinit(struct core *core)
{
	struct core_command command;

	while (core_next_command(core, &command))
		;
	free(core->commands);
}
