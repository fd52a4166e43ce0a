# SPDX-License-Identifier: LGPL-2.1-or-later

noinst_LTLIBRARIES += %D%/libproto.la
proto_libproto_la_SOURCES = \
	%D%/messages.def \
	%D%/proto.h \
	%D%/table.h %D%/table.c \
	%D%/str.h %D%/str.c \
	%D%/codec.c \
	%D%/dump.c \
	%D%/fdlist.h %D%/fdlist.c \
	%D%/frame.h %D%/frame.c
