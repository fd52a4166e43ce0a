/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Unknown flags, values and messages are refused by name; a frame that is not of its form ends its
 * session, and only that; surplus descriptors are closed. The supervisor goes on serving.
 */

#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/frame.h"
#include "tests/descriptors.h"
#include "tests/system/raw.h"
#include "tests/system/rig.h"

static int sender(int channel, void *data)
{
	unsigned char frame[PROTO_FRAME_MAX];
	struct proto_message acquire = {
		.type = PROTO_ACQUIRE,
		.acquire = { .object = "file", .mode = PROTO_MODE_READ, .kind = PROTO_KIND_WINDOW },
	};
	struct raw raw;
	int fds[PROTO_FDS_MAX], size;

	(void)data;
	raw_hello(&raw);
	/* the codec encodes nothing that it would not decode: the bit is set in the frame */
	acquire.serial = 50;
	size = proto_encode(&acquire, frame);
	frame[PROTO_HEADER + sizeof(uint16_t) + sizeof("file") + 2 + 3] = 0x40;
	expect_eq(proto_frame_send(raw.socket, frame, (size_t)size, NULL, 0, 0), 0);
	expect_eq(raw_receive(&raw), PROTO_REFUSED);
	expect_eq(raw.answer.serial, 50);
	expect_str(proto_error_name(raw.answer.refused.code), "UNKNOWN_FLAG");
	expect(strstr(raw.answer.refused.text, "ACQUIRE") && strstr(raw.answer.refused.text, "flags"));

	/* an unknown message: the header alone is whole */
	memset(frame, 0, sizeof(frame));
	frame[0] = 0xff, frame[1] = 0x7f, frame[4] = 77;
	expect_eq(proto_frame_send(raw.socket, frame, 8, NULL, 0, 0), 0);
	expect_eq(raw_receive(&raw), PROTO_REFUSED);
	expect_eq(raw.answer.serial, 77);
	expect_str(proto_error_name(raw.answer.refused.code), "UNKNOWN_MESSAGE");

	/* a second HELLO */
	{
		struct proto_message hello = { .type = PROTO_HELLO,
					       .hello = { 1, 1, 0, 0 } };

		raw_refused(&raw, &hello, -1, STATE);
	}

	/* truncated, then trailing bytes, then surplus descriptors: each ends its session */
	for (int kind = 0; kind < 3; kind++) {
		raw_hello(&raw);
		acquire.serial = 5;
		size = proto_encode(&acquire, frame);
		for (size_t i = 0; i < PROTO_FDS_MAX; i++)
			fds[i] = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (kind == 0)
			size -= 3;
		else if (kind == 1)
			memset(frame + size, 0, 9), size += 9;
		expect_eq(proto_frame_send(raw.socket, frame, (size_t)size, fds,
					   kind == 2 ? PROTO_FDS_MAX : 0, 0),
			  0);
		expect_eq(raw_receive(&raw), PROTO_REFUSED);
		expect_str(proto_error_name(raw.answer.refused.code), "MALFORMED");
		expect_eq(raw_receive(&raw), 0);
		close(raw.socket);
		for (size_t i = 0; i < PROTO_FDS_MAX; i++)
			close(fds[i]);
	}

	/* something before HELLO */
	{
		struct proto_message status = { .type = PROTO_STATUS_GET };

		raw_connect(&raw);
		raw_refused(&raw, &status, -1, STATE);
	}
	/* no version in common */
	{
		struct proto_message hello = { .type = PROTO_HELLO, .hello = { 99, 100, 0, 0 } };

		raw_connect(&raw);
		raw_refused(&raw, &hello, -1, VERSION);
	}
	cue(channel, "sent");
	cue_wait(channel, "end");
	return 0;
}

int main(void)
{
	struct rig *rig = rig_new();
	const char *path = rig_file(rig, "file", 4096, 1);
	struct mapseal_status status;
	struct actor actor;
	struct mapseal *m;
	size_t before;

	rig_start(rig, "[export file]\npath = %s\nread = *\n", path);
	m = client(0);
	must(mapseal_get_status(m, &status));
	before = count_descriptors(rig->supervisor, false);
	for (int round = 0; round < 2; round++) {
		actor = actor_start(sender, NULL);
		cue_wait(actor.channel, "sent");
		cue(actor.channel, "end");
		actor_join(&actor);
	}
	/* Its sessions end when the supervisor has seen them end: then nothing of theirs is open. */
	do
		must(mapseal_get_status(m, &status));
	while (status.sessions > 1);
	while (count_descriptors(rig->supervisor, false) > before)
		sched_yield(); /* another thread closes; if it does not, the alarm ends this */
	mapseal_close(m);
	rig_free(rig);
	return 0;
}
