/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * The harness of the core's tests: a core, a clock, and all commands it ever gave.
 *
 * A test says what happens and then looks at the commands since its last look: take(TYPE) returns
 * the oldest such command not taken yet and fails if there is none, none(TYPE) fails if there is
 * one. Time stands still unless a test moves it. Each test has a core of its own.
 */

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/core/core.h"
#include "daemon/core/deadline.h"
#include "util/list.h"

#define MS UINT64_C(1000000)

struct logged {
	struct core_command command;
	struct core_account_entry *account;
	bool taken;
};

struct core_test {
	struct core *core;
	uint64_t now, object;
	struct logged *log;
	size_t n_log;
};

static struct core_test t;

static inline void t_log(void)
{
	struct core_command c;

	while (core_next_command(t.core, &c)) {
		struct logged *l;

		t.log = realloc(t.log, (t.n_log + 1) * sizeof(*t.log));
		l = &t.log[t.n_log++];
		*l = (struct logged){ .command = c };
		if (c.n_account) {
			l->account = malloc(c.n_account * sizeof(*l->account));
			memcpy(l->account, c.account, c.n_account * sizeof(*l->account));
		}
		l->command.account = l->account;
	}
}

static inline struct core_command *peek(enum core_command_type type)
{
	t_log();
	for (size_t i = 0; i < t.n_log; i++)
		if (!t.log[i].taken && t.log[i].command.type == type)
			return &t.log[i].command;
	return NULL;
}

static inline struct core_command take_(enum core_command_type type, const char *what, int line)
{
	struct core_command *c = peek(type);

	if (!c)
		ck_abort_msg("line %d: no %s", line, what);
	container_of(c, struct logged, command)->taken = true;
	return *c;
}

#define take(type) take_(type, #type, __LINE__)
#define none(type) ck_assert_msg(!peek(type), "a " #type " that should not be")

static inline void forget(void)
{
	t_log();
	for (size_t i = 0; i < t.n_log; i++)
		t.log[i].taken = true;
}

static inline uint64_t new_object(uint64_t device, const struct core_policy *policy)
{
	struct core_object_info info = { .device = device, .size = 1 << 20 };
	uint64_t id;

	if (policy)
		info.policy = *policy;
	ck_assert_int_eq(core_object_add(t.core, &info, &id), 0);
	return id;
}

static inline void setup_config(const struct core_config *config)
{
	t = (struct core_test){ .now = 1000 * MS };
	ck_assert_int_eq(core_new(config, &t.core), 0);
	t.object = new_object(7, NULL);
}

static inline void setup(void)
{
	struct core_config config = { .policy = core_policy_default(), .token_seed = 42 };

	setup_config(&config);
}

static inline void teardown(void)
{
	t_log();
	t.core = core_free(t.core);
	for (size_t i = 0; i < t.n_log; i++)
		free(t.log[i].account);
	free(t.log);
}

/* Lets time pass, ticking whenever the core asked for it and at the end. */
static inline void pass(uint64_t ms)
{
	uint64_t to = t.now + ms * MS;

	while (core_next_deadline(t.core) < to) {
		t.now = core_next_deadline(t.core);
		core_tick(t.core, t.now);
	}
	t.now = to;
	core_tick(t.core, t.now);
}

/* ---- the cast ---------------------------------------------------------------------------- */

static inline uint64_t holder_of(uint64_t process)
{
	struct core_holder_info info = { .uid = 1000 + process, .process = process };
	uint64_t id;

	ck_assert_int_eq(core_holder_add(t.core, &info, &id), 0);
	return id;
}

static inline uint64_t holder(void)
{
	static uint64_t process = 100;

	return holder_of(++process);
}

/* ---- asking ------------------------------------------------------------------------------ */

static inline uint64_t ask_with(struct core_acquire a)
{
	uint64_t id = 0;

	if (!a.object)
		a.object = t.object;
	if (!a.kind)
		a.kind = CORE_WINDOW;
	ck_assert_int_eq(core_acquire(t.core, &a, t.now, &id), 0);
	return id;
}

#define ask(h, s, e, m, ...)                                                                       \
	ask_with((struct core_acquire){                                                            \
		.holder = (h), .start = (s), .end = (e), .mode = (m), ##__VA_ARGS__ })

static inline uint64_t granted(uint64_t request, int line)
{
	struct core_command c = take_(CORE_CMD_GRANT, "GRANT", line);

	ck_assert_uint_eq(c.request, request);
	return c.seal;
}

/* A seal that is granted at once. */
#define seal(...) granted(ask(__VA_ARGS__), __LINE__)

static inline uint64_t break_with(struct core_break b)
{
	uint64_t id = 0;

	if (!b.object)
		b.object = t.object;
	if (!b.want)
		b.want = CORE_WANT_LAYOUT;
	ck_assert_int_eq(core_break(t.core, &b, t.now, &id), 0);
	return id;
}

#define brk(s, e, ...)                                                                             \
	break_with((struct core_break){                                                            \
		.start = (s), .end = (e), ##__VA_ARGS__ })

/* A WRITE seal of a new holder on [0, 100), which may be recalled at once; */
static inline uint64_t held(void)
{
	uint64_t id = seal(holder(), 0, 100, CORE_WRITE);

	pass(20);
	return id;
}

/* ... and a break of all of it, for which it was. */
static inline uint64_t recalled(uint64_t *ret_break)
{
	uint64_t id = held(), b = brk(0, 100);

	if (ret_break)
		*ret_break = b;
	return id;
}

static inline struct core_command refused_(uint64_t request, int error, int line)
{
	struct core_command c = take_(CORE_CMD_REFUSE, "REFUSE", line);

	ck_assert_uint_eq(c.request, request);
	ck_assert_str_eq(core_error_string(c.error), core_error_string(error));
	return c;
}

#define refused(request, error) refused_(request, error, __LINE__)

static inline struct core_command ready_(uint64_t request, int line)
{
	struct core_command c = take_(CORE_CMD_BREAK_READY, "BREAK_READY", line);

	ck_assert_uint_eq(c.request, request);
	return c;
}

#define ready(request) ready_(request, __LINE__)

/* ---- seals ------------------------------------------------------------------------------- */

static inline struct core_seal_view view(uint64_t id)
{
	struct core_seal_view v;

	ck_assert_msg(core_seal_find(t.core, id, &v), "seal is gone");
	return v;
}

static inline bool exists(uint64_t id)
{
	struct core_seal_view v;

	return core_seal_find(t.core, id, &v);
}

static inline int answer(uint64_t id, enum core_answer what, uint32_t delay_ms, uint32_t *ret_ms)
{
	struct core_seal_view v = view(id);

	return core_answer(t.core, v.holder, id, v.seq, what, delay_ms, t.now, ret_ms);
}

static inline int give(uint64_t id, uint64_t start, uint64_t end)
{
	struct core_seal_view v = view(id);

	return core_return(t.core, v.holder, id, v.seq, start, end, false, t.now);
}

static inline void fence_failed(uint64_t job, int error)
{
	struct core_fence_result r = { .job = job, .error = error };

	core_fenced(t.core, &r, t.now);
}

static inline void fence_done(uint64_t job, enum core_fence fence)
{
	struct core_fence_result r = { .job = job, .fence = fence };

	core_fenced(t.core, &r, t.now);
}

/* Returns a range and lets the mechanism succeed. */
static inline struct core_command give_back_(uint64_t id, uint64_t start, uint64_t end, int line)
{
	struct core_command c;

	ck_assert_int_eq(give(id, start, end), 0);
	c = take_(CORE_CMD_FENCE, "FENCE", line);
	ck_assert_int_eq(c.cause, CORE_CAUSE_RETURN);
	fence_done(c.job, CORE_FENCE_FENCED);
	return take_(CORE_CMD_RETURNED, "RETURNED", line);
}

#define give_back(...) give_back_(__VA_ARGS__, __LINE__)

/* The next fence that is wanted, which has to be of this cause, is done. */
static inline struct core_command fence_(enum core_cause cause, int line)
{
	struct core_command c = take_(CORE_CMD_FENCE, "FENCE", line);

	ck_assert_int_eq(c.cause, cause);
	fence_done(c.job, CORE_FENCE_FENCED);
	return c;
}

#define fence(cause) fence_(cause, __LINE__)

static inline struct core_stats stats(void)
{
	struct core_stats s;

	core_stats(t.core, &s);
	return s;
}

/* ---- running ----------------------------------------------------------------------------- */

static inline TCase *core_tests(Suite *suite)
{
	TCase *tc = tcase_create("core");

	tcase_add_checked_fixture(tc, setup, teardown);
	suite_add_tcase(suite, tc);
	return tc;
}

static inline int core_run(Suite *suite)
{
	SRunner *runner = srunner_create(suite);
	int failed;

	srunner_run_all(runner, CK_ENV);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
