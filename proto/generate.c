/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Prints what is made from the table at build time: the manual page mapseal-protocol(7), and the
 * dictionary that tells a fuzzer which bytes mean something.
 *
 * Only the prose at the top of the page is written here. All that is said of messages, values,
 * flags and errors is what messages.def says of them, so that the page cannot fall behind the code.
 */

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "proto/proto.h"
#include "proto/table.h"

/* ---- mdoc ---- */

static const char introduction[] =
	".Dd November 22, 2026\n"
	".Dt MAPSEAL-PROTOCOL 7\n"
	".Os\n"
	".Sh NAME\n"
	".Nm mapseal-protocol\n"
	".Nd messages between mapseald and its clients\n"
	".Sh DESCRIPTION\n"
	"Clients speak to\n"
	".Xr mapseald 8\n"
	"through a\n"
	".Xr unix 7\n"
	"socket of type\n"
	".Dv SOCK_SEQPACKET .\n"
	"Most programs do so through\n"
	".Xr libmapseal 3 .\n"
	"This page is for those who write a library of their own, or want to read a log.\n"
	"It describes version %d of the protocol.\n"
	".Ss Frames\n"
	"One message of the socket is one frame of at most %d bytes.\n"
	"Numbers are little-endian, and nothing is padded or aligned:\n"
	".Bl -column \"8 and on\" \"U32\" -offset indent\n"
	".It 0 Ta U16 Ta number of the message\n"
	".It 2 Ta U16 Ta zero, or the size of this message if another follows it\n"
	".It 4 Ta U32 Ta serial\n"
	".It 8 and on Ta \"\" Ta the fields, in the order given below\n"
	".El\n"
	".Pp\n"
	"A frame holds one message.\n"
	"Only a\n"
	".Em part\n"
	"may be followed by another message in the same frame: the next part, or what\n"
	"comes after the last one.\n"
	"Descriptors belong to the last message of their frame.\n"
	".Pp\n"
	"Fields are of these types:\n"
	".Bl -tag -width \"U8, U16, U32, U64\"\n"
	".It U8, U16, U32, U64\n"
	"Numbers without a sign, of so many bits.\n"
	".It I32\n"
	"A number with a sign, in two's complement.\n"
	".It STR\n"
	"A U16 with the length in bytes, so many bytes, and one NUL that the length\n"
	"does not count.\n"
	"At most %d bytes of UTF-8 in its shortest form, without control characters\n"
	".Pq U+0000 to U+001F, U+007F to U+009F .\n"
	".El\n"
	".Pp\n"
	"A frame that is not exactly of its message's form is refused with\n"
	".Dv MALFORMED ,\n"
	"and the session ends: too short or too long, in the wrong direction,\n"
	"with a wrong serial, with a byte after its last field,\n"
	"or with too few or too many descriptors.\n"
	"A frame whose form is right, but which has a bit or value that this page does\n"
	"not name, is refused with\n"
	".Dv UNKNOWN_FLAG .\n"
	"A message whose number this page does not name is refused with\n"
	".Dv UNKNOWN_MESSAGE .\n"
	"In these two cases the session goes on.\n"
	".Ss Directions and serials\n"
	".Bl -tag -width Request\n"
	".It Request\n"
	"From the client to the supervisor, with a serial that the client chose and\n"
	"that is not 0.\n"
	"It is answered by exactly one reply, under the same serial;\n"
	"requests may be answered in another order than they were sent in.\n"
	"A request can be refused:\n"
	".Dv REFUSED\n"
	"then takes the place of the reply, and nothing was changed.\n"
	".It Part\n"
	"From the supervisor, under the serial of a request whose reply is yet to come.\n"
	".It Reply\n"
	"From the supervisor, the answer.\n"
	"Serial 0 is only found in a\n"
	".Dv REFUSED\n"
	"that answers a frame too short to have a serial.\n"
	".It Event\n"
	"From the supervisor, unasked, with serial 0.\n"
	".El\n"
	".Ss Sessions and versions\n"
	"A connection is a session.\n"
	"Its first message is\n"
	".Dv HELLO\n"
	"with the versions that the client speaks;\n"
	".Dv WELCOME\n"
	"says which one is spoken from there on, or the request is refused with\n"
	".Dv VERSION\n"
	"and the session ends.\n"
	"Messages, flags and values never change their meaning, no number is used twice,\n"
	"and a new version only adds some;\n"
	"none is sent to a peer whose version did not have it.\n"
	"A message never gets another field.\n"
	".Pp\n"
	"A client that wants windows then binds the session to its address space with\n"
	".Dv ATTACH ,\n"
	"once, passing a userfaultfd.\n"
	"For each window it sends\n"
	".Dv ACQUIRE ,\n"
	"maps the memory that came with\n"
	".Dv GRANTED\n"
	"without any access, says where with\n"
	".Dv MAP ,\n"
	"and opens the mapping after the reply.\n"
	"Seals end with the session.\n"
	".Ss Sequence numbers\n"
	"A seal keeps its id, and has a sequence number\n"
	".Pq Va seq\n"
	"that is 1 at the grant and one more after each later grant,\n"
	"each reply to a return, and each recall.\n"
	"It is never 0: after 0xffffffff comes 1.\n"
	"Numbers are compared modulo their range.\n"
	"Who names an old one is refused with\n"
	".Dv OLD_SEQ ,\n"
	"and has an event in its queue that says why.\n"
	".Ss Recalls\n"
	"A\n"
	".Dv RECALL\n"
	"asks for a range back.\n"
	"The holder may say with\n"
	".Dv ANSWER\n"
	"what it is about to do, which is not a return, and gives ranges back with\n"
	".Dv RETURN .\n"
	"What has not come back at the deadline is taken\n"
	".Pq Dv REVOKED .\n"
	".Ss Descriptors\n"
	"Descriptors travel beside a frame as\n"
	".Dv SCM_RIGHTS ,\n"
	"in the order given below; the optional ones come last.\n"
	"A frame carries at most %d.\n"
	"A receiver closes all of those that it refuses.\n";

static const char ending[] = ".Sh SEE ALSO\n"
			     ".Xr mapsealctl 1 ,\n"
			     ".Xr userfaultfd 2 ,\n"
			     ".Xr libmapseal 3 ,\n"
			     ".Xr mapseal 7 ,\n"
			     ".Xr unix 7 ,\n"
			     ".Xr mapseald 8\n"
			     ".Rs\n"
			     ".%A D. Noveck\n"
			     ".%A C. Lever\n"
			     ".%T \"NFS Version 4 Minor Version 1 Protocol\"\n"
			     ".%R RFC 8881\n"
			     ".%D August 2020\n"
			     ".Re\n";

#define LINE_MAX_MDOC 78

/*
 * A phrase of the table as a sentence: from a capital to a full stop, on lines of bounded length of
 * its own, each sentence on a new one, and nothing in it taken for a macro or an escape.
 */
static void print_sentence(const char *text)
{
	size_t column = 0, n;
	bool end = false;

	for (const char *p = text; *p; p += n + strspn(p + n, " ")) {
		n = strcspn(p, " ");
		if (column && (end || column + 1 + n > LINE_MAX_MDOC)) {
			putchar('\n');
			column = 0;
		}
		if (column)
			column += (size_t)printf(" ");
		else if (*p == '.' || *p == '\'')
			fputs("\\&", stdout);
		for (size_t i = 0; i < n; i++) {
			if (p == text && i == 0 && *p >= 'a' && *p <= 'z' && !memchr(p, '_', n))
				putchar(*p - 'a' + 'A');
			else if (p[i] == '\\')
				fputs("\\e", stdout);
			else
				putchar(p[i]);
		}
		column += n;
		end = strchr(".?!", p[n - 1]);
	}
	if (column)
		puts(end ? "" : ".");
}

static const char *base_name(enum proto_base base)
{
	static const char *const names[] = {
		[PROTO_U8] = "U8",   [PROTO_U16] = "U16", [PROTO_U32] = "U32",
		[PROTO_U64] = "U64", [PROTO_I32] = "I32", [PROTO_STR] = "STR",
	};

	return names[base];
}

static void print_message(const struct proto_description *d)
{
	static const char *const directions[] = {
		[PROTO_REQUEST] = "Request",
		[PROTO_REPLY] = "Reply",
		[PROTO_PART] = "Part",
		[PROTO_EVENT] = "Event",
	};

	printf(".Ss %s\n%s, number %u, since version %u.\n", d->name, directions[d->direction],
	       d->number, d->since);
	print_sentence(d->summary);
	if (!d->fields->name && !d->slots->name)
		return;
	printf(".Bl -tag -width \"memory_offset (U64)\"\n");
	for (const struct proto_field *f = d->fields; f->name; f++) {
		printf(".It Va %s Pq %s\n", f->name, base_name(f->base));
		if (f->flags)
			printf(".Sx %s flags .\n", f->flags->name);
		if (f->enumeration == proto_error_enumeration())
			printf("One of the\n.Sx REFUSALS .\n");
		else if (f->enumeration)
			printf("One of the\n.Sx %s values .\n", f->enumeration->name);
		print_sentence(f->doc);
	}
	for (const struct proto_slot *s = d->slots; s->name; s++) {
		printf(".It Va %s Pq descriptor%s\n", s->name, s->required ? "" : ", optional");
		print_sentence(s->doc);
	}
	printf(".El\n");
}

static void print_flags(const struct proto_flags *flags)
{
	char text[64];

	printf(".Ss %s flags\n", flags->name);
	print_sentence(flags->summary);
	printf(".Bl -tag -width MAP_WILL_CHANGE\n");
	for (size_t i = 0; i < flags->n_bits; i++) {
		if (!flags->bits[i].ident)
			continue;
		proto_ident_text(flags->bits[i].ident, text, sizeof(text));
		printf(".It Dv %s Pq bit %zu , Dq %s\n", flags->bits[i].ident, i, text);
		print_sentence(flags->bits[i].doc);
	}
	printf(".El\n");
}

static void print_values(const struct proto_enumeration *e)
{
	printf(".Ss %s values\n", e->name);
	print_sentence(e->summary);
	printf(".Bl -tag -width MAP_WILL_CHANGE\n");
	for (size_t i = 0; i < e->n_values; i++) {
		if (!e->values[i].ident)
			continue;
		printf(".It Dv %s Pq %zu , Dq %s\n", e->values[i].ident, i, e->values[i].text);
		print_sentence(e->values[i].doc);
	}
	printf(".El\n");
}

static void print_errors(void)
{
	const struct proto_enumeration *e = proto_error_enumeration();

	printf(".Sh REFUSALS\nThe codes of\n.Dv REFUSED ,\neach with the\n.Va errno\n"
	       "that a library gives to its caller:\n"
	       ".Bl -tag -width RECALL_CONFLICT\n");
	for (size_t i = 0; i < e->n_values; i++) {
		const struct proto_value *v = &e->values[i];

		if (!v->ident)
			continue;
		printf(".It Dv %s Pq %zu , Er %s\n", v->ident, i, strerrorname_np(v->error));
		print_sentence(v->doc);
	}
	printf(".El\n");
}

static void print_manual(void)
{
	const struct proto_description *d;
	const struct proto_flags *flags;

	printf(introduction, PROTO_VERSION, PROTO_FRAME_MAX, PROTO_STR_MAX, PROTO_FDS_MAX);
	printf(".Sh MESSAGES\n");
	for (unsigned int type = 0; type < proto_table_types(); type++) {
		d = proto_describe(type);
		if (d)
			print_message(d);
	}
	printf(".Sh FLAGS\nA field of flags is the sum of those that are meant.\n");
	for (size_t i = 0; (flags = proto_flags_at(i)); i++)
		print_flags(flags);
	printf(".Sh VALUES\nEach is given with its number and the text that\n"
	       ".Xr mapsealctl 1\nprints for it.\n");
	for (unsigned int i = 0; i < _PROTO_TEXT_N; i++)
		print_values(proto_enumeration(i));
	print_errors();
	fputs(ending, stdout);
}

/* ---- dictionary ---- */

static void print_entry(const char *group, const char *name, uint64_t value, size_t size)
{
	printf("%s_%s=\"", group, name);
	for (size_t i = 0; i < size; i++)
		printf("\\x%02x", (unsigned int)(value >> (8 * i) & 0xff));
	printf("\"\n");
}

static void print_dictionary(void)
{
	const struct proto_description *d;
	const struct proto_flags *flags;
	char bit[16];

	printf("# Made from messages.def. Messages: number and pad; flags: little-endian.\n");
	for (unsigned int type = 0; type < proto_table_types(); type++) {
		d = proto_describe(type);
		if (d)
			print_entry("message", d->name, type, 4);
	}
	for (size_t i = 0; (flags = proto_flags_at(i)); i++)
		print_entry("flags", flags->name, flags->mask, 4);
	for (size_t i = 0; i < 16; i++) {
		snprintf(bit, sizeof(bit), "%zu", i);
		print_entry("bit", bit, UINT64_C(1) << i, 4);
	}
	for (size_t i = 0; i < 32; i++) {
		snprintf(bit, sizeof(bit), "%zu", i);
		print_entry("value", bit, i, 1);
	}
	print_entry("string", "empty", 0, 3);
	print_entry("string", "longest", PROTO_STR_MAX, 2);
	print_entry("number", "page", 4096, 8);
	print_entry("number", "highest", UINT64_MAX, 8);
	print_entry("number", "highest_page", UINT64_MAX - 4095, 8);
	print_entry("number", "negative", INT64_MIN, 8);
}

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--man")) {
		print_manual();
	} else if (argc == 2 && !strcmp(argv[1], "--dictionary")) {
		print_dictionary();
	} else {
		fprintf(stderr, "usage: generate --man | --dictionary\n");
		return 2;
	}
	if (fflush(stdout) || ferror(stdout)) {
		perror("generate");
		return 1;
	}
	return 0;
}
