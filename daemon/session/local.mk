# SPDX-License-Identifier: LGPL-2.1-or-later

noinst_LTLIBRARIES += %D%/libsession.la
daemon_session_libsession_la_SOURCES = \
	%D%/peer.h %D%/peer.c \
	%D%/quota.h %D%/quota.c \
	%D%/closer.h %D%/closer.c \
	%D%/outbox.h %D%/outbox.c \
	%D%/parts.h %D%/parts.c \
	%D%/session.h %D%/state.h %D%/session.c %D%/request.c %D%/reply.c \
	%D%/listener.h %D%/listener.c
