/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writes a valid frame of every message into a directory: what a fuzzer begins with. Run again when
 * a message was added; the frames of the others stay as they are.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/proto/sample.h"

int main(int argc, char **argv)
{
	static struct sample sample;
	struct proto_message message;
	uint8_t frame[PROTO_FRAME_MAX];
	char path[4096], name[64];
	size_t n;
	int size;
	FILE *f;

	if (argc != 2) {
		fprintf(stderr, "usage: make-corpus DIRECTORY\n");
		return 2;
	}
	for (unsigned int type = 0; type < proto_table_types(); type++) {
		const struct proto_description *d = proto_describe(type);

		if (!d)
			continue;
		sample_init(&sample, type);
		do {
			sample_message(&sample, d, &message);
			size = proto_encode(&message, frame);
		} while (size > 512);
		proto_ident_text(d->name, name, sizeof(name));
		snprintf(path, sizeof(path), "%s/%s", argv[1], name);
		f = fopen(path, "wb");
		n = f && size > 0 ? fwrite(frame, 1, (size_t)size, f) : 0;
		if (!f || fclose(f) || n != (size_t)size) {
			fprintf(stderr, "%s: %s\n", path, strerror(errno));
			return 1;
		}
	}
	return 0;
}
