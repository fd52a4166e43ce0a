/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * The table keeps its promises: numbers are unique, every lookup finds what is there and nothing
 * else, and what was released stays as it was. released.list has a line for each fact of the table
 * that a peer depends on: numbers, directions, types of fields in order, descriptors, values, bits,
 * errors. Each of them must still be true, and a fact that is not in it belongs to a newer version.
 * `test-table --print` prints the list of what is there; it is only ever added to.
 */

#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/table.h"

/* The numbers, from the source rather than from the arrays that are indexed by them. */
static const unsigned int numbers[] = {
#define MSG(U, l, number, since, direction, summary) number,
#include "proto/messages.def"
};

static const struct {
	const char *set;
	unsigned int number;
} values[] = {
#define ENUM(NAME, summary)
#define VALUE(NAME, IDENT, number, text, doc) { #NAME, number },
#define ENUM_END(NAME)
#define FLAGS(NAME, summary)
#define BIT(NAME, IDENT, bit, doc) { "flags " #NAME, bit },
#define FLAGS_END(NAME)
#define ERROR(IDENT, number, errno_, since, doc) { "errors", number },
#include "proto/messages.def"
};

#define N(a) (sizeof(a) / sizeof((a)[0]))

START_TEST(numbers_are_unique)
{
	for (size_t i = 0; i < N(numbers); i++)
		for (size_t j = 0; j < i; j++)
			ck_assert_uint_ne(numbers[i], numbers[j]);
	for (size_t i = 0; i < N(values); i++)
		for (size_t j = 0; j < i; j++)
			ck_assert(strcmp(values[i].set, values[j].set) ||
				  values[i].number != values[j].number);
}
END_TEST

START_TEST(lookup_finds_each_message)
{
	size_t found = 0;

	for (unsigned int type = 0; type <= UINT16_MAX; type++)
		found += proto_describe(type) != NULL;
	ck_assert_uint_eq(found, N(numbers));
	for (size_t i = 0; i < N(numbers); i++) {
		const struct proto_description *d = proto_describe(numbers[i]);

		ck_assert_ptr_nonnull(d);
		ck_assert_uint_eq(d->number, numbers[i]);
		ck_assert_str_eq(proto_type_name(numbers[i]), d->name);
	}
	ck_assert_str_eq(proto_type_name(PROTO_ACQUIRE), "ACQUIRE");
	ck_assert_ptr_null(proto_type_name(0));
	ck_assert_ptr_null(proto_type_name(UINT16_MAX));
	ck_assert_ptr_null(proto_type_name(~0u));
}
END_TEST

START_TEST(descriptions_are_sound)
{
	for (size_t i = 0; i < N(numbers); i++) {
		const struct proto_description *d = proto_describe(numbers[i]);
		size_t n = 0, required, optional;

		ck_assert_uint_ge(d->since, 1);
		ck_assert_uint_le(d->since, PROTO_VERSION);
		for (const struct proto_field *f = d->fields; f->name; f++) {
			ck_assert(!f->flags || !f->enumeration);
			if (f->flags || f->enumeration)
				ck_assert_int_ne(f->base, PROTO_STR);
			/* A bit or value that the field could not hold would be lost. */
			if (f->flags && f->base != PROTO_U64)
				ck_assert_uint_eq(
					f->flags->mask >> (8 * proto_base_size(f->base)), 0);
			if (f->enumeration && f->base == PROTO_U8)
				ck_assert_uint_le(f->enumeration->n_values, 256);
		}
		for (const struct proto_slot *s = d->slots; s->name; s++, n++)
			ck_assert(s->required == (n < d->n_required));
		ck_assert_uint_eq(n, d->n_required + d->n_optional);
		ck_assert_int_eq(proto_type_fds(d->number, &required, &optional), 0);
		ck_assert_uint_eq(required, d->n_required);
		ck_assert_uint_eq(optional, d->n_optional);
	}
}
END_TEST

START_TEST(fds_of_unknown_message)
{
	size_t required = 7, optional = 8;

	ck_assert_int_eq(proto_type_fds(0, &required, &optional), -EINVAL);
	ck_assert_uint_eq(required, 7);
	ck_assert_uint_eq(optional, 8);
}
END_TEST

START_TEST(texts_of_values)
{
	ck_assert_str_eq(proto_text(PROTO_TEXT_RESULT, PROTO_RESULT_REVOKED), "revoked");
	ck_assert_str_eq(proto_text(PROTO_TEXT_FENCE, PROTO_FENCE_TORN_POSSIBLE), "torn-possible");
	ck_assert_str_eq(proto_text(PROTO_TEXT_MODE, 1), "read");
	ck_assert_ptr_null(proto_text(PROTO_TEXT_MODE, 0));
	ck_assert_ptr_null(proto_text(PROTO_TEXT_MODE, 3));
	ck_assert_ptr_null(proto_text(_PROTO_TEXT_N, 0));
	for (unsigned int i = 0; i < _PROTO_TEXT_N; i++) {
		const struct proto_enumeration *e = proto_enumeration(i);

		for (size_t v = 0; v < e->n_values; v++)
			for (size_t w = 0; w < v; w++)
				if (e->values[v].ident && e->values[w].ident)
					ck_assert_str_ne(e->values[v].text, e->values[w].text);
	}
}
END_TEST

START_TEST(errors)
{
	const struct proto_enumeration *e = proto_error_enumeration();

	ck_assert_str_eq(proto_error_name(PROTO_E_TRY_LATER), "TRY_LATER");
	ck_assert_int_eq(proto_error_errno(PROTO_E_TRY_LATER), EAGAIN);
	ck_assert_ptr_null(proto_error_name(PROTO_E_OK));
	ck_assert_ptr_null(proto_error_doc(~0u));
	ck_assert_int_eq(proto_error_errno(~0u), EPROTO);
	for (unsigned int i = 0; i < e->n_values; i++)
		if (e->values[i].ident) {
			ck_assert_int_gt(proto_error_errno(i), 0);
			ck_assert_str_ne(proto_error_doc(i), "");
		}
}
END_TEST

START_TEST(ident_text)
{
	char text[8];

	ck_assert_uint_eq(proto_ident_text("NO_WAIT", text, sizeof(text)), 7);
	ck_assert_str_eq(text, "no-wait");
	ck_assert_uint_eq(proto_ident_text("NO_WAIT", text, 3), 2);
	ck_assert_str_eq(text, "no");
	ck_assert_uint_eq(proto_ident_text("NO_WAIT", text, 1), 0);
	ck_assert_str_eq(text, "");
}
END_TEST

/* ---- what was released ---- */

static void print_message(FILE *f, const struct proto_description *d)
{
	static const char *const directions[] = { "request", "reply", "part", "event" };
	static const char *const bases[] = { "u8", "u16", "u32", "u64", "i32", "str" };

	fprintf(f, "message %u %s %s:", d->number, d->name, directions[d->direction]);
	for (const struct proto_field *field = d->fields; field->name; field++)
		fprintf(f, " %s", bases[field->base]);
	for (const struct proto_slot *slot = d->slots; slot->name; slot++)
		fprintf(f, " %s-fd", slot->required ? "required" : "optional");
	fprintf(f, "\n");
}

static void print_facts(FILE *f)
{
	const struct proto_enumeration *e;
	const struct proto_flags *flags;

	for (unsigned int type = 0; type < proto_table_types(); type++)
		if (proto_describe(type))
			print_message(f, proto_describe(type));
	for (unsigned int i = 0; i < _PROTO_TEXT_N; i++) {
		e = proto_enumeration(i);
		for (size_t v = 0; v < e->n_values; v++)
			if (e->values[v].ident)
				fprintf(f, "value %s %zu %s\n", e->name, v, e->values[v].text);
	}
	for (size_t i = 0; (flags = proto_flags_at(i)); i++)
		for (size_t bit = 0; bit < flags->n_bits; bit++)
			if (flags->bits[bit].ident)
				fprintf(f, "bit %s %zu %s\n", flags->name, bit,
					flags->bits[bit].ident);
	e = proto_error_enumeration();
	for (size_t v = 0; v < e->n_values; v++)
		if (e->values[v].ident)
			fprintf(f, "error %zu %s %s\n", v, e->values[v].ident,
				strerrorname_np(e->values[v].error));
}

static char *read_whole(FILE *f)
{
	char *text = calloc(1, 1 << 16);

	ck_assert_ptr_nonnull(text);
	ck_assert_uint_lt(fread(text, 1, (1 << 16) - 1, f), (1 << 16) - 1);
	return text;
}

/* Every line of @lines is one of @text, which begins and ends with a newline. */
static void assert_lines_in(char *lines, const char *text, const char *otherwise)
{
	char *rest = NULL, line[512];

	for (char *l = strtok_r(lines, "\n", &rest); l; l = strtok_r(NULL, "\n", &rest)) {
		snprintf(line, sizeof(line), "\n%s\n", l);
		ck_assert_msg(strstr(text, line), "%s: %s", otherwise, l);
	}
}

START_TEST(released_facts_stay)
{
	const char *top = getenv("top_srcdir");
	char path[4096], *now = NULL, *now_lines, *released;
	size_t size;
	FILE *f;

	snprintf(path, sizeof(path), "%s/tests/unit/proto/released.list", top ? top : ".");
	f = fopen(path, "r");
	ck_assert_msg(f, "%s: %s", path, strerror(errno));
	released = read_whole(f);
	fclose(f);

	f = open_memstream(&now, &size);
	ck_assert_ptr_nonnull(f);
	fprintf(f, "\n");
	print_facts(f);
	fclose(f);
	now_lines = strdup(now);

	ck_assert_int_eq(released[0], '\n');
	assert_lines_in(now_lines, released, "not in released.list");
	assert_lines_in(released, now, "released, and now otherwise");
	free(now_lines);
	free(now);
	free(released);
}
END_TEST

int main(int argc, char **argv)
{
	Suite *suite;
	TCase *tc;
	SRunner *runner;
	int failed;

	if (argc == 2 && !strcmp(argv[1], "--print")) {
		printf("\n");
		print_facts(stdout);
		return 0;
	}
	suite = suite_create("proto-table");
	tc = tcase_create("table");
	tcase_add_test(tc, numbers_are_unique);
	tcase_add_test(tc, lookup_finds_each_message);
	tcase_add_test(tc, descriptions_are_sound);
	tcase_add_test(tc, fds_of_unknown_message);
	tcase_add_test(tc, texts_of_values);
	tcase_add_test(tc, errors);
	tcase_add_test(tc, ident_text);
	tcase_add_test(tc, released_facts_stay);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? 1 : 0;
}
