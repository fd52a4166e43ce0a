# SPDX-License-Identifier: LGPL-2.1-or-later

noinst_LTLIBRARIES += %D%/libdirect.la
%C%_libdirect_la_SOURCES = \
	%D%/direct.c \
	%D%/direct.h \
	%D%/extents.c \
	%D%/extents.h \
	%D%/helper.c \
	%D%/job.h \
	%D%/map.c \
	%D%/map.h \
	%D%/prepare.c \
	%D%/prepare.h
%C%_libdirect_la_LIBADD = daemon/core/libcore.la
