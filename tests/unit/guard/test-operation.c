/* SPDX-License-Identifier: LGPL-2.1-or-later */

/*
 * What a held thread is about to do: each operation by the text that /proc shows for it, and what
 * becomes of it when less is known, or when what is known can't be true.
 */

#include <check.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "daemon/guard/operation.h"

#define SIZE 0x10000ull
#define INF CORE_INFINITY

enum { SAME = 1, OTHER = 2, LOST = 3 };

struct row {
	const char *what;
	long number;
	uint64_t arg[6];
	bool open, hold, writers;
	uint64_t start, count;
	int file[2]; /* SAME, OTHER, LOST */
	unsigned int flags;
	/* expected */
	enum core_want want;
	uint64_t want_start, want_end;
	const char *marks; /* a append, o opens, f flight, l lasting, p path, s single */
};

#define OPEN .open = true
#define HOLD .hold = true
#define WRITERS .writers = true
#define R_(s, e) .want_start = (s), .want_end = (e)
#define ALL R_(0, INF)

static const struct row rows[] = {
	{ "open to read", SYS_openat, { 0, 0, O_RDONLY }, OPEN, HOLD, .want = CORE_WANT_NOTHING,
	  .marks = "s" },
	{ "open to write", SYS_openat, { 0, 0, O_WRONLY }, OPEN, HOLD, .want = CORE_WANT_LAYOUT,
	  ALL, .marks = "ols" },
	{ "open with mode 3", SYS_openat, { 0, 0, O_ACCMODE }, OPEN, HOLD, .want = CORE_WANT_LAYOUT,
	  ALL, .marks = "ols" },
	{ "open to write, watched", SYS_openat, { 0, 0, O_RDWR }, OPEN, .want = CORE_WANT_NOTHING,
	  .marks = "os" },
	{ "O_TRUNC, watched", SYS_openat, { 0, 0, O_RDWR | O_TRUNC }, OPEN,
	  .want = CORE_WANT_LAYOUT, ALL, .marks = "ofs" },
	{ "O_TRUNC, held", SYS_openat, { 0, 0, O_RDWR | O_TRUNC }, OPEN, HOLD,
	  .want = CORE_WANT_LAYOUT, ALL, .marks = "ofls" },
	{ "O_TRUNC to read", SYS_openat, { 0, 0, O_TRUNC }, OPEN, HOLD, .want = CORE_WANT_LAYOUT,
	  ALL, .marks = "fs" },
	{ "open by handle", SYS_open_by_handle_at, { 0, 0, O_RDWR }, OPEN, HOLD,
	  .want = CORE_WANT_LAYOUT, ALL, .marks = "ols" },
	{ "openat2", SYS_openat2, { 0 }, OPEN, .want = CORE_WANT_LAYOUT, ALL, .marks = "ol" },
	{ "open by io_uring", SYS_io_uring_enter, { 0 }, OPEN, .want = CORE_WANT_LAYOUT, ALL,
	  .marks = "ol" },
	{ "exec", SYS_execve, { 0 }, OPEN, HOLD, .want = CORE_WANT_FOREIGN_MAP, ALL,
	  .marks = "ls" },
	{ "swapon", SYS_swapon, { 0 }, OPEN, HOLD, .want = CORE_WANT_LAYOUT, ALL, .marks = "ols" },
	{ "swapon, watched", SYS_swapon, { 0 }, OPEN, .want = CORE_WANT_LAYOUT, ALL,
	  .marks = "ols" },
	{ "acct, watched", SYS_acct, { 0 }, OPEN, .want = CORE_WANT_NOTHING, .marks = "os" },
#ifdef SYS_open
	{ "the old open", SYS_open, { 0, O_RDWR }, OPEN, HOLD, .want = CORE_WANT_LAYOUT, ALL,
	  .marks = "ols" },
	{ "creat", SYS_creat, { 0 }, OPEN, .want = CORE_WANT_LAYOUT, ALL, .marks = "ofs" },
#endif
	{ "a read can't open", SYS_read, { 0 }, OPEN, .want = CORE_WANT_LAYOUT, ALL,
	  .marks = "ol" },

	{ "read", SYS_read, { 5 }, .start = 4096, .count = 100, .want = CORE_WANT_FOREIGN_READ,
	  R_(4096, 4196), .marks = "s" },
	{ "read among writers", SYS_pread64, { 5 }, WRITERS, .start = 4096, .count = 100,
	  .file = { SAME }, .want = CORE_WANT_FOREIGN_READ, R_(4096, 4196), .marks = "s" },
	{ "read of another file", SYS_read, { 5 }, WRITERS, .start = 4096, .count = 10000,
	  .file = { OTHER }, .want = CORE_WANT_LAYOUT, ALL, .marks = "l" },
	{ "read of who knows what", SYS_read, { 5 }, WRITERS, .start = 4096, .count = 10000,
	  .file = { LOST }, .want = CORE_WANT_LAYOUT, ALL, .marks = "l" },
	{ "execve reads", SYS_execve, { 0 }, .count = 256, .want = CORE_WANT_FOREIGN_MAP, ALL,
	  .marks = "ls" },

	{ "write", SYS_write, { 5 }, WRITERS, .start = 8192, .count = 4096, .file = { SAME },
	  .want = CORE_WANT_FOREIGN_WRITE, R_(8192, 12288), .marks = "afs" },
	{ "write without an end", SYS_pwrite64, { 5 }, WRITERS, .start = 8192, .count = INF,
	  .file = { SAME }, .want = CORE_WANT_FOREIGN_WRITE, R_(8192, INF), .marks = "afs" },
	{ "O_DIRECT", SYS_pwritev2, { 5 }, WRITERS, .count = 4096, .file = { SAME },
	  .flags = O_DIRECT, .want = CORE_WANT_FOREIGN_WRITE, R_(0, 4096), .marks = "als" },
	{ "write of another file", SYS_write, { 5 }, WRITERS, .count = 8192, .file = { OTHER },
	  .want = CORE_WANT_LAYOUT, ALL, .marks = "l" },
	{ "libaio", SYS_io_submit, { 0 }, WRITERS, .start = 4096, .count = 4096,
	  .want = CORE_WANT_FOREIGN_WRITE, R_(4096, 8192), .marks = "al" },
	{ "libaio without writers", SYS_io_submit, { 0 }, .start = 4096, .count = 4096,
	  .want = CORE_WANT_FOREIGN_READ, R_(4096, 8192), .marks = "" },
	{ "io_uring", SYS_io_uring_enter, { 0 }, WRITERS, .start = 8192, .count = 4096,
	  .want = CORE_WANT_LAYOUT, R_(8192, INF), .marks = "l" },
	{ "io_uring past the end", SYS_io_uring_enter, { 0 }, WRITERS, .start = 2 * SIZE,
	  .count = 1, .want = CORE_WANT_LAYOUT, R_(SIZE, INF), .marks = "l" },
	{ "io_uring without writers", SYS_io_uring_enter, { 0 }, .start = 8192, .count = 4096,
	  .want = CORE_WANT_FOREIGN_READ, R_(8192, 12288), .marks = "" },

	{ "truncate down", SYS_truncate, { 0, 5000 }, .start = 4096, .count = 4096,
	  .want = CORE_WANT_LAYOUT, R_(4096, INF), .marks = "fps" },
	{ "truncate up", SYS_truncate, { 0, 4 * SIZE }, .start = 4 * SIZE, .want = CORE_WANT_LAYOUT,
	  R_(SIZE, INF), .marks = "fps" },
	{ "truncate up within the page", SYS_truncate, { 0, SIZE + 1 }, .start = SIZE,
	  .count = 4096, .want = CORE_WANT_LAYOUT, R_(SIZE, INF), .marks = "fps" },
	{ "ftruncate", SYS_ftruncate, { 5 }, WRITERS, .start = 100, .file = { SAME },
	  .want = CORE_WANT_LAYOUT, R_(100, INF), .marks = "fs" },
	{ "allocate", SYS_fallocate, { 5, 0 }, WRITERS, .start = 4096, .count = 4096,
	  .file = { SAME }, .want = CORE_WANT_LAYOUT, R_(4096, 8192), .marks = "fs" },
	{ "punch", SYS_fallocate, { 5, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE }, WRITERS,
	  .start = 4096, .count = 4096, .file = { SAME }, .want = CORE_WANT_LAYOUT,
	  R_(4096, 8192), .marks = "fs" },
	{ "collapse", SYS_fallocate, { 5, FALLOC_FL_COLLAPSE_RANGE }, WRITERS, .start = 4096,
	  .count = 4096, .file = { SAME }, .want = CORE_WANT_LAYOUT, R_(4096, INF),
	  .marks = "fs" },
	{ "insert", SYS_fallocate, { 5, FALLOC_FL_INSERT_RANGE }, WRITERS, .start = 4096,
	  .count = 4096, .file = { SAME }, .want = CORE_WANT_LAYOUT, R_(4096, INF),
	  .marks = "fs" },
	{ "a mode to come", SYS_fallocate, { 5, 0x4000 }, WRITERS, .start = 4096, .count = 4096,
	  .file = { SAME }, .want = CORE_WANT_LAYOUT, ALL, .marks = "fs" },

	{ "mmap", SYS_mmap, { 0, 4096, PROT_READ, MAP_SHARED, 5 }, .count = 4096,
	  .want = CORE_WANT_FOREIGN_MAP, ALL, .marks = "ls" },
	{ "mmap of a writable description", SYS_mmap, { 0, 4096, PROT_READ, MAP_SHARED, 5 },
	  WRITERS, .count = 4096, .file = { SAME }, .flags = O_RDWR,
	  .want = CORE_WANT_FOREIGN_MAP_WRITE, ALL, .marks = "ls" },
	{ "private mmap of one", SYS_mmap, { 0, 4096, PROT_WRITE, MAP_PRIVATE, 5 }, WRITERS,
	  .count = 4096, .file = { SAME }, .flags = O_RDWR, .want = CORE_WANT_FOREIGN_MAP, ALL,
	  .marks = "ls" },
	{ "MAP_SYNC of one", SYS_mmap, { 0, 4096, PROT_WRITE, MAP_SHARED_VALIDATE, 5 }, WRITERS,
	  .count = 4096, .file = { SAME }, .flags = O_RDWR, .want = CORE_WANT_FOREIGN_MAP_WRITE,
	  ALL, .marks = "ls" },
	{ "mmap of a read-only one", SYS_mmap, { 0, 4096, PROT_READ, MAP_SHARED, 5 }, WRITERS,
	  .count = 4096, .file = { SAME }, .want = CORE_WANT_FOREIGN_MAP, ALL, .marks = "ls" },
	{ "mmap of who knows what", SYS_mmap, { 0, 8192, PROT_READ, MAP_SHARED, 5 }, WRITERS,
	  .count = 8192, .file = { LOST }, .want = CORE_WANT_LAYOUT, ALL, .marks = "l" },

	{ "sendfile to it", SYS_sendfile, { 5, 6 }, WRITERS, .start = 4096, .count = 10,
	  .file = { OTHER, SAME }, .want = CORE_WANT_FOREIGN_WRITE, R_(4096, 4106),
	  .marks = "af" },
	{ "sendfile from it", SYS_sendfile, { 5, 6 }, WRITERS, .start = 4096, .count = 10,
	  .file = { SAME, OTHER }, .want = CORE_WANT_FOREIGN_READ, R_(4096, 4106), .marks = "f" },
	{ "sendfile within", SYS_sendfile, { 5, 6 }, WRITERS, .start = 4096, .count = 10,
	  .file = { SAME, SAME }, .want = CORE_WANT_FOREIGN_WRITE, R_(4096, 4106),
	  .marks = "af" },
	{ "sendfile without writers", SYS_sendfile, { 5, 6 }, .start = 4096, .count = 10,
	  .want = CORE_WANT_FOREIGN_READ, R_(4096, 4106), .marks = "f" },
	{ "sendfile of others", SYS_sendfile, { 5, 6 }, WRITERS, .start = 4096, .count = 10000,
	  .file = { OTHER, OTHER }, .want = CORE_WANT_LAYOUT, ALL, .marks = "l" },
	{ "splice to it", SYS_splice, { 5, 0, 6 }, WRITERS, .start = 4096, .count = 10,
	  .file = { OTHER, SAME }, .want = CORE_WANT_FOREIGN_WRITE, R_(4096, 4106),
	  .marks = "af" },
	{ "splice to one that is gone", SYS_splice, { 5, 0, 6 }, WRITERS, .start = 4096,
	  .count = 10, .file = { OTHER, LOST }, .want = CORE_WANT_FOREIGN_WRITE, R_(4096, 4106),
	  .marks = "al" },
	{ "copy_file_range to it", SYS_copy_file_range, { 5, 0, 6 }, WRITERS, .start = 4096,
	  .count = 4096, .file = { OTHER, SAME }, .want = CORE_WANT_LAYOUT, R_(4096, 8192),
	  .marks = "af" },
	{ "copy_file_range from it", SYS_copy_file_range, { 5, 0, 6 }, .start = 4096,
	  .count = 4096, .want = CORE_WANT_FOREIGN_CLONE, R_(4096, 8192), .marks = "f" },
	{ "FICLONE over it", SYS_ioctl, { 5, FICLONE, 6 }, WRITERS, .file = { SAME },
	  .want = CORE_WANT_LAYOUT, ALL, .marks = "f" },
	{ "FICLONE of it", SYS_ioctl, { 5, FICLONE, 6 }, .file = { OTHER },
	  .want = CORE_WANT_FOREIGN_CLONE, ALL, .marks = "f" },
	{ "FICLONERANGE over it", SYS_ioctl, { 5, FICLONERANGE, 6 }, WRITERS, .start = 4096,
	  .count = 4096, .file = { SAME }, .want = CORE_WANT_LAYOUT, R_(4096, 8192),
	  .marks = "f" },
	{ "FIDEDUPERANGE", SYS_ioctl, { 5, FIDEDUPERANGE, 6 }, .start = 4096, .count = 4096,
	  .file = { SAME }, .want = CORE_WANT_FOREIGN_CLONE, R_(4096, 8192), .marks = "f" },
	{ "another ioctl", SYS_ioctl, { 5, 0x1234, 6 }, WRITERS, .start = 4096, .count = 8192,
	  .file = { SAME }, .want = CORE_WANT_LAYOUT, ALL, .marks = "fl" },

	{ "a call that accesses nothing", SYS_getpid, { 0 }, WRITERS, .count = 10000,
	  .want = CORE_WANT_LAYOUT, ALL, .marks = "l" },
	{ "the same without writers", SYS_getpid, { 0 }, .count = 10000,
	  .want = CORE_WANT_FOREIGN_CLONE, ALL, .marks = "l" },
	{ "the same, as a truncation makes it", SYS_getpid, { 0 }, .start = 4096,
	  .want = CORE_WANT_LAYOUT, R_(4096, INF), .marks = "flp" },
	{ "an open can't access", SYS_openat, { 0 }, WRITERS, .count = 10000,
	  .want = CORE_WANT_LAYOUT, ALL, .marks = "l" },
};

/* A worker has no number to be believed, and no mapping or truncation by name to make. */
START_TEST(workers)
{
	struct operation_call call = { .worker = true };
	struct operation_event event = {
		.ranged = true, .start = 8192, .count = 4096, .size = SIZE,
	};
	struct operation_file file[2] = { { 0 } };
	struct operation op;

	operation_decode(&event, &call, file, &op);
	ck_assert_int_eq(op.want, CORE_WANT_FOREIGN_READ);
	ck_assert_uint_eq(op.end, 12288);
	event.writers = true;
	operation_decode(&event, &call, file, &op);
	ck_assert_int_eq(op.want, CORE_WANT_LAYOUT);
	ck_assert_uint_eq(op.start, 8192);
	ck_assert_uint_eq(op.end, INF);
	ck_assert(op.lasting && !op.flight);
	event.open = true;
	operation_decode(&event, &call, file, &op);
	ck_assert(op.want == CORE_WANT_LAYOUT && op.opens && op.start == 0);
}
END_TEST

static struct operation_call call_of(long number, const uint64_t arg[6])
{
	struct operation_call call;
	char text[256];

	snprintf(text, sizeof(text),
		 "%ld 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64 " 0x%" PRIx64
		 " 0x%" PRIx64 " 0x7ffc01 0x7f02\n",
		 number, arg[0], arg[1], arg[2], arg[3], arg[4], arg[5]);
	ck_assert_int_eq(operation_parse(text, &call), OPERATION_TEXT_CALL);
	ck_assert(call.known);
	return call;
}

static void marks(const struct operation *op, char text[8])
{
	snprintf(text, 8, "%s%s%s%s%s%s", op->append ? "a" : "", op->opens ? "o" : "",
		 op->flight ? "f" : "", op->lasting ? "l" : "", op->path ? "p" : "",
		 op->single ? "s" : "");
}

START_TEST(row)
{
	const struct row *r = &rows[_i];
	struct operation_call call = call_of(r->number, r->arg);
	struct operation_event event = {
		.open = r->open,
		.ranged = !r->open,
		.start = r->start,
		.count = r->count,
		.size = SIZE,
		.opens = r->hold ? GUARD_OPENS_HOLD : GUARD_OPENS_WATCH,
		.writers = r->writers,
	};
	struct operation_file files[2] = { { 0 } };
	struct operation op;
	int fds[2], n = operation_needs(&event, &call, fds);
	char text[8];

	for (int i = 0; i < n; i++) {
		ck_assert_msg(r->file[i], "%s: asks for a descriptor", r->what);
		/* sendfile names its target first, rows the source */
		ck_assert_int_eq(fds[i], 5 + (r->number == SYS_sendfile ? !i : i));
		files[i] = (struct operation_file){ r->file[i] != LOST, r->file[i] == SAME,
						    r->flags };
	}
	operation_decode(&event, &call, files, &op);
	marks(&op, text);
	ck_assert_msg(op.want == r->want && strcmp(text, r->marks) == 0, "%s: want %d marks %s",
		      r->what, op.want, text);
	if (op.want != CORE_WANT_NOTHING)
		ck_assert_msg(op.start == r->want_start && op.end == r->want_end,
			      "%s: 0x%llx-0x%llx", r->what, (unsigned long long)op.start,
			      (unsigned long long)op.end);
	ck_assert_ptr_nonnull(op.name);
}
END_TEST

/* 32-bit numbers of calls that make such events, and that a 64-bit program can make by int 0x80. */
static const struct {
	short number;
	bool opens, accesses;
} compat[] = {
	{ 3, 0, 1 },   { 4, 0, 1 },   { 5, 1, 0 },   { 8, 1, 0 },   { 11, 1, 1 },  { 51, 1, 0 },
	{ 54, 0, 1 },  { 86, 1, 1 },  { 87, 1, 0 },  { 90, 0, 1 },  { 92, 0, 1 },  { 93, 0, 1 },
	{ 145, 0, 1 }, { 146, 0, 1 }, { 180, 0, 1 }, { 181, 0, 1 }, { 187, 0, 1 }, { 192, 0, 1 },
	{ 193, 0, 1 }, { 194, 0, 1 }, { 239, 0, 1 }, { 248, 0, 1 }, { 295, 1, 0 }, { 313, 0, 1 },
	{ 324, 0, 1 }, { 333, 0, 1 }, { 334, 0, 1 }, { 342, 1, 0 }, { 350, 0, 1 }, { 358, 1, 1 },
	{ 377, 0, 1 }, { 378, 0, 1 }, { 379, 0, 1 },
};

START_TEST(numbers_of_the_other_table)
{
	static const uint64_t zero[6];
	struct operation_call call = call_of(compat[_i].number, zero);
	struct operation_file file[2] = { { .known = true, .same = true } };
	struct operation op;

	for (int open = 0; open < 2; open++) {
		struct operation_event event = { .open = open, .ranged = !open, .count = 1,
						 .size = SIZE, .writers = true };

		if (!(open ? compat[_i].opens : compat[_i].accesses))
			continue;
		operation_decode(&event, &call, file, &op);
		ck_assert_int_eq(op.want, CORE_WANT_LAYOUT);
		ck_assert_uint_eq(op.start, 0);
		ck_assert_uint_eq(op.end, INF);
	}
}
END_TEST

START_TEST(texts)
{
	struct operation_call a, b;
	const char *worker = "0 0x3 0x1 0x2 0x0 0x0 0x0 0x0 0x0\n";

	ck_assert_int_eq(operation_parse("running\n", &a), OPERATION_TEXT_RUNNING);
	ck_assert_int_eq(operation_parse("-1 0x7ffd 0x7f1\n", &a), OPERATION_TEXT_OUTSIDE);
	ck_assert_int_eq(operation_parse("", &a), OPERATION_TEXT_BROKEN);
	ck_assert_int_eq(operation_parse("1 0x2 0x3", &a), OPERATION_TEXT_BROKEN);
	ck_assert_int_eq(operation_parse("x 0x2 0x3 1 1 1 1 1 1", &a), OPERATION_TEXT_BROKEN);
	/* a kernel thread, or a worker: the number is not its own */
	ck_assert_int_eq(operation_parse(worker, &a), OPERATION_TEXT_CALL);
	ck_assert(!a.known);
	ck_assert_int_eq(operation_parse("1 0x2 0x3 0x4 0x5 0x6 0x7 0x8 0x9\n", &a),
			 OPERATION_TEXT_CALL);
	ck_assert(a.known);
	ck_assert_int_eq(a.number, 1);
	ck_assert_uint_eq(a.arg[5], 7);
	ck_assert_uint_eq(a.sp, 8);
	ck_assert_uint_eq(a.pc, 9);
	ck_assert_int_eq(operation_parse("1 0x2 0x3 0x4 0x5 0x6 0x7 0xa 0x9\n", &b),
			 OPERATION_TEXT_CALL);
	ck_assert(operation_same_call(&a, &a));
	ck_assert(!operation_same_call(&a, &b));
}
END_TEST

int main(void)
{
	Suite *s = suite_create("operation");
	TCase *tc = tcase_create("operation");
	SRunner *runner;
	int failed;

	tcase_add_loop_test(tc, row, 0, sizeof(rows) / sizeof(rows[0]));
#ifdef __x86_64__
	tcase_add_loop_test(tc, numbers_of_the_other_table, 0, sizeof(compat) / sizeof(compat[0]));
#endif
	tcase_add_test(tc, workers);
	tcase_add_test(tc, texts);
	suite_add_tcase(s, tc);
	runner = srunner_create(s);
	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
