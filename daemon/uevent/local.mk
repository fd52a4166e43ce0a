# SPDX-License-Identifier: LGPL-2.1-or-later

noinst_LTLIBRARIES += %D%/libuevent.la
%C%_libuevent_la_SOURCES = \
	%D%/backing.c \
	%D%/backing.h \
	%D%/decode.c \
	%D%/decode.h \
	%D%/uevent.c \
	%D%/uevent.h
%C%_libuevent_la_CFLAGS = $(AM_CFLAGS) $(NL_CFLAGS)
%C%_libuevent_la_LIBADD = util/libutil.la $(NL_LIBS)
