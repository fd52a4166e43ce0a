# SPDX-License-Identifier: LGPL-2.1-or-later

include_HEADERS += include/mapseal.h
lib_LTLIBRARIES += libmapseal.la
EXTRA_DIST += %D%/libmapseal.map
pkgconfig_DATA = %D%/mapseal.pc

# The library's objects once more, without the version script, for tests that look inside.
noinst_LTLIBRARIES += %D%/libclient.la
client_libclient_la_SOURCES = \
	%D%/acquire.c \
	%D%/agent.c %D%/agent.h \
	%D%/break.c %D%/break.h \
	%D%/direct.c %D%/direct.h \
	%D%/extents.c \
	%D%/fence.c \
	%D%/fence-move.c \
	%D%/connect.c %D%/connection.h \
	%D%/error.c %D%/error.h \
	%D%/event.c \
	%D%/fork.c %D%/fork.h \
	%D%/gate.c %D%/gate.h \
	%D%/list.c \
	%D%/look.c \
	%D%/pages.c \
	%D%/piece.c \
	%D%/recall.c \
	%D%/return.c \
	%D%/seal.c %D%/seal.h \
	%D%/space.c %D%/space.h \
	%D%/values.c \
	%D%/window.c \
	%D%/wire.c %D%/wire.h
client_libclient_la_CFLAGS = $(AM_CFLAGS) $(PMEM_CFLAGS)
client_libclient_la_LIBADD = proto/libproto.la $(PMEM_LIBS)

libmapseal_la_SOURCES =
libmapseal_la_LIBADD = client/libclient.la $(PTHREAD_LIBS)
libmapseal_la_LDFLAGS = \
	$(AM_LDFLAGS) \
	-version-info $(LIBMAPSEAL_VERSION) \
	-Wl,--version-script=$(srcdir)/client/libmapseal.map
libmapseal_la_DEPENDENCIES = client/libclient.la client/libmapseal.map
