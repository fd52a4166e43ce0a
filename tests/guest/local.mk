# SPDX-License-Identifier: LGPL-2.1-or-later
#
# The product on other kernels than this machine's; check-guest.sh says which, and what that takes.

guest_suites = \
	%D%/suites/dax.sh \
	%D%/suites/nvdimm.sh \
	%D%/suites/power-cut.sh \
	%D%/suites/rdma.sh \
	%D%/suites/window.sh
EXTRA_DIST += \
	%D%/check-guest.sh \
	%D%/doctor.sh \
	%D%/image.sh \
	%D%/init \
	%D%/inside.sh \
	%D%/kernel.sh \
	%D%/rdma.sh \
	%D%/rdma-direct.sh \
	%D%/rdma-recalled.sh \
	%D%/rdma-silent.sh \
	%D%/run.sh \
	$(guest_suites)
noinst_HEADERS += %D%/dax.h

guest_programs = \
	%D%/dax-clone \
	%D%/dax-map-sync \
	%D%/dax-no-faults \
	%D%/dax-no-pins \
	%D%/dax-taken-away \
	%D%/dax-unwritten \
	%D%/held-on-dax \
	%D%/power-cut
tests_guest_held_on_dax_LDADD = tests/system/libdirect.la
tests_guest_power_cut_LDADD = tests/system/libdirect.la
tests_guest_dax_no_pins_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
tests_guest_dax_no_pins_LDADD = $(URING_LIBS)
if HAVE_RDMA
guest_programs += %D%/rdma-counted %D%/rdma-register
tests_guest_rdma_counted_LDADD = daemon/rdma/librdma.la daemon/loop/libloop.la -libverbs
tests_guest_rdma_register_LDADD = -libverbs
guest_examples = $(rdma_examples)
endif
# Compiled with everything else, so that they do not rot.
check_PROGRAMS += $(guest_programs) $(guest_examples)

# On the oldest kernel everything that has to do with one; not what mapsealctl's texts are, which are slow to emulate. On the
# newest, which is next to what this runs on, what it could have broken: what is believed of it, the parts that depend
# on it, and how windows end.
GUEST_NEWEST = tests/kernel/% tests/unit/pager/% tests/unit/direct/% tests/unit/guard/% \
	$(patsubst %,tests/system/%,fork-% huge-% pinned recall-% revoke-% rogue-% system-% truncate-%)
GUEST_OLDEST = tests/kernel/% tests/unit/pager/% tests/unit/direct/% tests/unit/guard/% tests/system/% \
	tests/unit/loop/% tests/unit/authority/% tests/unit/session/% tests/unit/client/%
# What fanotify holds; strangers on the oldest are held by leases.
GUEST_FANOTIFY = $(filter-out tests/system/guard-lease,$(filter tests/system/guard-%,$(TESTS)))
# Slow to emulate, and next to nothing of the kernel's: texts, pure code, the host's own newest kernel again.
GUEST_NEITHER = $(patsubst %,tests/system/%.sh,break-command direct-ctl errors hold-command json plain read-sha256) \
	$(patsubst %,tests/unit/guard/%,test-operation test-operation-any test-taint) \
	$(patsubst %,tests/system/madvise-storm-%,flush regrant)
# On DAX, with the newest kernel; so not once more on the scratch disk.
GUEST_GUARD_ON_DAX = $(patsubst %,tests/unit/guard/test-%,compat hold killed lease outsiders pass settle)
GUEST_NOT_NEWEST = $(GUEST_NEITHER) $(GUEST_GUARD_ON_DAX) tests/unit/guard/test-late

.PHONY: check-guest
check-guest: $(check_PROGRAMS) tests/matrix/matrix$(EXEEXT) mapsealctl$(EXEEXT) mapseald$(EXEEXT)
	@$(AM_TESTS_ENVIRONMENT) \
	GUEST_OLDEST='$(filter-out $(GUEST_NEITHER) $(GUEST_FANOTIFY),$(filter $(GUEST_OLDEST),$(TESTS)))'; export GUEST_OLDEST; \
	GUEST_NEWEST='$(filter-out $(GUEST_NOT_NEWEST),$(filter $(GUEST_NEWEST),$(TESTS)))'; export GUEST_NEWEST; \
	GUEST_DAX='$(filter-out %-refused,$(filter tests/system/direct-%,$(system_programs))) $(GUEST_GUARD_ON_DAX)'; export GUEST_DAX; \
	bash $(top_srcdir)/tests/guest/check-guest.sh .
