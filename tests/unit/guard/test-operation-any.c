/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * Whatever a held thread may be doing: random and nearly right texts of /proc, random calls. What is
 * made of them is never less than what the kernel says, nor taken for harmless unseen.
 */

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "daemon/guard/operation.h"

#define SIZE 0x10000ull
#define INF CORE_INFINITY

static uint64_t any(void)
{
	static uint64_t x = 1;

	x = x * 6364136223846793005u + 1442695040888963407u;
	return x >> 32 ^ x << 32;
}

/* Small, page-like or enormous numbers, as programs and attackers have them. */
static uint64_t number(void)
{
	uint64_t n = any();

	switch (any() % 5) {
	case 0:
		return n % 16;
	case 1:
		return n % 64 * 4096;
	case 2:
		return n % (2 * SIZE);
	case 3:
		return UINT64_MAX - n % 8192;
	default:
		return n;
	}
}

/* Memory of the exact size, so that a sanitizer sees one byte too many. */
static enum operation_text parse(const char *text, size_t n, struct operation_call *ret)
{
	char *copy = malloc(n + 1);
	enum operation_text result;

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, text, n);
	copy[n] = 0;
	result = operation_parse(copy, ret);
	free(copy);
	return result;
}

/* Texts that are nearly right are a call, which says what is there, or nothing. */
START_TEST(odd_texts)
{
	static const char bytes[] = " \n\t-+x0123456789abcdefXrunig.,\x80\xff";

	for (int i = 0; i < 20000; i++) {
		struct operation_call call = { .number = -7 };
		enum operation_text result;
		char text[512];
		int n = 0;

		if (any() % 4 == 0) {
			for (n = (int)(any() % 200); n > 0; n--)
				text[n - 1] = (char)any();
			n = (int)(any() % 200);
		} else {
			n = snprintf(text, sizeof(text), "%lld", (long long)(any() % 500) - 5);
			for (unsigned int j = (unsigned int)(any() % 12); j > 0; j--)
				n += snprintf(text + n, sizeof(text) - (size_t)n, " 0x%llx",
					      (unsigned long long)number());
			for (uint64_t j = any() % 3; j > 0; j--)
				text[any() % (uint64_t)n] = bytes[any() % (sizeof(bytes) - 1)];
		}
		result = parse(text, (size_t)n, &call);
		if (result != OPERATION_TEXT_CALL)
			ck_assert_int_eq(call.number, -7);
		else
			ck_assert(call.number >= 0 && call.known == (call.sp && call.pc));
	}
	ck_assert_int_eq(parse("1 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x10000000000000000", 49,
			       &(struct operation_call){ 0 }),
			 OPERATION_TEXT_BROKEN);
	ck_assert_int_eq(parse("99999999999999999999 0x1 0x2 0x3 0x4 0x5 0x6 0x7 0x8", 52,
			       &(struct operation_call){ 0 }),
			 OPERATION_TEXT_BROKEN);
}
END_TEST

static struct operation_call any_call(void)
{
	static const long likely[] = {
		SYS_read,     SYS_pwrite64,  SYS_open,	   SYS_openat,	      SYS_openat2,
		SYS_creat,    SYS_truncate,  SYS_ftruncate, SYS_fallocate,     SYS_mmap,
		SYS_sendfile, SYS_splice,    SYS_ioctl,	   SYS_copy_file_range, SYS_execve,
		SYS_swapon,   SYS_io_submit, SYS_pwritev2, SYS_io_uring_enter, SYS_acct,
	};
	struct operation_call call = {
		.known = any() % 8,
		.number = (long)(any() % 470),
		.sp = number(),
		.pc = number(),
	};

	call.worker = !call.known && any() % 2;
	if (any() % 2)
		call.number = likely[any() % (sizeof(likely) / sizeof(likely[0]))];
	for (int i = 0; i < 6; i++)
		call.arg[i] = number();
	return call;
}

static void check_operation(const struct operation_event *event, const struct operation_call *call,
			    const struct operation *op)
{
	uint64_t end = event->count < INF - event->start ? event->start + event->count : INF;

	ck_assert(op->want <= CORE_WANT_NOTHING && op->name);
	if (op->want == CORE_WANT_NOTHING) {
		/* only an open, and one that is understood */
		ck_assert(event->open && call->known);
		ck_assert(!op->opens || event->opens == GUARD_OPENS_WATCH ||
			  call->number == SYS_swapon || call->number == SYS_acct);
		return;
	}
	ck_assert(op->start <= op->end);
	ck_assert(!op->opens || event->open);
	ck_assert(op->want >= CORE_WANT_FOREIGN_READ);
	/* what is held is no less than what the kernel says, within the file */
	if (event->ranged) {
		if (op->start > event->start) /* to grow, from within the last page */
			ck_assert(op->start == SIZE && SIZE - event->start < 4096);
		ck_assert(op->end >= end || op->end >= SIZE);
	} else {
		ck_assert(op->end == INF && (op->start == 0 || call->number == SYS_truncate ||
					     call->number == SYS_ftruncate));
	}
	/* what changes anything leaves something behind it */
	if (op->want != CORE_WANT_FOREIGN_READ)
		ck_assert(op->flight || op->lasting);
	/* what could not be looked at is not taken for harmless */
	if (!call->known && !call->worker)
		ck_assert(op->want == CORE_WANT_LAYOUT ||
			  (!event->open && !event->writers && op->want == CORE_WANT_FOREIGN_CLONE));
	if (event->writers && !event->open && !call->known)
		ck_assert(op->want == CORE_WANT_LAYOUT);
}

START_TEST(any_operation)
{
	for (int i = 0; i < 40000; i++) {
		struct operation_call call = any_call();
		struct operation_event event = {
			.open = any() % 4 == 0,
			.start = number() % (UINT64_MAX / 2),
			.count = number() % (UINT64_MAX / 2),
			.size = SIZE,
			.opens = any() % 2 ? GUARD_OPENS_HOLD : GUARD_OPENS_WATCH,
			.writers = any() % 2,
		};
		struct operation_file files[OPERATION_FILES];
		int fds[OPERATION_FILES] = { -1, -1 };
		struct operation op;
		int n;

		event.ranged = !event.open && any() % 8;
		for (int j = 0; j < OPERATION_FILES; j++)
			files[j] = (struct operation_file){ any() % 2, any() % 2,
							    (unsigned int)number() };
		n = operation_needs(&event, &call, fds);
		ck_assert(n >= 0 && n <= OPERATION_FILES);
		operation_decode(&event, &call, files, &op);
		check_operation(&event, &call, &op);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("operation-any");
	TCase *tc = tcase_create("operation-any");
	SRunner *runner;
	int failed;

	tcase_add_test(tc, odd_texts);
	tcase_add_test(tc, any_operation);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
