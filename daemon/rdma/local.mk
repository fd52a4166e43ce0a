# SPDX-License-Identifier: LGPL-2.1-or-later

noinst_LTLIBRARIES += %D%/librdma.la
%C%_librdma_la_SOURCES = \
	%D%/decode.c \
	%D%/decode.h \
	%D%/rdma.c \
	%D%/rdma.h
%C%_librdma_la_CFLAGS = $(AM_CFLAGS) $(NL_CFLAGS)
%C%_librdma_la_LIBADD = util/libutil.la $(NL_LIBS)
