# SPDX-License-Identifier: LGPL-2.1-or-later

check_LTLIBRARIES += %D%/libsample.la
tests_unit_proto_libsample_la_SOURCES = %D%/sample.h %D%/sample.c
tests_unit_proto_libsample_la_LIBADD = proto/libproto.la

check_LTLIBRARIES += %D%/libcodec-test.la
tests_unit_proto_libcodec_test_la_SOURCES = %D%/codec-test.h %D%/codec-test.c
tests_unit_proto_libcodec_test_la_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_proto_libcodec_test_la_LIBADD = %D%/libsample.la

proto_tests = \
	%D%/test-table \
	%D%/test-str \
	%D%/test-codec \
	%D%/test-dump \
	%D%/test-malformed \
	%D%/test-unknown \
	%D%/test-frame
check_PROGRAMS += $(proto_tests)
TESTS += $(proto_tests)
EXTRA_DIST += %D%/released.list

proto_test_libs = %D%/libsample.la proto/libproto.la $(CHECK_LIBS)

tests_unit_proto_test_table_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_proto_test_table_LDADD = $(proto_test_libs)
tests_unit_proto_test_str_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_proto_test_str_LDADD = $(proto_test_libs)
tests_unit_proto_test_codec_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_proto_test_codec_LDADD = %D%/libcodec-test.la $(proto_test_libs)
tests_unit_proto_test_malformed_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_proto_test_malformed_LDADD = %D%/libcodec-test.la $(proto_test_libs)
tests_unit_proto_test_unknown_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_proto_test_unknown_LDADD = %D%/libcodec-test.la $(proto_test_libs)
tests_unit_proto_test_dump_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_proto_test_dump_LDADD = $(proto_test_libs)
tests_unit_proto_test_frame_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
tests_unit_proto_test_frame_LDADD = $(proto_test_libs)
