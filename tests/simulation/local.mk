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
	%D%/shadow.c \
	%D%/simulate.c \
	%D%/table.c \
	%D%/world.c \
	%D%/world.h
%C%_simulate_LDADD = daemon/core/libcore.la
