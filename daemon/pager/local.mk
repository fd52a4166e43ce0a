# SPDX-License-Identifier: LGPL-2.1-or-later

noinst_LTLIBRARIES += %D%/libpager.la
%C%_libpager_la_SOURCES = \
	%D%/attach.c \
	%D%/bitmap.c \
	%D%/bitmap.h \
	%D%/drop.c \
	%D%/fault.c \
	%D%/fence.c \
	%D%/fill.c \
	%D%/force.c \
	%D%/fork.c \
	%D%/object.c \
	%D%/ops.c \
	%D%/pager.c \
	%D%/pager.h \
	%D%/place.c \
	%D%/place.h \
	%D%/populate.c \
	%D%/procmap.c \
	%D%/procmap.h \
	%D%/quarantine.c \
	%D%/quarantine.h \
	%D%/queue.c \
	%D%/queue.h \
	%D%/regrant.c \
	%D%/segments.c \
	%D%/segments.h \
	%D%/share.c \
	%D%/space.c \
	%D%/spare.c \
	%D%/spare.h \
	%D%/state.h \
	%D%/thread.c \
	%D%/uffd.c \
	%D%/uffd.h \
	%D%/view.c \
	%D%/view.h \
	%D%/window.c \
	%D%/writeback.c \
	%D%/writer.c \
	%D%/writer.h
%C%_libpager_la_LIBADD = daemon/loop/libloop.la util/libutil.la
