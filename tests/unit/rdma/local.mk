# SPDX-License-Identifier: LGPL-2.1-or-later

rdma_tests = \
	%D%/test-decode \
	%D%/test-rdma
check_PROGRAMS += $(rdma_tests)
TESTS += $(rdma_tests)

tests_unit_rdma_test_decode_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(NL_CFLAGS)
tests_unit_rdma_test_decode_LDADD = daemon/rdma/librdma.la $(CHECK_LIBS) $(NL_LIBS)
tests_unit_rdma_test_rdma_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS) $(NL_CFLAGS)
tests_unit_rdma_test_rdma_LDADD = daemon/rdma/librdma.la $(CHECK_LIBS) $(NL_LIBS)
# the kernel's part is played by the test
tests_unit_rdma_test_rdma_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=access,--wrap=nl_connect,--wrap=nl_recv \
	-Wl,--wrap=nl_send_auto,--wrap=nl_socket_get_fd,--wrap=nl_socket_set_nonblocking
