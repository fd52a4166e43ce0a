/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Bad arguments are refused with words and before any I/O: the other end hears of none of them,
 * since the next thing it sees is the end of the connection.
 */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "peer.h"

static struct peer peer;
static struct mapseal *m;
static struct mapseal_seal *seal;

static void script(struct peer *p)
{
	peer_welcome(p);
	peer_expect_end(p);
}

static void setup(void)
{
	peer_start(&peer, script);
	m = peer_connect(&peer, 0, NULL, NULL);
	seal = NULL;
}

static void teardown(void)
{
	mapseal_close(m);
	peer_finish(&peer);
}

static struct mapseal_request good(void)
{
	return (struct mapseal_request){
		.size = sizeof(struct mapseal_request),
		.object = "object",
		.length = PEER_PAGE,
		.mode = MAPSEAL_READ,
	};
}

static void refused(const struct mapseal_request *request, int error)
{
	ck_assert_int_eq(mapseal_acquire(m, request, &seal), -error);
	ck_assert_int_eq(mapseal_last_error()->error, error);
	ck_assert_uint_gt(strlen(mapseal_last_error()->text), 10);
	ck_assert_str_eq(mapseal_last_error()->code, "");
	ck_assert_ptr_null(seal);
}

START_TEST(test_ranges)
{
	static const struct {
		uint64_t offset, length;
	} bad[] = {
		{ 1, PEER_PAGE },
		{ PEER_PAGE - 1, PEER_PAGE },
		{ PEER_PAGE, 0 },
		{ (uint64_t)-4096, PEER_PAGE },
		{ 0, UINT64_MAX },
		{ PEER_PAGE, (uint64_t)-PEER_PAGE },
		{ 0, (uint64_t)INT64_MAX + 1 },
		{ (uint64_t)INT64_MAX + 1, 1 },
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct mapseal_request request = good();

		request.offset = bad[i].offset;
		request.length = bad[i].length;
		refused(&request, EINVAL);
	}
}
END_TEST

START_TEST(test_flags_modes_kinds)
{
	struct mapseal_request request = good();

	for (unsigned int bit = 0; bit < 32; bit++) {
		if (bit <= 4 || bit == 6 || bit == 8)
			continue;
		request.flags = 1u << bit;
		refused(&request, EINVAL);
	}
	request = good();
	request.flags = MAPSEAL_WANT_AVAIL;
	refused(&request, EINVAL);
	request = good();
	request.flags = MAPSEAL_PINNABLE;
	refused(&request, EINVAL);
	request = good();
	request.mode = (enum mapseal_mode)3;
	refused(&request, EINVAL);
	request.mode = (enum mapseal_mode)0;
	refused(&request, EINVAL);
	request = good();
	request.kind = (enum mapseal_kind)3;
	refused(&request, EINVAL);
	/* never changed into something else without a word */
	request.kind = MAPSEAL_DIRECT;
	request.map_flags = MAP_PRIVATE;
	refused(&request, EINVAL);
	request.map_flags = MAP_SHARED | MAP_FIXED;
	refused(&request, EINVAL);
	request.kind = MAPSEAL_WINDOW;
	request.map_flags = MAP_SHARED;
	refused(&request, EINVAL);
	request = good();
	request.flags = MAPSEAL_UNSHARE;
	refused(&request, EINVAL);
}
END_TEST

START_TEST(test_objects)
{
	struct mapseal_request request = good();

	request.object = "";
	refused(&request, EINVAL);
	request.object = NULL;
	request.fd = -1;
	refused(&request, EBADF);
}
END_TEST

START_TEST(test_sizes)
{
	struct {
		struct mapseal_request request;
		uint64_t later;
	} newer = { .request = good(), .later = 1 };
	struct mapseal_request request = good();

	request.size = 0;
	refused(&request, EINVAL);
	request.size = sizeof(request) - 1;
	refused(&request, EINVAL);
	newer.request.size = sizeof(newer);
	refused(&newer.request, EINVAL);
	ck_assert_int_eq(mapseal_acquire(m, NULL, &seal), -EINVAL);
}
END_TEST

START_TEST(test_tokens)
{
	static const char *const bad[] = { "x", "12x", "-1", "99999999999999999999999" };
	struct mapseal_request request = good();

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		ck_assert_int_eq(setenv("MAPSEAL_TOKEN", bad[i], 1), 0);
		refused(&request, EINVAL);
	}
}
END_TEST

START_TEST(test_options)
{
	struct mapseal_options options = { .size = sizeof(options), .flags = 2 };
	struct mapseal *none = NULL;
	char path[200];

	ck_assert_int_eq(mapseal_connect(&options, &none), -EINVAL);
	options.flags = 0;
	options.size = 4;
	ck_assert_int_eq(mapseal_connect(&options, &none), -EINVAL);
	options.size = sizeof(options);
	memset(path, 'x', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	options.socket = path;
	ck_assert_int_eq(mapseal_connect(&options, &none), -ENAMETOOLONG);
	ck_assert_ptr_null(none);
}
END_TEST

START_TEST(test_breaks)
{
	const struct mapseal_break_request model = {
		.size = sizeof(model),
		.object = "object",
		.want = MAPSEAL_WANT_LAYOUT,
	};
	struct mapseal_break_request request = model;
	struct mapseal_break *b = NULL;

	request.flags = 2;
	ck_assert_int_eq(mapseal_break_begin(m, &request, &b), -EINVAL);
	request = model;
	request.want = (enum mapseal_want)3;
	ck_assert_int_eq(mapseal_break_begin(m, &request, &b), -EINVAL);
	request.want = (enum mapseal_want)10;
	ck_assert_int_eq(mapseal_break_begin(m, &request, &b), -EINVAL);
	request = model;
	request.offset = 5;
	ck_assert_int_eq(mapseal_break_begin(m, &request, &b), -EINVAL);
	request.offset = PEER_PAGE;
	request.length = UINT64_MAX;
	ck_assert_int_eq(mapseal_break_begin(m, &request, &b), -EINVAL);
	request = model;
	request.object = "";
	ck_assert_int_eq(mapseal_break_begin(m, &request, &b), -EINVAL);
	ck_assert_ptr_null(b);
	ck_assert_int_eq(mapseal_break_end(NULL), 0);
}
END_TEST

START_TEST(test_names_that_are_no_text)
{
	static const char *const bad[] = { "new\nline", "\xff\xfe", "bell\a" };
	struct mapseal_break_request request = {
		.size = sizeof(request),
		.want = MAPSEAL_WANT_LAYOUT,
	};
	struct mapseal_break *b = NULL;
	char name[2000];

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		request.object = bad[i];
		ck_assert_int_eq(mapseal_break_begin(m, &request, &b), -EINVAL);
	}
	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	request.object = name;
	ck_assert_int_eq(mapseal_break_begin(m, &request, &b), -EINVAL);
	/* Nor does a descriptor that is none end the connection. */
	request.object = NULL;
	request.fd = 1 << 20;
	ck_assert_int_eq(mapseal_break_begin(m, &request, &b), -EBADF);
	ck_assert_ptr_null(b);
	ck_assert_int_eq(mapseal_dispatch(m), 0);
}
END_TEST

START_TEST(test_nothing_is_freed)
{
	ck_assert_ptr_null(mapseal_close(NULL));
	ck_assert_ptr_null(mapseal_seal_free(NULL));
}
END_TEST

int main(void)
{
	TCase *tc = tcase_create("request");

	unsetenv("MAPSEAL_TOKEN");
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_ranges);
	tcase_add_test(tc, test_flags_modes_kinds);
	tcase_add_test(tc, test_objects);
	tcase_add_test(tc, test_sizes);
	tcase_add_test(tc, test_tokens);
	tcase_add_test(tc, test_options);
	tcase_add_test(tc, test_breaks);
	tcase_add_test(tc, test_names_that_are_no_text);
	tcase_add_test(tc, test_nothing_is_freed);
	return peer_run(tc, false);
}
