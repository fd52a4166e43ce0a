# SPDX-License-Identifier: LGPL-2.1-or-later

noinst_LTLIBRARIES += %D%/libproto.la
proto_libproto_la_SOURCES = \
	%D%/messages.def \
	%D%/proto.h \
	%D%/table.h %D%/table.c \
	%D%/str.h %D%/str.c \
	%D%/codec.c \
	%D%/dump.c \
	%D%/fdlist.h %D%/fdlist.c \
	%D%/frame.h %D%/frame.c

noinst_PROGRAMS += %D%/generate
proto_generate_SOURCES = %D%/generate.c
proto_generate_LDADD = %D%/libproto.la

# Both are made where the build is and depend on nothing but the table.
man_MANS += doc/mapseal-protocol.7
noinst_DATA += tests/fuzz/protocol.dict
CLEANFILES += doc/mapseal-protocol.7 tests/fuzz/protocol.dict

doc/mapseal-protocol.7: %D%/generate$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) doc && %D%/generate --man >$@.tmp && mv $@.tmp $@

tests/fuzz/protocol.dict: %D%/generate$(EXEEXT)
	$(AM_V_GEN)$(MKDIR_P) tests/fuzz && %D%/generate --dictionary >$@.tmp && mv $@.tmp $@
