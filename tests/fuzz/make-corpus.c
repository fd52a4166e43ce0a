/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Writes what a fuzzer begins with into a directory: for "decode" a valid frame of every message,
 * for "session" what orderly clients do. Run again when a message or an operation was added; the
 * others stay as they are.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "tests/fuzz/session-ops.h"
#include "tests/unit/proto/sample.h"

static int save(const char *directory, const char *name, const void *data, size_t size)
{
	char path[4096];
	size_t n;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	f = fopen(path, "wb");
	n = f ? fwrite(data, 1, size, f) : 0;
	if (!f || fclose(f) || n != size) {
		fprintf(stderr, "%s: %s\n", path, strerror(errno));
		return -1;
	}
	return 0;
}

static int decode(const char *directory)
{
	static struct sample sample;
	struct proto_message message;
	uint8_t frame[PROTO_FRAME_MAX];
	char name[64];
	int size;

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
		if (size <= 0 || save(directory, name, frame, (size_t)size) < 0)
			return 1;
	}
	return 0;
}

#define OP(c, op) SESSION_##op | (c) << 4
#define OPEN(c, how) OP(c, OPEN), how
#define SEND(c, type, argument) OP(c, SEND), PROTO_##type, argument, 0
#define LATER(c, type, argument)                                                                   \
	(OP(c, SEND)) | SESSION_NO_SETTLE | SESSION_NO_READ, PROTO_##type, argument, 0
#define SEND_WITH(c, type, argument, field, source, value)                                         \
	OP(c, SEND), PROTO_##type, argument, 1, field, SESSION_SOURCE_##source, value
#define SEND_FD(c, type, argument, fd)                                                             \
	OP(c, SEND), PROTO_##type, argument, SESSION_EXTRA_FDS, SESSION_FD_##fd
#define DIRECT(c, argument, flags)                                                                 \
	OP(c, SEND), PROTO_ACQUIRE, argument, 2, 2, SESSION_SOURCE_BYTE, PROTO_KIND_DIRECT, 3,      \
		SESSION_SOURCE_BYTE, flags
#define MAP(c, how) OP(c, MAP), 0, how
#define TOUCH(c, how, page) OP(c, TOUCH), 0, SESSION_TOUCH_##how, page
#define WAIT(i) OP(0, WAIT), i
#define PART(c, from, pages) OP(c, PART), 0, from, pages

#define WRITE SESSION_ARG_WRITE
#define WHOLE SESSION_ARG_WHOLE
#define HOLD SESSION_ARG_HOLD
#define NO_WAIT SESSION_ARG_NO_WAIT
#define NAME(n) SESSION_NAME_##n

#define SEED(name, ...)                                                                            \
	{                                                                                          \
		name, (const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ })   \
	}

static const struct {
	const char *name;
	const uint8_t *bytes;
	size_t size;
} seeds[] = {
	SEED("read-window", OPEN(0, 0), SEND(0, ACQUIRE, NAME(FILE) | WHOLE), MAP(0, 0),
	     TOUCH(0, READ, 3), SEND(0, POPULATE, 0), SEND(0, RETURN, 0)),
	SEED("write-commit", OPEN(0, 0), SEND(0, ACQUIRE, NAME(FILE) | WRITE), MAP(0, 0),
	     TOUCH(0, WRITE, 0), TOUCH(0, WRITE, 9), SEND(0, FLUSH, 0), TOUCH(0, WRITE, 1),
	     SEND(0, COMMIT, 0), SEND(0, RETURN, 0)),
	SEED("recall-return", OPEN(0, 0), OPEN(1, SESSION_OPEN_STRANGER),
	     SEND(0, ACQUIRE, NAME(FILE) | WRITE), MAP(0, 0), TOUCH(0, WRITE, 2), WAIT(4),
	     SEND(1, BREAK_BEGIN, NAME(FILE) | WRITE | WHOLE | HOLD), SEND(0, ANSWER, 0),
	     SEND(0, RETURN, 0), SEND(1, BREAK_END, 0)),
	SEED("recall-partly", OPEN(0, 0), OPEN(1, SESSION_OPEN_STRANGER),
	     SEND(0, ACQUIRE, NAME(FILE) | WRITE), MAP(0, 0), TOUCH(0, WRITE, 5), PART(0, 4, 2),
	     SEND(0, ACQUIRE, NAME(FILE)), WAIT(4), SEND(1, BREAK_BEGIN, NAME(FILE) | WRITE),
	     PART(0, 0, 2), WAIT(6), WAIT(12)),
	SEED("revoked", OPEN(0, 0), OPEN(1, SESSION_OPEN_STRANGER),
	     SEND(0, ACQUIRE, NAME(FILE) | WRITE), MAP(0, 0), TOUCH(0, WRITE, 0), WAIT(4),
	     SEND(1, BREAK_BEGIN, NAME(FILE) | WRITE | WHOLE), WAIT(10), WAIT(10),
	     TOUCH(0, READ, 0), SEND(0, RETURN, 0)),
	SEED("parked", OPEN(0, SESSION_OPEN_DEVICE), OPEN(1, SESSION_OPEN_STRANGER),
	     SEND(0, ACQUIRE, NAME(FILE) | WRITE | HOLD), MAP(0, 0), TOUCH(0, WRITE, 0), WAIT(4),
	     SEND(1, BREAK_BEGIN, NAME(FILE) | WRITE | WHOLE | HOLD), TOUCH(0, READ, 0),
	     SEND(1, BREAK_END, 0), WAIT(4)),
	SEED("hold-expires", OPEN(0, 0), SEND(0, BREAK_BEGIN, NAME(FILE) | WRITE | HOLD),
	     OPEN(1, SESSION_OPEN_STRANGER), SEND(1, ACQUIRE, NAME(FILE)), WAIT(14), WAIT(14),
	     MAP(1, 0)),
	SEED("foreign-read", OPEN(0, 0), SEND(0, ACQUIRE, NAME(FILE) | WRITE), MAP(0, 0),
	     TOUCH(0, WRITE, 0), OPEN(1, SESSION_OPEN_STRANGER),
	     SEND(1, BREAK_BEGIN, NAME(FILE))),
	SEED("quarantine", OPEN(0, 0), SEND(0, WATCH, 0), SEND(0, ACQUIRE, NAME(FULL) | WRITE),
	     MAP(0, 0), TOUCH(0, WRITE, 0), SEND(0, COMMIT, 0),
	     OPEN(1, SESSION_OPEN_STRANGER), WAIT(4),
	     SEND(1, BREAK_BEGIN, NAME(FULL) | WRITE), WAIT(10), SEND(0, LIST, 2),
	     SEND(0, QUARANTINE_READ, 0), SEND(0, QUARANTINE_DROP, 0)),
	SEED("delay", OPEN(0, SESSION_OPEN_IO), OPEN(1, SESSION_OPEN_STRANGER),
	     SEND(0, ACQUIRE, NAME(FILE)), WAIT(4), SEND(1, BREAK_BEGIN, NAME(FILE) | WRITE),
	     SEND(0, ANSWER, 1), WAIT(10), WAIT(12)),
	SEED("flush-fails", OPEN(0, 0), SEND(0, ACQUIRE, NAME(FULL) | WRITE), MAP(0, 0),
	     TOUCH(0, WRITE, 0), OPEN(1, SESSION_OPEN_STRANGER),
	     SEND(1, BREAK_BEGIN, NAME(FULL)), SEND(0, FLUSH, 0), SEND(0, RETURN, 0)),
	SEED("forced", OPEN(0, 0), SEND(0, ACQUIRE, NAME(LIMITED) | WRITE), MAP(0, 0),
	     TOUCH(0, WRITE, 0), OPEN(1, SESSION_OPEN_STRANGER | SESSION_OPEN_APART),
	     LATER(1, BREAK_BEGIN, NAME(LIMITED) | WRITE), OP(0, STEP), 3,
	     (OP(0, WAIT)) | SESSION_NO_SETTLE, 1, (OP(0, WAIT)) | SESSION_NO_SETTLE, 1),
	SEED("revoked-and-parked", OPEN(0, 0), OPEN(1, SESSION_OPEN_STRANGER),
	     SEND_WITH(0, ACQUIRE, NAME(FILE) | WRITE, 3, BYTE, 16), MAP(0, 0), TOUCH(0, WRITE, 3),
	     WAIT(4), SEND(1, BREAK_BEGIN, NAME(FILE) | WRITE | HOLD), WAIT(10), WAIT(10),
	     TOUCH(0, WRITE, 3), SEND(1, BREAK_END, 0), WAIT(4), SEND(0, COMMIT, 0)),
	SEED("hard", OPEN(0, SESSION_OPEN_STRANGER | SESSION_OPEN_APART), OPEN(1, 0),
	     SEND(1, ACQUIRE, NAME(HARD)), SEND(0, BREAK_BEGIN, NAME(HARD) | WRITE),
	     SEND(0, BREAK_BEGIN, NAME(HARD))),
	SEED("discard", OPEN(0, 0), SEND(0, ACQUIRE, NAME(DISCARD) | WRITE), MAP(0, 0),
	     TOUCH(0, WRITE, 1), OP(0, CLOSE)),
	SEED("ranges", OPEN(0, SESSION_OPEN_NOBODY), SEND(0, ACQUIRE, NAME(RANGES)),
	     SEND(0, ACQUIRE, NAME(RANGES) | WHOLE),
	     SEND_WITH(0, ACQUIRE, NAME(RANGES) | WRITE, 4, PAGES, 16),
	     SEND(0, BREAK_BEGIN, NAME(RANGES) | WRITE)),
	SEED("limited", OPEN(0, 0), SEND(0, ACQUIRE, NAME(LIMITED)),
	     SEND(0, ACQUIRE, NAME(LIMITED)), SEND(0, ACQUIRE, NAME(LIMITED)),
	     OPEN(1, SESSION_OPEN_STRANGER | SESSION_OPEN_NOBODY),
	     SEND(1, BREAK_BEGIN, NAME(LIMITED) | WRITE | WHOLE), WAIT(0), WAIT(0)),
	SEED("directory", OPEN(0, 0), SEND(0, ACQUIRE, NAME(DIR_A)),
	     SEND(0, ACQUIRE, NAME(DIR_LINK)), SEND(0, ACQUIRE, NAME(DIR_FIFO)),
	     SEND(0, ACQUIRE, NAME(DIR_OUT)),
	     SEND(0, ACQUIRE, NAME(DIR)), SEND(0, ACQUIRE, NAME(EMPTY_FILE) | WHOLE)),
	SEED("anonymous", OPEN(0, 0), SEND(0, CREATE, 0), SEND(0, ACQUIRE, NAME(MEMORY) | WRITE),
	     MAP(0, 0), TOUCH(0, WRITE, 0), SEND(0, COMMIT, 0), OPEN(1, 0), OP(0, CLOSE),
	     SEND(1, ACQUIRE, NAME(MEMORY))),
	SEED("descriptor", OPEN(0, 0), SEND_FD(0, ACQUIRE, NAME(NOTHING) | WRITE, WRITE),
	     MAP(0, 0), SEND_FD(0, ACQUIRE, NAME(NOTHING), READ),
	     SEND_FD(0, ACQUIRE, NAME(NOTHING), PATH), SEND_FD(0, ACQUIRE, NAME(NOTHING), MODE_3),
	     SEND_FD(0, ACQUIRE, NAME(NOTHING), PROC)),
	SEED("wait-in-line", OPEN(0, 0), OPEN(1, SESSION_OPEN_STRANGER | SESSION_OPEN_APART),
	     OPEN(2, SESSION_OPEN_NOBODY | SESSION_OPEN_LISTENER),
	     SEND(0, ACQUIRE, NAME(FILE)), SEND(2, ACQUIRE, NAME(FILE) | WRITE),
	     LATER(1, BREAK_BEGIN, NAME(FILE) | WRITE), SEND(0, LIST, 1), SEND(0, LIST, 0),
	     SEND(0, STATUS_GET, 0), WAIT(4), SEND(0, ANSWER, 2), WAIT(10), WAIT(10), WAIT(10)),
	SEED("avail", OPEN(0, 0), OPEN(1, SESSION_OPEN_NOBODY),
	     SEND(1, ACQUIRE, NAME(FILE) | WRITE),
	     SEND_WITH(0, ACQUIRE, NAME(FILE) | NO_WAIT, 3, BYTE, 3), SEND(1, RETURN, 0)),
	SEED("device", OPEN(0, SESSION_OPEN_APART), SEND(0, DEVICE_GET, NAME(FILE)),
	     OP(0, SEND), PROTO_ATTACH, 0, 1 | SESSION_EXTRA_FDS, 0, SESSION_SOURCE_BYTE, 1,
	     SESSION_FD_UFFD_DEVICE, SEND(0, ACQUIRE, NAME(FILE) | HOLD), MAP(0, 0),
	     TOUCH(0, SYSCALL, 0)),
	SEED("bad-attach", OPEN(0, SESSION_OPEN_APART), SEND_FD(0, ATTACH, 0, UFFD_USED),
	     SEND_FD(0, ATTACH, 0, NULL), SEND_WITH(0, ATTACH, 0, 1, SPECIAL, 0),
	     SEND(0, ATTACH, 0)),
	SEED("bad-map", OPEN(0, 0), SEND(0, ACQUIRE, NAME(FILE) | WRITE),
	     MAP(0, SESSION_MAP_OTHER_SHARING), MAP(0, SESSION_MAP_OPENED),
	     MAP(0, SESSION_MAP_SHIFTED), MAP(0, SESSION_MAP_SHORT), MAP(0, 0)),
	SEED("truncated", OPEN(0, 0), SEND(0, ACQUIRE, NAME(FILE) | WHOLE), MAP(0, 0),
	     TOUCH(0, READ, 0), OP(0, FILE), 0, 3, TOUCH(0, READ, 9),
	     SEND(0, BREAK_BEGIN, NAME(FILE) | WHOLE)),
	SEED("direct", OPEN(0, 0), DIRECT(0, NAME(FILE) | WRITE, 0), SEND(0, EXTENTS_GET, 0),
	     SEND(0, VERIFY, 0), SEND(0, COMMIT, 0), PART(0, 4, 2), SEND(0, EXTENTS_GET, 0),
	     SEND(0, RETURN, 0), SEND(0, VERIFY, 0)),
	SEED("direct-unshare", OPEN(0, 0), OPEN(1, SESSION_OPEN_STRANGER),
	     DIRECT(0, NAME(FILE) | WHOLE, PROTO_ACQUIRE_UNSHARE | PROTO_ACQUIRE_WHOLE),
	     DIRECT(1, NAME(FILE), PROTO_ACQUIRE_UNSHARE | PROTO_ACQUIRE_NO_WAIT),
	     SEND_WITH(1, EXTENTS_GET, 0, 1, PAGES, 20), SEND_WITH(1, EXTENTS_GET, 0, 0, GRANT, 0),
	     SEND_WITH(1, VERIFY, 0, 0, GRANT, 0), SEND_WITH(0, VERIFY, 0, 0, SPECIAL, 14)),
	SEED("direct-recall", OPEN(0, 0), OPEN(1, SESSION_OPEN_STRANGER),
	     DIRECT(0, NAME(FILE) | WRITE, 0), WAIT(4),
	     SEND(1, BREAK_BEGIN, NAME(FILE) | WRITE | WHOLE | HOLD), SEND(0, VERIFY, 0),
	     SEND(0, ANSWER, 0), SEND(0, RETURN, 0), DIRECT(0, NAME(FILE) | WRITE, 0),
	     SEND(1, BREAK_END, 0)),
	SEED("direct-revoked", OPEN(0, 0), OPEN(1, SESSION_OPEN_STRANGER),
	     DIRECT(0, NAME(LIMITED) | WRITE, 0), SEND(1, WATCH, 0),
	     SEND(1, BREAK_BEGIN, NAME(LIMITED) | WRITE), WAIT(10), WAIT(10), SEND(0, VERIFY, 0),
	     SEND(0, EXTENTS_GET, 0), SEND(0, RETURN, 0)),
	SEED("direct-broken", OPEN(0, 0), DIRECT(0, NAME(FILE) | WRITE, 0), OP(0, FILE), 0, 3,
	     SEND(0, VERIFY, 0), OP(0, FILE), 0, 9, SEND(0, VERIFY, 0), SEND(0, RETURN, 0)),
	SEED("direct-and-window", OPEN(0, 0), SEND(0, ACQUIRE, NAME(FILE)), MAP(0, 0),
	     DIRECT(0, NAME(FILE), 0), SEND(0, EXTENTS_GET, 0), SEND(0, EXTENTS_GET, 1),
	     SEND(0, VERIFY, 0), DIRECT(0, NAME(FILE) | WRITE, PROTO_ACQUIRE_NO_WAIT),
	     OPEN(1, SESSION_OPEN_NOBODY), SEND(1, ACQUIRE, NAME(FILE) | WRITE | NO_WAIT)),
	SEED("direct-refused", OPEN(0, 0), SEND(0, CREATE, 0), DIRECT(0, NAME(MEMORY) | WRITE, 0),
	     DIRECT(0, NAME(EMPTY_FILE) | WHOLE, PROTO_ACQUIRE_WHOLE),
	     DIRECT(0, NAME(FULL) | WRITE, 0), DIRECT(0, NAME(HARD) | WRITE, PROTO_ACQUIRE_PINNABLE),
	     DIRECT(0, NAME(FILE), PROTO_ACQUIRE_TRANSPARENT), OP(0, CLOSE)),
	SEED("memory-games", OPEN(0, 0), SEND(0, ACQUIRE, NAME(FILE) | WRITE), MAP(0, 0),
	     TOUCH(0, WRITE, 0), TOUCH(0, DROP, 0), TOUCH(0, UNMAP, 1), TOUCH(0, MOVE, 0),
	     TOUCH(0, REMAP, 2), SEND(0, RETURN, 0)),
	SEED("own-userfaultfd", OPEN(0, 0), SEND(0, ACQUIRE, NAME(FILE)), MAP(0, 0), OP(0, UFFD), 0,
	     1, TOUCH(0, READ, 0), OP(0, UFFD), 0, 2, OP(0, UFFD), 0, 0, TOUCH(0, READ, 1)),
	SEED("flood", OPEN(0, 0), OPEN(1, SESSION_OPEN_NOBODY),
	     (OP(1, BURST)) | SESSION_NO_READ, 40, PROTO_ACQUIRE, NAME(FILE), 0,
	     (OP(0, BURST)) | SESSION_NO_READ, 79, PROTO_LIST, 0, 0, OP(0, SHUT), 1),
	SEED("raw", OPEN(0, SESSION_OPEN_SILENT), OP(0, RAW), 8, 0, PROTO_WATCH, 0, 0, 0, 1, 0, 0,
	     0, 0, OP(0, AGAIN)),
	SEED("spoilt", OPEN(0, 0), OP(0, SPOIL), 1, 9, 0, 0x80, PROTO_ACQUIRE, NAME(FILE), 0),
};

static int session(const char *directory)
{
	for (size_t i = 0; i < sizeof(seeds) / sizeof(*seeds); i++)
		if (save(directory, seeds[i].name, seeds[i].bytes, seeds[i].size) < 0)
			return 1;
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "decode") == 0)
		return decode(argv[2]);
	if (argc == 3 && strcmp(argv[1], "session") == 0)
		return session(argv[2]);
	fprintf(stderr, "usage: make-corpus decode|session DIRECTORY\n");
	return 2;
}
