# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Everything but main() is a library, so that tests and fuzzers run the whole supervisor.

noinst_LTLIBRARIES += %D%/libsupervisor.la
daemon_libsupervisor_la_SOURCES = \
	%D%/supervisor/supervisor.h %D%/supervisor/supervisor.c \
	%D%/supervisor/state.h \
	%D%/supervisor/wiring.h \
	%D%/supervisor/attached.c \
	%D%/supervisor/bounds.c \
	%D%/supervisor/broken.c \
	%D%/supervisor/clients.c \
	%D%/supervisor/commands.c \
	%D%/supervisor/describe.c \
	%D%/supervisor/direct.c \
	%D%/supervisor/errands.c \
	%D%/supervisor/guards.c \
	%D%/supervisor/jobs.c \
	%D%/supervisor/log.c \
	%D%/supervisor/objects.c \
	%D%/supervisor/pending.c \
	%D%/supervisor/pressure.c \
	%D%/supervisor/quarantine.c \
	%D%/supervisor/refuse.c \
	%D%/supervisor/regrant.c \
	%D%/supervisor/registrations.c \
	%D%/supervisor/request-acquire.c \
	%D%/supervisor/request-break.c \
	%D%/supervisor/request-extents.c \
	%D%/supervisor/request-list.c \
	%D%/supervisor/request-return.c \
	%D%/supervisor/request-window.c \
	%D%/supervisor/results.c \
	%D%/supervisor/strangers.c \
	%D%/supervisor/target.c \
	%D%/supervisor/visibility.c \
	%D%/supervisor/watch.c \
	%D%/supervisor/windows.c
daemon_libsupervisor_la_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
daemon_libsupervisor_la_LIBADD = \
	%D%/session/libsession.la \
	%D%/authority/libauthority.la \
	%D%/config/libconfig.la \
	%D%/direct/libdirect.la \
	%D%/guard/libguard.la \
	%D%/rdma/librdma.la \
	%D%/uevent/libuevent.la \
	%D%/pager/libpager.la \
	%D%/loop/libloop.la \
	%D%/core/libcore.la \
	proto/libproto.la \
	util/libutil.la \
	$(SYSTEMD_LIBS)

sbin_PROGRAMS += mapseald
mapseald_SOURCES = %D%/mapseald.c
mapseald_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
mapseald_LDADD = %D%/libsupervisor.la $(SYSTEMD_LIBS)
