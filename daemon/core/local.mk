# SPDX-License-Identifier: LGPL-2.1-or-later

noinst_LTLIBRARIES += %D%/libcore.la

daemon_core_libcore_la_SOURCES = \
	%D%/account.c \
	%D%/admit.c \
	%D%/ask.c \
	%D%/behind.c \
	%D%/break.c \
	%D%/command.c \
	%D%/conflict.c \
	%D%/conflict.h \
	%D%/core-internal.h \
	%D%/core.c \
	%D%/core.h \
	%D%/cycle.c \
	%D%/deadline.c \
	%D%/deadline.h \
	%D%/fence.c \
	%D%/holder.c \
	%D%/interval.c \
	%D%/interval.h \
	%D%/object.c \
	%D%/query.c \
	%D%/recall-any.c \
	%D%/recall.c \
	%D%/request.c \
	%D%/seal.c \
	%D%/seq.h \
	%D%/settle.c \
	%D%/timer.c \
	%D%/timer.h \
	%D%/token.c \
	%D%/token.h
daemon_core_libcore_la_LIBADD = util/libutil.la
