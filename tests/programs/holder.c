/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * holder OBJECT read|write window|direct [OFFSET LENGTH]: holds a seal and obeys words on stdin, a
 * line each, with a line on stdout for each. It keeps a copy of its own of what the range has to
 * hold, and stops at the first thing that is not so.
 *
 *	write OFFSET LENGTH BYTE	"written"
 *	commit				"committed"
 *	check				"intact": what is still held has the bytes that it has to
 *have state				"held", "returned", ... when what is due has been done
 *	return, return-all		only when it has been recalled
 *	end				gives everything back and leaves
 *
 * At the start it says "held GUARD ID". A recall is told by "recalled OFFSET LENGTH", and what is
 * asked for stays held while further words are obeyed, until one of them is a return; "returned
 * OFFSET LENGTH" follows when the supervisor has it. Offsets are the object's.
 */

#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/system/rig.h"

enum { PAGE = 4096, ALARM_S = 200 };

static struct mapseal *m;
static struct mapseal_seal *seal;
static unsigned char *expected;
static bool *given_back; /* by page */
static bool in_recall;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vprintf(format, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
}

static void check(void)
{
	const volatile unsigned char *window = mapseal_address(seal);
	uint64_t length = mapseal_length(seal);

	for (uint64_t n = 0; n < length; n++)
		if (!given_back[n / PAGE] && window[n] != expected[n])
			expect_failed(__FILE__, __LINE__, "byte %llu is %#x, not %#x",
				      (unsigned long long)(mapseal_offset(seal) + n), window[n],
				      expected[n]);
	say("intact");
}

static void store(uint64_t offset, uint64_t length, char byte)
{
	uint64_t at = offset - mapseal_offset(seal);

	expect(offset >= mapseal_offset(seal) && at + length <= mapseal_length(seal));
	memset((char *)mapseal_address(seal) + at, byte, length);
	memset(expected + at, byte, length);
	say("written");
}

static const char *state(void)
{
	static const char *const names[] = {
	    [MAPSEAL_HELD] = "held",	   [MAPSEAL_RECALLED] = "recalled",
	    [MAPSEAL_PARKED] = "parked",   [MAPSEAL_RETURNED] = "returned",
	    [MAPSEAL_REVOKED] = "revoked",
	};

	if (!in_recall)
		must(mapseal_dispatch(m));
	return names[mapseal_seal_state(seal)];
}

/* A line, without what poll(2) would not see any more. */
static void listen(char line[128])
{
	for (size_t n = 0; n < 127; n++) {
		expect(read(STDIN_FILENO, line + n, 1) == 1);
		if (line[n] == '\n') {
			line[n] = '\0';
			return;
		}
	}
	expect(!"a line of reasonable length");
}

/* What was said, if it is not for everybody. */
static const char *obey(void)
{
	static char line[128];
	unsigned long long offset, length;
	char byte;

	listen(line);
	if (sscanf(line, "write %llu %llu %c", &offset, &length, &byte) == 3) {
		store(offset, length, byte);
	} else if (strcmp(line, "commit") == 0) {
		must(mapseal_commit(seal, mapseal_offset(seal), mapseal_length(seal)));
		say("committed");
	} else if (strcmp(line, "check") == 0) {
		check();
	} else if (strcmp(line, "state") == 0) {
		say("%s", state());
	} else {
		return line;
	}
	return NULL;
}

static enum mapseal_verdict on_recall(struct mapseal_recall *recall, void *data)
{
	(void)data;
	in_recall = true;
	say("recalled %llu %llu", (unsigned long long)recall->offset,
	    (unsigned long long)recall->length);
	for (;;) {
		const char *word = obey();

		if (!word)
			continue;
		recall->whole = strcmp(word, "return-all") == 0;
		if (recall->whole || strcmp(word, "return") == 0)
			break;
		expect_failed(__FILE__, __LINE__, "'%s' while recalled", word);
	}
	in_recall = false;
	return MAPSEAL_RETURN;
}

static void on_event(struct mapseal *connection, const struct mapseal_event *event, void *data)
{
	(void)connection, (void)data;
	switch (event->type) {
	case MAPSEAL_EVENT_RETURNED:
		for (uint64_t n = 0; n < event->length; n += PAGE)
			given_back[(event->offset - mapseal_offset(seal) + n) / PAGE] = true;
		say("returned %llu %llu", (unsigned long long)event->offset,
		    (unsigned long long)event->length);
		break;
	case MAPSEAL_EVENT_REVOKED:
		say("revoked");
		break;
	case MAPSEAL_EVENT_BROKEN:
		say("broken");
		break;
	default:
		say("event %d", (int)event->type);
	}
}

static void acquire(char **argv)
{
	static const char *const guards[] = {"cooperative", "lease", "fanotify"};
	struct mapseal_request request = {
	    .size = sizeof(request),
	    .object = argv[1],
	    .fd = -1,
	    .mode = strcmp(argv[2], "write") == 0 ? MAPSEAL_WRITE : MAPSEAL_READ,
	    .kind = strcmp(argv[3], "direct") == 0 ? MAPSEAL_DIRECT : MAPSEAL_WINDOW,
	    .offset = argv[4] ? strtoull(argv[4], NULL, 10) : 0,
	    .length = argv[4] ? strtoull(argv[5], NULL, 10) : 0,
	    .on_recall = on_recall,
	};

	must(mapseal_acquire(m, &request, &seal));
	expected = malloc(mapseal_length(seal));
	given_back = calloc(mapseal_length(seal) / PAGE + 1, sizeof(*given_back));
	expect(expected && given_back);
	memcpy(expected, mapseal_address(seal), mapseal_length(seal));
	say("held %s %llu", guards[mapseal_seal_guard(seal)], (unsigned long long)mapseal_id(seal));
}

int main(int argc, char **argv)
{
	struct mapseal_options options = {.size = sizeof(options), .on_event = on_event};
	const char *word = NULL;

	expect(argc == 4 || argc == 6);
	alarm(ALARM_S);
	must(mapseal_connect(&options, &m));
	acquire(argv);
	while (!word) {
		struct pollfd fds[] = {
		    {.fd = STDIN_FILENO, .events = POLLIN},
		    {.fd = mapseal_get_fd(m), .events = POLLIN},
		};

		expect(poll(fds, 2, -1) > 0);
		if (fds[1].revents)
			must(mapseal_dispatch(m));
		else
			word = obey();
	}
	expect_str(word, "end");
	mapseal_seal_free(seal);
	mapseal_close(m);
	free(expected);
	free(given_back);
	return 0;
}
