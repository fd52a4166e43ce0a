# SPDX-License-Identifier: LGPL-2.1-or-later

noinst_LTLIBRARIES += %D%/libguard.la
%C%_libguard_la_SOURCES = \
	%D%/attached.c \
	%D%/fan.c \
	%D%/fan.h \
	%D%/guard.c \
	%D%/guard.h \
	%D%/held.c \
	%D%/index.c \
	%D%/lease.c \
	%D%/lease.h \
	%D%/notice.c \
	%D%/object.c \
	%D%/operation.c \
	%D%/operation.h \
	%D%/outsiders.c \
	%D%/police.c \
	%D%/proc.c \
	%D%/proc.h \
	%D%/prove.c \
	%D%/prover.c \
	%D%/seal.c \
	%D%/share.c \
	%D%/state.h \
	%D%/taint.c \
	%D%/taint.h
