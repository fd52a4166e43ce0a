/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A replayed or invented seq, another session's seal and an answer nobody asked for are refused, and
 * the seal is as before.
 */

#include <string.h>

#include "tests/system/raw.h"
#include "tests/system/rig.h"

enum { SIZE = 8 * 4096 };

static int player(int channel, void *data)
{
	struct proto_message give = { .type = PROTO_RETURN };
	struct proto_message answer = { .type = PROTO_ANSWER };
	struct raw raw, other;
	uint64_t seal;

	(void)channel, (void)data;
	raw_hello(&raw);
	raw_attach(&raw);
	raw_hello(&other);
	raw_acquire(&raw, "file", 0, SIZE, PROTO_MODE_READ, 0);
	seal = raw.answer.granted.seal;
	expect_eq(raw.answer.granted.seq, 1);
	(void)raw_map(&raw);

	give.return_.seal = seal;
	give.return_.offset = 0;
	give.return_.length = 4096;
	give.return_.seq = 2;
	raw_refused(&raw, &give, -1, BAD_SEAL);
	give.return_.seq = 0;
	raw_refused(&raw, &give, -1, BAD_SEAL);
	give.return_.seq = 1;
	raw_refused(&other, &give, -1, BAD_SEAL);
	give.return_.offset = 100;
	raw_refused(&raw, &give, -1, UNALIGNED);
	give.return_.offset = 64 * 4096;
	raw_refused(&raw, &give, -1, BAD_RANGE);
	give.return_.offset = 0;
	give.return_.length = 0;
	raw_refused(&raw, &give, -1, BAD_RANGE);
	give.return_.length = UINT64_MAX - 4095;
	raw_refused(&raw, &give, -1, BAD_RANGE);

	give.return_.length = 4096;
	expect_eq(raw_call(&raw, &give, -1), PROTO_RETURNED);
	expect_eq(raw.answer.returned.seq, 2);
	/* an old seq, replayed for what is left */
	give.return_.offset = 4096;
	raw_refused(&raw, &give, -1, OLD_SEQ);

	answer.answer.seal = seal;
	answer.answer.seq = 2;
	answer.answer.answer = PROTO_ANSWER_OK;
	raw_refused(&raw, &answer, -1, STATE);
	return 0;
}

int main(void)
{
	return actor_alone(SIZE, player);
}
