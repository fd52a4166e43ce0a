# SPDX-License-Identifier: LGPL-2.1-or-later

# What needs no supervisor and no library, so that unit tests can link it alone.
noinst_LTLIBRARIES += %D%/libctl.la
client_ctl_libctl_la_SOURCES = \
	%D%/json.c \
	%D%/json.h \
	%D%/object.c \
	%D%/object.h \
	%D%/options.c \
	%D%/options.h \
	%D%/render.c \
	%D%/render.h
client_ctl_libctl_la_CFLAGS = $(AM_CFLAGS) $(JSON_C_CFLAGS)
client_ctl_libctl_la_LIBADD = util/libutil.la $(JSON_C_LIBS)

bin_PROGRAMS += mapsealctl
mapsealctl_SOURCES = \
	%D%/cmd-break.c \
	%D%/cmd-cat.c \
	%D%/cmd-doctor.c \
	%D%/cmd-extents.c \
	%D%/cmd-hold.c \
	%D%/cmd-list.c \
	%D%/cmd-quarantine.c \
	%D%/cmd-status.c \
	%D%/cmd-watch.c \
	%D%/ctl.c \
	%D%/ctl.h \
	%D%/main.c \
	%D%/probe.h \
	%D%/probe-system.c \
	%D%/probe-userfaultfd.c \
	%D%/run.c \
	%D%/run.h
mapsealctl_CFLAGS = $(AM_CFLAGS) $(JSON_C_CFLAGS)
mapsealctl_LDADD = %D%/libctl.la libmapseal.la util/libutil.la $(JSON_C_LIBS)
