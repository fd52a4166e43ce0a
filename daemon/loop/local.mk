# SPDX-License-Identifier: LGPL-2.1-or-later

noinst_LTLIBRARIES += %D%/libloop.la
%C%_libloop_la_SOURCES = \
	%D%/loop.c %D%/loop.h \
	%D%/op.c \
	%D%/slots.c %D%/slots.h
%C%_libloop_la_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
%C%_libloop_la_LIBADD = $(URING_LIBS)
