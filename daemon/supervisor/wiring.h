/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/*
 * What the files of the supervisor offer each other. Functions that return `int` with a struct refusal
 * return 0, or the refusal's positive code with *refusal filled in.
 */

#include "daemon/supervisor/state.h"
#include "daemon/supervisor/supervisor.h"

/* refuse.c */
const char *error_text(int number); /* positive errno; never NULL */
int refuse(struct refusal *refusal, enum proto_error code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
int refuse_errno(struct refusal *refusal, enum proto_error code, int error, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
void refusal_send(struct client *client, uint32_t serial, const struct refusal *refusal);

/* clients.c */
void client_request(struct session *session, const struct proto_message *message,
		    struct fdlist *fds, void *data);
void client_closed(struct session *session, void *data);
struct client *client_find(const struct supervisor *s, uint64_t holder);
void client_unref_check(struct supervisor *s, struct client *client); /* frees it if it is over */
void client_space_done(struct supervisor *s, struct job *job, const struct pager_event *event);
void client_space_lost(struct supervisor *s, uint64_t space);

/* objects.c */
struct object *object_find(const struct supervisor *s, uint64_t id);
struct object *object_find_inode(struct supervisor *s, dev_t dev, ino_t ino);
struct authority_file;
struct authority_same;
struct export;
/* A reference to the object of @file, whose descriptor it takes if it has a use for it. @export: NULL
 * without one. */
int object_get(struct supervisor *s, struct authority_file *file, const char *name,
	       const struct export *export, struct object **ret, struct refusal *refusal);
/* One that is open, for writing if @writable; a reference, or NULL. */
struct object *object_known(struct supervisor *s, const struct authority_same *same, bool writable,
			    const char *name, const struct export *export);
int object_create(struct supervisor *s, struct client *client, uint64_t size,
		  struct object **ret, struct refusal *refusal);
void object_ref(struct object *object);
void object_unref(struct supervisor *s, struct object *object);
uint64_t object_refresh(struct supervisor *s, struct object *object); /* its size now */
int object_to_pager(struct supervisor *s, struct object *object, bool write);
uint64_t object_in_pager(const struct object *object, bool write); /* its id there */

/* target.c: from what a request names to an object and what may be done with it */
struct target {
	struct object *object; /* a reference */
	uint64_t start, end;
	uint64_t right;	       /* READ windows of the same right may share memory */
	bool hard, kernel_faults, discard;
	struct quota *export_quota; /* of its export, NULL: none */
};
struct target_request {
	const char *name;
	struct fdlist *fds;
	bool write, whole;
	bool direct; /* the whole file comes into the holder's hands */
	bool open_end; /* a break: may reach past the end, length 0 is to infinity */
	uint64_t offset, length;
};
int target_resolve(struct supervisor *s, struct client *client, const struct target_request *request,
		   struct target *ret, struct refusal *refusal);
int target_lends_device(struct supervisor *s, struct client *client, const char *name,
			struct refusal *refusal);
bool target_any_device(struct supervisor *s);

/* bounds.c */
int bounds_check(uint64_t size, uint64_t page, const struct target_request *request,
		 uint64_t *ret_start, uint64_t *ret_end, struct refusal *refusal);
int bounds_within(uint64_t start, uint64_t end, uint64_t page, uint64_t offset, uint64_t length,
		  bool exact, uint64_t *ret_start, uint64_t *ret_end, struct refusal *refusal);
uint64_t page_up(uint64_t value);

/* windows.c */
struct window *window_find(const struct supervisor *s, uint64_t id);
struct seal *seal_find(const struct supervisor *s, uint64_t id);
int seal_of_client(struct supervisor *s, struct client *client, uint64_t id, struct seal **ret,
		   struct core_seal_view *ret_view, struct refusal *refusal);
void window_granted(struct supervisor *s, struct pending *pending,
		    const struct core_command *command);
void window_opened(struct supervisor *s, struct job *job, struct pager_event *event);
void window_begin(struct supervisor *s, struct seal *seal); /* strangers are out of the way */
void seal_announce(struct supervisor *s, struct seal *seal, uint32_t serial, int memory);
void seal_undo(struct supervisor *s, struct seal *seal, const struct refusal *refusal);
void window_mapped(struct supervisor *s, struct job *job, const struct pager_event *event);
void window_closed(struct supervisor *s, struct job *job);
void seal_split(struct supervisor *s, struct seal *seal, const struct core_command *command);
void seal_ended(struct supervisor *s, const struct core_command *command);
void seal_event(struct seal *seal, const struct proto_message *message);

/* guards.c: what the guard is told */
int guards_new(struct supervisor *s, int group);
/* Before the core is asked for a seal. */
int guards_arm(struct supervisor *s, struct object *object, bool direct, struct refusal *refusal);
bool guards_by_lease(const struct object *object);
void guards_end_lease(struct supervisor *s, struct object *object); /* for good, if it is one */
int guards_renew(struct supervisor *s, struct object *object, int fd); /* before the old is closed */
void guards_disarm(struct supervisor *s, struct object *object);
void guards_idle(struct supervisor *s, struct object *object); /* its last seal is gone */
void guards_bound_policy(const struct supervisor *s, const struct object *object,
			 struct core_policy *policy);
/* A seal is granted, or granted again: window_begin() or regrant_begin() follows, at once or later, or
 * its end. */
void guards_admit(struct supervisor *s, struct seal *seal, enum settling what);
void guards_unsettled(struct supervisor *s, const struct core_command *command);
void guards_shrunk(struct supervisor *s, struct seal *seal, struct seal *upper); /* NULL: none */
void guards_forget(struct supervisor *s, struct seal *seal); /* it promises nothing any more */
uint64_t guards_era(struct supervisor *s, const struct object *object);
enum guard_level guards_level(struct supervisor *s, const struct seal *seal, bool *ret_weak);
void guards_drain(struct supervisor *s);

/* strangers.c: whom the guard holds */
struct stranger *stranger_find(const struct supervisor *s, uint64_t request);
void stranger_held(struct supervisor *s, const struct guard_event *event);
void stranger_gone(struct supervisor *s, const struct guard_event *event);
void stranger_ready(struct supervisor *s, struct stranger *stranger, const struct core_command *command);
void stranger_refused(struct supervisor *s, struct stranger *stranger,
		      const struct core_command *command);
void strangers_forget(struct supervisor *s);

/* regrant.c: parked seals that are in force again */
void regrant(struct supervisor *s, const struct core_command *command);
void regrant_begin(struct supervisor *s, struct seal *seal);
void regrant_failed(struct supervisor *s, struct seal *seal, const char *why);

/* direct.c: seals that the pager has no window for */
int direct_allowed(struct supervisor *s, const struct object *object, struct refusal *refusal);
void direct_granted(struct supervisor *s, struct seal *seal);
void direct_fence(struct supervisor *s, const struct core_command *command);
bool direct_force(struct supervisor *s, const struct core_command *command);
void direct_regrant(struct supervisor *s, struct seal *seal, uint64_t start, uint64_t end);
void direct_drain(struct supervisor *s);
void direct_forget(struct supervisor *s); /* frees what is under way */

/* errands.c: what direct/ was told to do, until it reports */
enum errand_for { ERRAND_GRANT, ERRAND_REGRANT, ERRAND_FENCE, ERRAND_REQUEST };
struct errand {
	struct idmap_node node;
	enum errand_for what_for;
	uint64_t core_job; /* FENCE */
	enum core_cause cause;
	uint64_t holder, window, seal, object; /* by id: any may end meanwhile */
	uint64_t start, end;
	uint32_t serial; /* GRANT, REQUEST */
	uint64_t asker;	 /* REQUEST: whose */
	uint64_t map_version; /* of the window, when it began */
	bool over;	 /* answered without waiting for it */
};
int errand_submit(struct supervisor *s, const struct errand *context, struct window *window,
		  struct direct_job *job, uint64_t *ret_tag);
struct errand *errand_find(const struct supervisor *s, uint64_t tag);
struct errand *errand_forget(struct supervisor *s, struct errand *errand);

/* broken.c */
void broken_look(struct supervisor *s, const struct errand *errand, const struct direct_event *event);

/* registrations.c */
int registrations_begin(struct supervisor *s);
void registrations_end(struct supervisor *s);
/* Asks for what the holders who were revoked still have; it is logged when it is known. @request: a break
 * that hears of it too, by break_registered(); 0: none. How often it will. */
uint32_t registrations_look(struct supervisor *s, const struct core_command *command,
			    uint64_t request);

/* attached.c */
int attached_begin(struct supervisor *s);
void attached_end(struct supervisor *s);

/* jobs.c */
struct job *job_find(const struct supervisor *s, uint64_t tag);
int job_submit(struct supervisor *s, const struct job *context, struct pager_job *job);
void job_submit_must(struct supervisor *s, const struct job *context, struct pager_job *job);
/* The same for what nobody waits for: begun when others' requests have their answers, or soon. */
void job_submit_late(struct supervisor *s, const struct job *context, struct pager_job *job);
void jobs_begin(struct supervisor *s);
void jobs_forget_late(struct supervisor *s);
uint64_t jobs_due(const struct supervisor *s);
struct job *job_forget(struct supervisor *s, struct job *job);

/* pending.c */
int pending_new(struct supervisor *s, struct client *client, const struct target_request *request,
		struct target *ret_target, struct pending **ret, struct refusal *refusal);
void pending_start(struct supervisor *s, struct pending *pending, uint64_t request);
struct pending *pending_find(const struct supervisor *s, uint64_t request);
void pending_answered(struct supervisor *s, struct pending *pending);
struct pending *pending_free(struct supervisor *s, struct pending *pending);

/* one request each */
void request_attach(struct supervisor *s, struct client *client, uint32_t serial,
		    const struct proto_attach *m, struct fdlist *fds);
void request_device_get(struct supervisor *s, struct client *client, uint32_t serial,
			const struct proto_device_get *m);
void request_acquire(struct supervisor *s, struct client *client, uint32_t serial,
		     const struct proto_acquire *m, struct fdlist *fds);
void request_create(struct supervisor *s, struct client *client, uint32_t serial,
		    const struct proto_create *m);
void request_map(struct supervisor *s, struct client *client, uint32_t serial,
		 const struct proto_map *m);
void request_populate(struct supervisor *s, struct client *client, uint32_t serial,
		      const struct proto_populate *m);
void request_flush(struct supervisor *s, struct client *client, uint32_t serial,
		   const struct proto_flush *m);
void request_commit(struct supervisor *s, struct client *client, uint32_t serial,
		    const struct proto_commit *m);
void request_return(struct supervisor *s, struct client *client, uint32_t serial,
		    const struct proto_return_ *m);
void request_answer(struct supervisor *s, struct client *client, uint32_t serial,
		    const struct proto_answer *m);
void request_break_begin(struct supervisor *s, struct client *client, uint32_t serial,
			 const struct proto_break_begin *m, struct fdlist *fds);
void request_break_end(struct supervisor *s, struct client *client, uint32_t serial,
		       const struct proto_break_end *m);
void request_status(struct supervisor *s, struct client *client, uint32_t serial);
void request_list(struct supervisor *s, struct client *client, uint32_t serial,
		  const struct proto_list *m);
void request_extents_get(struct supervisor *s, struct client *client, uint32_t serial,
			 const struct proto_extents_get *m);
void request_verify(struct supervisor *s, struct client *client, uint32_t serial,
		    const struct proto_verify *m);
void verify_done(struct supervisor *s, const struct errand *errand,
		 const struct direct_event *event);
void request_watch(struct supervisor *s, struct client *client, uint32_t serial);
void request_quarantine_read(struct supervisor *s, struct client *client, uint32_t serial,
			     const struct proto_quarantine_read *m);
void request_quarantine_drop(struct supervisor *s, struct client *client, uint32_t serial,
			     const struct proto_quarantine_drop *m);
int refuse_core(struct refusal *refusal, int error); /* what the core answers at once */

/* what the core says about requests, in the file of the request */
void acquire_refused(struct supervisor *s, struct pending *pending,
		     const struct core_command *command);
void acquire_available(struct supervisor *s, struct pending *pending);
void break_ready(struct supervisor *s, struct pending *pending, const struct core_command *command);
void break_refused(struct supervisor *s, struct pending *pending,
		   const struct core_command *command);
void break_expired(struct supervisor *s, struct pending *pending);
void break_over(struct supervisor *s, const struct core_command *command);
void break_registered(struct supervisor *s, uint64_t request, uint64_t seal,
		      const struct registered *registered);
/* When the next answer has waited for long enough, CORE_NEVER: none waits; and what is due. */
uint64_t breaks_due(const struct supervisor *s);
void breaks_expire(struct supervisor *s);
struct readiness *readiness_free(struct readiness *ready);
/* @registered: NULL, nobody asked. */
void break_holder_part(struct supervisor *s, struct client *client, uint32_t serial,
		       const struct core_account_entry *entry, const struct registered *registered);
void return_done(struct supervisor *s, const struct core_command *command);
bool return_may_be_late(const struct supervisor *s, const struct seal *seal,
			const struct core_command *command);
void return_late(struct supervisor *s, struct seal *seal, const struct core_command *command);
void return_late_done(struct supervisor *s, const struct job *job);
void memory_job_done(struct supervisor *s, struct job *job, const struct pager_event *event);

/* pressure.c */
void pressure_listen(struct supervisor *s);
void pressure_quota(struct supervisor *s, struct client *client); /* after it was charged */
void pressure_relieved(struct supervisor *s, const struct job *job, uint64_t dropped);

/* supervisor.c */
const struct core_policy *supervisor_policy(const struct supervisor *s);
void supervisor_alive(struct supervisor *s, const struct job *job);

/* commands.c, results.c */
void commands_drain(struct supervisor *s);
void results_drain(struct supervisor *s);

/* quarantine.c */
void quarantine_keep(struct supervisor *s, const struct job *job, struct pager_event *event);
void quarantine_confirm(struct supervisor *s, const struct core_command *command);
struct kept *kept_find(const struct supervisor *s, uint64_t id);
bool kept_visible(const struct client *client, const struct kept *kept);
struct kept *kept_free(struct supervisor *s, struct kept *kept);
void quarantine_lost(struct supervisor *s); /* frees all, and says so */

/* visibility.c */
int visibility_prove(struct supervisor *s, struct client *client, struct object *object);
void visibility_forget_client(struct supervisor *s, struct client *client);
void visibility_forget_object(struct supervisor *s, struct object *object);
bool visible(const struct supervisor *s, const struct client *client, uid_t owner,
	     uint64_t object);

/* describe.c: words for people, legal in a STR */
#define DESCRIBE_MAX 400
const char *describe_range(uint64_t start, uint64_t end, char *text, size_t size);
const char *describe_object(const struct object *object, char *text, size_t size);
const char *describe_blocker(const struct supervisor *s, const struct object *object,
			     const struct core_command *command, char *text, size_t size);
void describe_account(const struct supervisor *s, const struct core_account_entry *account,
		      size_t n, char *text, size_t size);

/* watch.c */
struct change {
	enum proto_e_CHANGE change;
	uint64_t id, object, start, end;
	uint64_t holder; /* whose; 0: nobody's */
	const char *detail;
};
bool watch_any(const struct supervisor *s); /* so that nothing is put into words for nobody */
void watch_tell(struct supervisor *s, const struct change *change);

/* log.c */
enum log_level { LOG_LEVEL_ERROR = 3, LOG_LEVEL_WARNING = 4, LOG_LEVEL_NOTICE = 5, LOG_LEVEL_INFO = 6 };
void log_line(enum log_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Whether there is to be a line for one of many; else it is counted. @others: what more of them did. */
bool log_may(struct log_limit *limit, enum log_level level, const char *others);
