/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The supervisor is killed, or leaves, while strangers are held: none of them stays so.
 */

#include <signal.h>
#include <sys/wait.h>

#include "tests/system/stranger.h"

enum { SIZE = 256 * 1024, AT = 64 * 1024, LENGTH = 4096 };

static const struct deed deeds[] = {
	{ "pwrite", deed_write, AT, LENGTH, NULL },
	{ "punch", deed_punch, 0, LENGTH, NULL },
	{ "truncate", deed_truncate, SIZE - LENGTH, 0, NULL },
};

static void test(struct rig *rig, int signal)
{
	enum { N = sizeof(deeds) / sizeof(deeds[0]) };
	const struct keeping reading = { .mode = MAPSEAL_READ, .guard = MAPSEAL_GUARD_FANOTIFY };
	const char *path = common_file(rig, signal == SIGKILL ? "killed" : "left", SIZE, 1);
	struct actor keeper, strangers[N];
	int status;

	rig_start_file(rig, path, PATIENT);
	keeper = keeper_start(&reading);
	for (int i = 0; i < N; i++)
		strangers[i] = stranger_start(&deeds[i], path);
	heard_first(&keeper, "recalled", &strangers[0]);
	keeper_does(&keeper, "old");
	expect(kill(rig->supervisor, signal) == 0);
	expect_eq(waitpid(rig->supervisor, &status, 0), rig->supervisor);
	rig->supervisor = 0;
	if (signal == SIGTERM)
		expect(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	for (int i = 0; i < N; i++)
		expect_eq(stranger_end(&strangers[i]), i ? 0 : LENGTH);
	expect_eq(file_byte(path, AT), 'n');
	expect_eq(file_byte(path, 0), 0);
	actor_kill(&keeper, SIGKILL);
}

int main(void)
{
	struct rig *rig = fanotify_rig();

	test(rig, SIGKILL);
	test(rig, SIGTERM);
	rig_free(rig);
	return 0;
}
