# SPDX-License-Identifier: LGPL-2.1-or-later

noinst_LTLIBRARIES += %D%/libguard.la
%C%_libguard_la_SOURCES = \
	%D%/guard.h \
	%D%/operation.c \
	%D%/operation.h
