# SPDX-License-Identifier: LGPL-2.1-or-later
#
# `make bench` measures, prints, and writes bench-results.json here; doc/benchmarks.md says how to read it. No part
# of `make check`: how fast a machine is says nothing about whether the program is right.

EXTRA_PROGRAMS += %D%/bench
tests_bench_bench_SOURCES = \
	%D%/bench.h %D%/bench.c \
	%D%/results.h %D%/results.c \
	%D%/setting.h \
	%D%/bare.h %D%/bare.c \
	%D%/floor-fan-out.c \
	%D%/floor-grant.c \
	%D%/floor-guard.c \
	%D%/floor-pager.c \
	%D%/core.c \
	%D%/direct.c \
	%D%/fault.c \
	%D%/fence.c \
	%D%/gate.c \
	%D%/grant.c \
	%D%/guard.c \
	%D%/recall.c \
	%D%/touch.c
tests_bench_bench_CFLAGS = $(AM_CFLAGS) $(JSON_C_CFLAGS)
tests_bench_bench_LDADD = \
	tests/system/libdirect.la \
	tests/system/librig.la \
	daemon/core/libcore.la \
	util/libutil.la \
	$(JSON_C_LIBS) $(PTHREAD_LIBS)
EXTRA_DIST += doc/benchmarks.md
CLEANFILES += %D%/bench bench-results.json bench-supervisor.log

.PHONY: bench
bench: mapseald$(EXEEXT) %D%/bench$(EXEEXT)
	@top_builddir='$(abs_top_builddir)' %D%/bench$(EXEEXT)
