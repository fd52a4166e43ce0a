check_PROGRAMS += %D%/simulate
TESTS += %D%/simulate %D%/mutations.sh
dist_check_SCRIPTS += %D%/mutations.sh

%C%_simulate_SOURCES = \
	%D%/actions.c \
	%D%/actions.h \
	%D%/cast.c \
	%D%/invariants.c \
	%D%/mechanism.c \
	%D%/ranges.c \
	%D%/replies.c \
	%D%/requests.c \
	%D%/rng.h \
	%D%/shadow-fence.c \
	%D%/shadow-recall.c \
	%D%/shadow-request.c \
	%D%/shadow.c \
	%D%/shadow.h \
	%D%/simulate.c \
	%D%/table.c \
	%D%/world.c \
	%D%/world.h
%C%_simulate_LDADD = daemon/core/libcore.la

EXTRA_DIST += \
	%D%/mutations/account-short.patch \
	%D%/mutations/account-untrue.patch \
	%D%/mutations/any-token-passes.patch \
	%D%/mutations/avail-not-told.patch \
	%D%/mutations/carve-while-fencing.patch \
	%D%/mutations/conflict-cell.patch \
	%D%/mutations/delay-past-hard-limit.patch \
	%D%/mutations/fence-not-forced.patch \
	%D%/mutations/forced-for-nobody.patch \
	%D%/mutations/grant-over-hold.patch \
	%D%/mutations/grant-over-recall.patch \
	%D%/mutations/guard-behind-read.patch \
	%D%/mutations/guard-behind-stalled.patch \
	%D%/mutations/guard-forgets-read.patch \
	%D%/mutations/guard-jumps-queue.patch \
	%D%/mutations/guard-kept-by-later-hold.patch \
	%D%/mutations/guard-overtaken.patch \
	%D%/mutations/hold-for-ever.patch \
	%D%/mutations/hold-longer.patch \
	%D%/mutations/hurry-never-ends.patch \
	%D%/mutations/kept-unseen.patch \
	%D%/mutations/no-minimum-hold.patch \
	%D%/mutations/no-revocation.patch \
	%D%/mutations/old-seq-accepted.patch \
	%D%/mutations/queue-jumping.patch \
	%D%/mutations/read-looks-once.patch \
	%D%/mutations/read-without-flush.patch \
	%D%/mutations/recall-past-the-end.patch \
	%D%/mutations/regrant-keeps-seq.patch \
	%D%/mutations/requests-outlive-holder.patch \
	%D%/mutations/return-is-no-answer.patch \
	%D%/mutations/return-without-end.patch \
	%D%/mutations/second-return.patch \
	%D%/mutations/seq-wraps-to-zero.patch \
	%D%/mutations/split-forgets-upper.patch \
	%D%/mutations/transparent-not-last.patch \
	%D%/mutations/uncounted.patch \
	%D%/mutations/upper-half-misplaced.patch \
	%D%/mutations/waiter-forgotten.patch \
	%D%/mutations/wide-recall-forgotten.patch
