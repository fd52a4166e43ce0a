# SPDX-License-Identifier: LGPL-2.1-or-later
#
# One program for each thing about the kernel that the pager and the guard are built on. They use no code of ours.

kernel_tests = \
	%D%/kernel-cut \
	%D%/kernel-fanotify-before \
	%D%/kernel-fanotify-lease \
	%D%/kernel-fanotify-modify \
	%D%/kernel-fanotify-number \
	%D%/kernel-fanotify-range \
	%D%/kernel-fanotify-worker \
	%D%/kernel-fork-event \
	%D%/kernel-large-folio \
	%D%/kernel-last-close \
	%D%/kernel-lease-proof \
	%D%/kernel-lease-signal \
	%D%/kernel-memfd-mode \
	%D%/kernel-mlockall \
	%D%/kernel-nowait-read \
	%D%/kernel-poison \
	%D%/kernel-private-readonly \
	%D%/kernel-reclaim \
	%D%/kernel-register-across \
	%D%/kernel-revoked-buffer \
	%D%/kernel-storm \
	%D%/kernel-unmap-waits \
	%D%/kernel-usermode \
	%D%/kernel-wp-continue \
	%D%/kernel-wp-misses-dma
check_PROGRAMS += $(kernel_tests)
TESTS += $(kernel_tests)
noinst_HEADERS += %D%/fan.h %D%/kernel.h

tests_kernel_kernel_large_folio_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
tests_kernel_kernel_large_folio_LDADD = $(URING_LIBS)
tests_kernel_kernel_revoked_buffer_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
tests_kernel_kernel_revoked_buffer_LDADD = $(URING_LIBS)
tests_kernel_kernel_wp_misses_dma_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
tests_kernel_kernel_wp_misses_dma_LDADD = $(URING_LIBS)
tests_kernel_kernel_fanotify_worker_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
tests_kernel_kernel_fanotify_worker_LDADD = $(URING_LIBS)
