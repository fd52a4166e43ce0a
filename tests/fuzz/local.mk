# SPDX-License-Identifier: LGPL-2.1-or-later
#
# `make check` replays what was kept, with any compiler; `make fuzz` looks for more, with clang.

noinst_HEADERS += %D%/fuzz.h

check_PROGRAMS += %D%/replay-decode %D%/replay-session %D%/make-corpus
TESTS += %D%/replay-decode %D%/replay-session

tests_fuzz_replay_decode_SOURCES = %D%/replay.c %D%/fuzz-decode.c
tests_fuzz_replay_decode_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"decode"'
tests_fuzz_replay_decode_LDADD = proto/libproto.la

tests_fuzz_replay_session_SOURCES = %D%/replay.c %D%/fuzz-session.c \
	%D%/session-ops.h \
	%D%/session-client.c %D%/session-client.h \
	%D%/session-fds.c %D%/session-fds.h \
	%D%/session-files.c %D%/session-files.h \
	%D%/session-memory.c %D%/session-memory.h \
	%D%/session-message.c %D%/session-message.h \
	%D%/session-rig.c %D%/session-rig.h \
	tests/descriptors.h tests/descriptors.c
tests_fuzz_replay_session_CPPFLAGS = $(AM_CPPFLAGS) -DCORPUS='"session"'
tests_fuzz_replay_session_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime -Wl,--wrap=log_line
tests_fuzz_replay_session_LDADD = daemon/libsupervisor.la

tests_fuzz_make_corpus_SOURCES = %D%/make-corpus.c %D%/session-ops.h
tests_fuzz_make_corpus_LDADD = tests/unit/proto/libsample.la proto/libproto.la

EXTRA_DIST += %D%/run.sh %D%/corpus

# Shared by the targets.
FUZZ_SECONDS = 60

.PHONY: fuzz
fuzz: tests/fuzz/protocol.dict
	top_srcdir='$(abs_top_srcdir)' top_builddir='$(abs_top_builddir)' CLANG='$(CLANG)' \
		$(srcdir)/%D%/run.sh $(FUZZ_SECONDS)

clean-local: clean-fuzz
.PHONY: clean-fuzz
clean-fuzz:
	rm -rf tests/fuzz/run
