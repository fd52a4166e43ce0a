# SPDX-License-Identifier: LGPL-2.1-or-later
#
# One behaviour a file. Programs fork their actors, so they need no other uid to reach them.

check_LTLIBRARIES += %D%/librig.la
tests_system_librig_la_SOURCES = \
	%D%/rig.h %D%/rig.c \
	%D%/actor.c \
	%D%/freeze.c \
	%D%/loopdev.c \
	%D%/raw.h %D%/raw.c \
	tests/touch.h tests/touch.c \
	tests/descriptors.h tests/descriptors.c
tests_system_librig_la_LIBADD = libmapseal.la proto/libproto.la

check_LTLIBRARIES += %D%/libdevice.la
tests_system_libdevice_la_SOURCES = %D%/device.h %D%/device.c
tests_system_libdevice_la_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
tests_system_libdevice_la_LIBADD = %D%/librig.la $(URING_LIBS)

check_LTLIBRARIES += %D%/libdirect.la
tests_system_libdirect_la_SOURCES = %D%/direct.h %D%/direct.c
tests_system_libdirect_la_LIBADD = %D%/librig.la

check_LTLIBRARIES += %D%/libstranger.la
tests_system_libstranger_la_SOURCES = %D%/stranger.h %D%/stranger.c
tests_system_libstranger_la_LIBADD = %D%/librig.la

check_PROGRAMS += %D%/supervise
tests_system_supervise_LDADD = %D%/librig.la

# A supervisor that the kernel tells nothing of RDMA devices.
check_PROGRAMS += %D%/mute-kernel
tests_system_mute_kernel_SOURCES = daemon/mapseald.c %D%/mute-kernel.c
tests_system_mute_kernel_CFLAGS = $(AM_CFLAGS) $(SYSTEMD_CFLAGS)
tests_system_mute_kernel_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=rdma_next
tests_system_mute_kernel_LDADD = daemon/libsupervisor.la $(SYSTEMD_LIBS)

system_programs = \
	%D%/abandoned-proofs \
	%D%/anonymous-object \
	%D%/answer-delay \
	%D%/bad-address \
	%D%/bad-attach \
	%D%/bad-frame \
	%D%/bad-range \
	%D%/bad-seq \
	%D%/denied \
	%D%/descriptor-proof \
	%D%/direct-and-window \
	%D%/direct-broken \
	%D%/direct-broken-flood \
	%D%/direct-extents \
	%D%/direct-own-copy \
	%D%/direct-recall \
	%D%/direct-refused \
	%D%/direct-revoked \
	%D%/direct-stuck \
	%D%/directory-export \
	%D%/enter-holds-recall \
	%D%/error-texts \
	%D%/exec-while-holding \
	%D%/export-deadlines \
	%D%/foreign-read \
	%D%/fork-while-holding \
	%D%/frozen-disk-break \
	%D%/frozen-disk-commit \
	%D%/frozen-disk-patience \
	%D%/full-disk \
	%D%/guard-deny \
	%D%/guard-direct-beside \
	%D%/guard-direct-cycle \
	%D%/guard-direct-overwrite \
	%D%/guard-each-other \
	%D%/guard-flood \
	%D%/guard-holder-dies \
	%D%/guard-killed \
	%D%/guard-late-write \
	%D%/guard-lease \
	%D%/guard-lease-direct \
	%D%/guard-opens \
	%D%/guard-loop \
	%D%/guard-own-access \
	%D%/guard-lease-export \
	%D%/guard-own-layout \
	%D%/guard-partial \
	%D%/guard-read-flush \
	%D%/guard-regrant \
	%D%/guard-silent \
	%D%/guard-settle \
	%D%/guard-strict \
	%D%/guard-supervisor-dies \
	%D%/guard-write \
	%D%/guard-writer-stays \
	%D%/hard-seal \
	%D%/hard-travelled \
	%D%/hold-expires \
	%D%/holder-death \
	%D%/huge-pages \
	%D%/madvise-storm \
	%D%/madvise-storm-flush \
	%D%/madvise-storm-regrant \
	%D%/map-will-change \
	%D%/max-io \
	%D%/memory-owner \
	%D%/memory-pressure \
	%D%/mlockall \
	%D%/one-process-two-seals \
	%D%/one-reader-leaves \
	%D%/partial-return \
	%D%/pinned \
	%D%/quota \
	%D%/read-ahead \
	%D%/readers-share-memory \
	%D%/recall-64-holders \
	%D%/recall-any \
	%D%/recall-cooperative \
	%D%/recall-silent \
	%D%/recall-transparent \
	%D%/return-is-late \
	%D%/revoke-park \
	%D%/registrations-late \
	%D%/rights-apart \
	%D%/rogue-memory \
	%D%/rogue-remap \
	%D%/seal-avail \
	%D%/size-frozen \
	%D%/socket-activation \
	%D%/stress \
	%D%/supervisor-dies \
	%D%/system-calls \
	%D%/truncate-sigbus \
	%D%/visibility \
	%D%/write-commit
system_scripts = \
	%D%/break-command.sh \
	%D%/direct-ctl.sh \
	%D%/errors.sh \
	%D%/guard-hold.sh \
	%D%/hold-command.sh \
	%D%/json.sh \
	%D%/plain.sh \
	%D%/read-sha256.sh \
	%D%/socket-activate.sh

check_PROGRAMS += $(system_programs)
TESTS += $(system_programs) $(system_scripts)
EXTRA_DIST += %D%/rig.sh $(system_scripts)

tests_system_abandoned_proofs_LDADD = %D%/librig.la
tests_system_anonymous_object_LDADD = %D%/librig.la
tests_system_answer_delay_LDADD = %D%/librig.la
tests_system_bad_address_LDADD = %D%/librig.la
tests_system_bad_attach_LDADD = %D%/librig.la
tests_system_bad_frame_LDADD = %D%/librig.la
tests_system_bad_range_LDADD = %D%/librig.la
tests_system_bad_seq_LDADD = %D%/librig.la
tests_system_denied_LDADD = %D%/librig.la
tests_system_descriptor_proof_LDADD = %D%/librig.la
tests_system_direct_and_window_LDADD = %D%/libdirect.la
tests_system_direct_broken_LDADD = %D%/libdirect.la
tests_system_direct_broken_flood_LDADD = %D%/libdirect.la
tests_system_direct_extents_LDADD = %D%/libdirect.la
tests_system_direct_own_copy_LDADD = %D%/libdirect.la
tests_system_direct_recall_LDADD = %D%/libdirect.la
tests_system_direct_refused_LDADD = %D%/libdirect.la
tests_system_direct_revoked_LDADD = %D%/libdirect.la
tests_system_direct_stuck_LDADD = %D%/libdirect.la
tests_system_directory_export_LDADD = %D%/librig.la
tests_system_enter_holds_recall_LDADD = %D%/librig.la
tests_system_error_texts_LDADD = %D%/librig.la
tests_system_exec_while_holding_LDADD = %D%/librig.la
tests_system_export_deadlines_LDADD = %D%/librig.la
tests_system_foreign_read_LDADD = %D%/librig.la
tests_system_fork_while_holding_LDADD = %D%/librig.la
tests_system_frozen_disk_break_LDADD = %D%/librig.la
tests_system_frozen_disk_commit_LDADD = %D%/librig.la
tests_system_frozen_disk_patience_LDADD = %D%/librig.la
tests_system_full_disk_LDADD = %D%/librig.la
tests_system_guard_deny_LDADD = %D%/libstranger.la
tests_system_guard_direct_beside_LDADD = %D%/libstranger.la %D%/libdirect.la
tests_system_guard_direct_cycle_LDADD = %D%/libstranger.la %D%/libdirect.la
tests_system_guard_direct_overwrite_LDADD = %D%/libstranger.la %D%/libdirect.la
tests_system_guard_each_other_LDADD = %D%/libstranger.la
tests_system_guard_flood_LDADD = %D%/libstranger.la
tests_system_guard_holder_dies_LDADD = %D%/libstranger.la
tests_system_guard_killed_LDADD = %D%/libstranger.la
tests_system_guard_late_write_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
tests_system_guard_late_write_LDADD = %D%/libstranger.la $(URING_LIBS)
tests_system_guard_lease_LDADD = %D%/libstranger.la
tests_system_guard_lease_direct_LDADD = %D%/libstranger.la %D%/libdirect.la
tests_system_guard_loop_LDADD = %D%/libstranger.la
tests_system_guard_opens_LDADD = %D%/libstranger.la
tests_system_guard_own_access_LDADD = %D%/libstranger.la
tests_system_guard_lease_export_LDADD = %D%/libstranger.la
tests_system_guard_own_layout_LDADD = %D%/libstranger.la
tests_system_guard_partial_LDADD = %D%/libstranger.la
tests_system_guard_read_flush_LDADD = %D%/libstranger.la
tests_system_guard_regrant_LDADD = %D%/libstranger.la
tests_system_guard_silent_LDADD = %D%/libstranger.la
tests_system_guard_settle_LDADD = %D%/libstranger.la
tests_system_guard_strict_LDADD = %D%/libstranger.la
tests_system_guard_supervisor_dies_LDADD = %D%/libstranger.la
tests_system_guard_write_LDADD = %D%/libstranger.la
tests_system_guard_writer_stays_LDADD = %D%/libstranger.la
tests_system_hard_seal_LDADD = %D%/librig.la
tests_system_hard_travelled_LDADD = %D%/librig.la
tests_system_hold_expires_LDADD = %D%/librig.la
tests_system_holder_death_LDADD = %D%/librig.la
tests_system_huge_pages_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
tests_system_huge_pages_LDADD = %D%/libdevice.la
tests_system_madvise_storm_LDADD = %D%/librig.la
tests_system_madvise_storm_flush_LDADD = %D%/librig.la
tests_system_madvise_storm_regrant_LDADD = %D%/libstranger.la
tests_system_map_will_change_LDADD = %D%/librig.la
tests_system_max_io_LDADD = %D%/librig.la
tests_system_memory_owner_LDADD = %D%/librig.la
tests_system_memory_pressure_LDADD = %D%/librig.la
tests_system_mlockall_LDADD = %D%/librig.la
tests_system_one_process_two_seals_LDADD = %D%/librig.la
tests_system_one_reader_leaves_LDADD = %D%/librig.la
tests_system_partial_return_LDADD = %D%/librig.la
tests_system_pinned_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
tests_system_pinned_LDADD = %D%/libdevice.la
tests_system_quota_LDADD = %D%/librig.la
tests_system_read_ahead_LDADD = %D%/librig.la
tests_system_readers_share_memory_LDADD = %D%/librig.la
tests_system_recall_64_holders_LDADD = %D%/librig.la
tests_system_recall_any_LDADD = %D%/librig.la
tests_system_recall_cooperative_LDADD = %D%/librig.la
tests_system_recall_silent_LDADD = %D%/librig.la
tests_system_recall_transparent_LDADD = %D%/librig.la
tests_system_return_is_late_LDADD = %D%/librig.la
tests_system_revoke_park_LDADD = %D%/librig.la
tests_system_registrations_late_LDADD = %D%/librig.la
tests_system_rights_apart_LDADD = %D%/librig.la
tests_system_rogue_memory_LDADD = %D%/librig.la
tests_system_rogue_remap_LDADD = %D%/librig.la
tests_system_seal_avail_LDADD = %D%/librig.la
tests_system_size_frozen_LDADD = %D%/librig.la
tests_system_socket_activation_LDADD = %D%/librig.la
tests_system_stress_LDADD = %D%/librig.la
tests_system_supervisor_dies_LDADD = %D%/librig.la
tests_system_system_calls_LDADD = %D%/librig.la
tests_system_truncate_sigbus_LDADD = %D%/librig.la
tests_system_visibility_LDADD = %D%/librig.la
tests_system_write_commit_LDADD = %D%/librig.la
