/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * A request begins as what an orderly client would send at this point, by the names of its fields;
 * then an input may put other values there, legal or not. The encoder is its own, since the real
 * one refuses to say what must not be said. No message is known here by more than its fields, save
 * for the one descriptor that ATTACH needs.
 */

#include "tests/fuzz/session-message.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "proto/table.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/session-fds.h"
#include "tests/fuzz/session-files.h"
#include "tests/fuzz/session-memory.h"

#define FIELDS_MAX 24
#define TEXT_MAX 256

struct draft {
	const struct proto_description *description;
	uint64_t number[FIELDS_MAX];
	char text[FIELDS_MAX][TEXT_MAX];
	size_t text_size[FIELDS_MAX];
	size_t n;
};

uint8_t read_u8(struct reader *r)
{
	return r->at < r->end ? *r->at++ : 0;
}

uint16_t read_u16(struct reader *r)
{
	uint16_t low = read_u8(r);

	return (uint16_t)(low | read_u8(r) << 8);
}

uint64_t read_u64(struct reader *r)
{
	uint64_t value = 0;

	for (int i = 0; i < 8; i++)
		value |= (uint64_t)read_u8(r) << 8 * i;
	return value;
}

/* ---- what is usual ---------------------------------------------------------------------- */

static uint64_t usual_flags(unsigned int type, unsigned int argument)
{
	switch (type) {
	case PROTO_ACQUIRE:
		return (argument & SESSION_ARG_WHOLE ? PROTO_ACQUIRE_WHOLE : 0) |
		       (argument & SESSION_ARG_HOLD ? PROTO_ACQUIRE_TRANSPARENT : 0) |
		       (argument & SESSION_ARG_NO_WAIT ? PROTO_ACQUIRE_NO_WAIT : 0);
	case PROTO_BREAK_BEGIN:
		return (argument & SESSION_ARG_WHOLE ? PROTO_BREAK_WHOLE : 0) |
		       (argument & SESSION_ARG_HOLD ? PROTO_BREAK_HOLD : 0) |
		       (argument & SESSION_ARG_NO_WAIT ? PROTO_BREAK_NO_WAIT : 0);
	default:
		return 0;
	}
}

/* By what a grant has to say about it; false: nothing. */
static bool of_grant(const struct grant *grant, const char *field, uint64_t *ret)
{
	if (!grant)
		return false;
	if (strcmp(field, "seal") == 0 || strcmp(field, "id") == 0)
		*ret = grant->seal;
	else if (strcmp(field, "seq") == 0)
		*ret = grant->seq;
	else if (strcmp(field, "offset") == 0)
		*ret = grant->offset;
	else if (strcmp(field, "length") == 0)
		*ret = grant->length;
	else if (strcmp(field, "address") == 0 || strcmp(field, "probe") == 0)
		*ret = grant->address;
	else
		return false;
	return true;
}

static bool of_object(unsigned int type)
{
	return type == PROTO_ACQUIRE || type == PROTO_BREAK_BEGIN || type == PROTO_DEVICE_GET;
}

static uint64_t usual(struct client_end *end, unsigned int type, const char *field,
		      unsigned int argument)
{
	uint64_t value = 0;

	if (strcmp(field, "flags") == 0)
		return type == PROTO_ATTACH ? !!(end->how & SESSION_OPEN_DEVICE)
					    : usual_flags(type, argument);
	if (strcmp(field, "mode") == 0)
		return argument & SESSION_ARG_WRITE ? PROTO_MODE_WRITE : PROTO_MODE_READ;
	if (strcmp(field, "want") == 0)
		return argument & SESSION_ARG_WRITE ? PROTO_WANT_LAYOUT : PROTO_WANT_FOREIGN_READ;
	if (strcmp(field, "kind") == 0 || strcmp(field, "min_version") == 0 ||
	    strcmp(field, "max_version") == 0)
		return 1;
	if (strcmp(field, "what") == 0 || strcmp(field, "answer") == 0)
		return 1 + (argument & 15) % 3;
	if (strcmp(field, "size") == 0)
		return 65536;
	if (strcmp(field, "delay_ms") == 0)
		return 100;
	if (strcmp(field, "max_io_ms") == 0)
		return end->how & SESSION_OPEN_IO ? 3000 : 0;
	if (strcmp(field, "probe") == 0)
		return memory_probe();
	if (type == PROTO_BREAK_END)
		return strcmp(field, "id") == 0 ? end->break_id : end->break_token;
	if (type == PROTO_QUARANTINE_READ || type == PROTO_QUARANTINE_DROP)
		return learnt.ids[(learnt.n_ids - 1) % 8];
	if (type == PROTO_LIST)
		return 0;
	if (of_object(type)) {
		bool full = (argument & 15) == SESSION_NAME_FULL;

		if (argument & SESSION_ARG_WHOLE)
			return 0;
		if (strcmp(field, "offset") == 0)
			return full ? FILES_LIMIT : 0;
		return strcmp(field, "length") == 0 ? 65536 : 0;
	}
	of_grant(end_grant(end, argument & 15), field, &value);
	return value;
}

static void set_text(struct draft *draft, size_t i, const char *text)
{
	size_t n = strlen(text);

	draft->text_size[i] = n < TEXT_MAX ? n : TEXT_MAX;
	memcpy(draft->text[i], text, draft->text_size[i]);
}

static const char *name_of(unsigned int which)
{
	return which % _SESSION_NAME_N == SESSION_NAME_MEMORY ? learnt.memory : files_name(which);
}

static void draft_begin(struct client_end *end, unsigned int type, unsigned int argument,
			struct draft *ret)
{
	const struct proto_field *field;

	ret->description = proto_describe(type);
	for (ret->n = 0; (field = &ret->description->fields[ret->n])->name; ret->n++) {
		promise(ret->n < FIELDS_MAX);
		ret->text_size[ret->n] = 0;
		ret->number[ret->n] = 0;
		if (field->base == PROTO_STR)
			set_text(ret, ret->n, name_of(argument & 15));
		else
			ret->number[ret->n] = usual(end, type, field->name, argument);
	}
}

static void draft_set(struct draft *draft, const char *name, uint64_t value)
{
	for (size_t i = 0; i < draft->n; i++)
		if (strcmp(draft->description->fields[i].name, name) == 0)
			draft->number[i] = value;
}

static void draft_end(const struct draft *draft, struct client_end *end, struct parcel *ret)
{
	uint32_t serial = ++end->serial;
	uint8_t *p = ret->frame;

	*p++ = (uint8_t)draft->description->number;
	*p++ = (uint8_t)(draft->description->number >> 8);
	*p++ = 0;
	*p++ = 0;
	for (int i = 0; i < 4; i++)
		*p++ = (uint8_t)(serial >> 8 * i);
	for (size_t i = 0; i < draft->n; i++) {
		size_t n = proto_base_size(draft->description->fields[i].base);

		for (size_t j = 0; j < n; j++)
			*p++ = (uint8_t)(draft->number[i] >> 8 * j);
		if (n)
			continue;
		n = draft->text_size[i];
		*p++ = (uint8_t)n;
		*p++ = (uint8_t)(n >> 8);
		memcpy(p, draft->text[i], n);
		p += n;
		*p++ = 0;
	}
	ret->size = (size_t)(p - ret->frame);
	parcel_tame(ret->frame, ret->size);
}

/* ---- what is not ------------------------------------------------------------------------ */

static uint64_t special(unsigned int which)
{
	static const uint64_t numbers[] = {
		1,
		4095,
		4096,
		4097,
		65536,
		FILES_BYTES,
		FILES_BYTES / 4096 * 4096,
		FILES_LIMIT,
		INT32_MAX,
		UINT32_MAX,
		(uint64_t)UINT32_MAX + 1,
		INT64_MAX,
		(uint64_t)INT64_MAX + 1,
		UINT64_MAX - 4095,
		UINT64_MAX,
		0,
	};

	return numbers[which % (sizeof(numbers) / sizeof(*numbers))];
}

static uint64_t other_number(struct reader *r, enum session_source source, const char *field)
{
	const struct grant *grant;
	uint64_t value = 0;
	unsigned int which;

	switch (source) {
	case SESSION_SOURCE_BYTE:
		return read_u8(r);
	case SESSION_SOURCE_PAGES:
		return (uint64_t)read_u8(r) * 4096;
	case SESSION_SOURCE_RAW:
		return read_u64(r);
	case SESSION_SOURCE_SPECIAL:
		return special(read_u8(r));
	case SESSION_SOURCE_GRANT:
		which = read_u8(r);
		grant = end_grant(&clients_of_input[which % SESSION_CONNECTIONS], which / 4);
		of_grant(grant, field, &value);
		return value;
	default:
		return learnt.ids[read_u8(r) % 8];
	}
}

static void other_text(struct reader *r, enum session_source source, struct draft *draft, size_t i)
{
	size_t n = read_u8(r);

	if (source != SESSION_SOURCE_TEXT) {
		set_text(draft, i, name_of((unsigned int)n));
		return;
	}
	draft->text_size[i] = n;
	for (size_t j = 0; j < n; j++)
		draft->text[i][j] = (char)read_u8(r);
}

static void override(struct reader *r, struct draft *draft)
{
	size_t i = read_u8(r);
	enum session_source source = read_u8(r) % _SESSION_SOURCE_N;
	const struct proto_field *field;

	if (draft->n == 0)
		return;
	i %= draft->n;
	field = &draft->description->fields[i];
	if (field->base == PROTO_STR)
		other_text(r, source, draft, i);
	else
		draft->number[i] = other_number(r, source, field->name);
}

/* A probe is a page that the supervisor writes to, if nothing is there yet: it must not be the
 * allocator's. */
void parcel_tame(uint8_t *frame, size_t size)
{
	const struct proto_description *d = proto_describe(PROTO_ATTACH);
	size_t at = PROTO_HEADER;
	uint64_t address;

	if (size < PROTO_HEADER || (frame[0] | frame[1] << 8) != PROTO_ATTACH)
		return;
	for (const struct proto_field *f = d->fields; strcmp(f->name, "probe") != 0; f++)
		at += proto_base_size(f->base);
	if (size < at + sizeof(address))
		return;
	memcpy(&address, frame + at, sizeof(address));
	address = memory_harmless(address);
	memcpy(frame + at, &address, sizeof(address));
}

/* ---- descriptors ------------------------------------------------------------------------ */

static void add_fd(struct client_end *end, enum session_fd kind, unsigned int argument,
		   struct parcel *parcel)
{
	int fd = session_fd(kind, end, argument);

	if (fd < 0)
		return;
	parcel->fds[parcel->n_fds++] = fd;
	if (session_fd_is_uffd(kind))
		end_keep_uffd(end, fcntl(fd, F_DUPFD_CLOEXEC, 0));
}

void parcel_read_fds(struct reader *r, struct client_end *end, struct parcel *parcel)
{
	unsigned int byte = read_u8(r);

	parcel->n_fds = 0;
	for (unsigned int i = 0; i <= byte >> 6; i++)
		add_fd(end, (byte & 63) % _SESSION_FD_N, i, parcel);
}

static void usual_fds(struct client_end *end, unsigned int type, struct parcel *parcel)
{
	bool kernel = end->how & SESSION_OPEN_DEVICE;

	parcel->n_fds = 0;
	if (type == PROTO_ATTACH)
		add_fd(end, kernel ? SESSION_FD_UFFD_KERNEL : SESSION_FD_UFFD, 0, parcel);
}

void parcel_close_fds(struct parcel *parcel)
{
	while (parcel->n_fds > 0)
		close(parcel->fds[--parcel->n_fds]);
}

/* ---- requests --------------------------------------------------------------------------- */

static unsigned int type_of(unsigned int byte)
{
	unsigned int n = proto_table_types();
	unsigned int type = byte % n;

	while (!proto_describe(type))
		type = (type + 1) % n;
	return type;
}

void parcel_read(struct reader *r, struct client_end *end, struct parcel *ret)
{
	unsigned int type = type_of(read_u8(r)), argument = read_u8(r), extras = read_u8(r);
	struct draft draft;

	draft_begin(end, type, argument, &draft);
	for (unsigned int i = 0; i < (extras & 3); i++)
		override(r, &draft);
	ret->n_fds = 0;
	if (extras & SESSION_EXTRA_FDS)
		parcel_read_fds(r, end, ret);
	else if (!(extras & SESSION_EXTRA_BARE))
		usual_fds(end, type, ret);
	draft_end(&draft, end, ret);
}

void parcel_usual(struct client_end *end, unsigned int type, unsigned int argument,
		   struct parcel *ret)
{
	struct draft draft;

	draft_begin(end, type, argument, &draft);
	usual_fds(end, type, ret);
	draft_end(&draft, end, ret);
}

void parcel_map(struct client_end *end, uint64_t seal, uint64_t address, uint64_t length,
		 struct parcel *ret)
{
	struct draft draft;

	draft_begin(end, PROTO_MAP, 0, &draft);
	draft_set(&draft, "seal", seal);
	draft_set(&draft, "address", address);
	draft_set(&draft, "length", length);
	ret->n_fds = 0;
	draft_end(&draft, end, ret);
}

void parcel_part(struct client_end *end, const struct grant *grant, unsigned int from,
		  unsigned int pages, struct parcel *ret)
{
	struct draft draft;

	draft_begin(end, PROTO_RETURN, 0, &draft);
	draft_set(&draft, "seal", grant->seal);
	draft_set(&draft, "seq", grant->seq);
	draft_set(&draft, "offset", grant->offset + (uint64_t)from * 4096);
	draft_set(&draft, "length", (uint64_t)pages * 4096);
	ret->n_fds = 0;
	draft_end(&draft, end, ret);
}
