# SPDX-License-Identifier: LGPL-2.1-or-later

include %D%/unit/util/local.mk
include %D%/unit/core/local.mk
include %D%/unit/proto/local.mk
include %D%/unit/loop/local.mk
include %D%/unit/config/local.mk
include %D%/unit/authority/local.mk
include %D%/unit/direct/local.mk
include %D%/unit/pager/local.mk
include %D%/unit/guard/local.mk
include %D%/unit/rdma/local.mk
include %D%/unit/uevent/local.mk
include %D%/unit/session/local.mk
include %D%/unit/supervisor/local.mk
include %D%/unit/client/local.mk
include %D%/unit/ctl/local.mk
include %D%/kernel/local.mk
include %D%/simulation/local.mk
include %D%/fuzz/local.mk
include %D%/dist/local.mk
include %D%/system/local.mk
include %D%/programs/local.mk
include %D%/bench/local.mk
include %D%/matrix/local.mk
include %D%/guest/local.mk

EXTRA_DIST += %D%/report.sh %D%/skips.list

# Tests run what was built, never what is installed. Sanitizers stop at the first finding.
AM_TESTS_ENVIRONMENT = \
	top_srcdir='$(abs_top_srcdir)'; export top_srcdir; \
	top_builddir='$(abs_top_builddir)'; export top_builddir; \
	CC='$(CC)'; export CC; \
	SANITIZER='$(SANITIZER)'; export SANITIZER; \
	PATH='$(abs_top_builddir)':"$$PATH"; export PATH; \
	unset MAPSEAL_SOCKET MAPSEAL_TOKEN MAPSEALD MAPSEALCTL NOTIFY_SOCKET; \
	ASAN_OPTIONS=abort_on_error=1:detect_leaks=1; export ASAN_OPTIONS; \
	UBSAN_OPTIONS=print_stacktrace=1:halt_on_error=1; export UBSAN_OPTIONS; \
	TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1:die_after_fork=0; export TSAN_OPTIONS; \
	CK_TIMEOUT_MULTIPLIER=15; export CK_TIMEOUT_MULTIPLIER;

# `make check`, closed by one line that counts; a skip that skips.list does not explain is a failure.
.PHONY: check-count
check-count:
	@status=0; $(MAKE) $(AM_MAKEFLAGS) check || status=$$?; \
	bash $(top_srcdir)/tests/report.sh $(top_srcdir)/tests/skips.list . '$(SANITIZER)' || status=$$?; \
	exit $$status

# Memcheck needs an uninstrumented build.
EXTRA_DIST += %D%/valgrind.sh %D%/valgrind.list %D%/valgrind-calls.c
.PHONY: check-valgrind
check-valgrind: $(check_PROGRAMS) mapsealctl$(EXEEXT) mapseald$(EXEEXT)
	@$(AM_TESTS_ENVIRONMENT) bash $(top_srcdir)/tests/valgrind.sh \
		$(filter %D%/unit/% %D%/system/%.sh %D%/fuzz/%,$(TESTS))
