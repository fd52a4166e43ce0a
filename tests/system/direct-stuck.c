/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A disk that hangs while blocks are made ready for a DIRECT seal: who wants the range goes on in
 * bounded time and hears that nothing was fenced, and who asked for the seal is refused rather than left
 * without an answer.
 */

#include <string.h>

#include "tests/system/direct.h"
#include "tests/system/raw.h"

enum { SIZE = 256 * 1024 };

int main(void)
{
	struct proto_message status = { .type = PROTO_STATUS_GET };
	struct proto_message acquire = {
		.type = PROTO_ACQUIRE,
		.acquire = {
			.object = "file",
			.mode = PROTO_MODE_WRITE,
			.kind = PROTO_KIND_DIRECT,
			.length = SIZE,
		},
	};
	struct rig *rig = rig_new();
	const char *disk = rig_mount(rig, "disk", "ext4", 32 * MiB);
	const char *path = rig_file(rig, "disk/file", SIZE, 1);
	const struct mapseal_account *account;
	struct mapseal_break *brk;
	struct mapseal *m;
	struct raw raw;
	uint32_t serial;

	punch(path, 0, SIZE / 2);
	rig_start_file(rig, path, "deadline-ms = 100\nhard-ms = 500\nfence-ms = 100\n");
	raw_hello(&raw);
	m = client(0);
	rig_freeze(disk);
	raw_send(&raw, &acquire, NULL, 0);
	serial = raw.serial;
	expect_eq(raw_call(&raw, &status, -1), PROTO_STATUS);

	brk = break_range(m, "file", 0, 0, 0);
	expect_eq(mapseal_break_account(brk, &account), 1);
	expect_str(account->result, "revoked");
	expect_str(account->fence, "unfenced");
	mapseal_break_end(brk);
	expect_eq(raw_receive(&raw), PROTO_REFUSED);
	expect_eq(raw.answer.serial, serial);
	expect_str(proto_error_name(raw.answer.refused.code), "GONE");

	rig_thaw();
	expect_eq(raw_call(&raw, &acquire, -1), PROTO_GRANTED);
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
