/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * supervise DIR: runs a supervisor on DIR/socket (with DIR/mapseald.conf, if that is there), says "ready" on stdout when it
 * is, and ends it when stdin ends. For tests written in shell; status 0 means that it left in good order.
 */

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/rig.h"

int main(int argc, char **argv)
{
	static char config[65536];
	struct rig *rig = calloc(1, sizeof(*rig));
	size_t size = 0;
	char byte;
	FILE *file;

	expect(argc == 2 && rig);
	snprintf(rig->dir, sizeof(rig->dir), "%s", argv[1]);
	snprintf(rig->socket, sizeof(rig->socket), "%s/socket", rig->dir);
	snprintf(rig->config, sizeof(rig->config), "%s/mapseald.conf", rig->dir);
	file = fopen(rig->config, "re");
	if (file) {
		size = fread(config, 1, sizeof(config) - 1, file);
		fclose(file);
	}
	if (size > 0)
		rig_start(rig, "%s", config);
	else
		rig_start(rig, NULL);
	printf("ready\n");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
	rig_stop(rig);
	free(rig);
	return 0;
}
