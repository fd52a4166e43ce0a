# SPDX-License-Identifier: LGPL-2.1-or-later

noinst_LTLIBRARIES += %D%/libauthority.la
daemon_authority_libauthority_la_SOURCES = \
	%D%/authority.h \
	%D%/export.c \
	%D%/export.h \
	%D%/mounts.c \
	%D%/open.c \
	%D%/open.h \
	%D%/proof.c \
	%D%/proof.h \
	%D%/why.h
daemon_authority_libauthority_la_LIBADD = util/libutil.la
