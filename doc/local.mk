# SPDX-License-Identifier: LGPL-2.1-or-later

dist_man_MANS += \
	%D%/mapseal.7 \
	%D%/mapseal-matrix.7 \
	%D%/mapseald.8 \
	%D%/mapsealctl.1 \
	%D%/libmapseal.3 \
	%D%/mapseald.conf.5

EXTRA_DIST += %D%/architecture.md %D%/testing.md

# The demonstration; `make demo` runs it.
EXTRA_PROGRAMS += %D%/examples/demo
doc_examples_demo_SOURCES = \
	%D%/examples/demo.c \
	%D%/examples/actors.h %D%/examples/actors.c \
	%D%/examples/stage.h %D%/examples/stage.c
doc_examples_demo_LDADD = libmapseal.la
CLEANFILES += %D%/examples/demo

# A file server over RDMA, and who writes into it. They run where a device is: tests/guest has one.
EXTRA_DIST += %D%/examples/rdma.h %D%/examples/rdma-server.c %D%/examples/rdma-peer.c
if HAVE_RDMA
rdma_examples = %D%/examples/rdma-server %D%/examples/rdma-peer
EXTRA_PROGRAMS += $(rdma_examples)
doc_examples_rdma_server_SOURCES = %D%/examples/rdma-server.c %D%/examples/rdma.h
doc_examples_rdma_server_CFLAGS = $(AM_CFLAGS) $(RDMA_CFLAGS)
doc_examples_rdma_server_LDADD = libmapseal.la $(RDMA_LIBS)
doc_examples_rdma_peer_SOURCES = %D%/examples/rdma-peer.c %D%/examples/rdma.h
doc_examples_rdma_peer_CFLAGS = $(AM_CFLAGS) $(RDMA_CFLAGS)
doc_examples_rdma_peer_LDADD = $(RDMA_LIBS)
CLEANFILES += $(rdma_examples)
endif

.PHONY: demo
demo: mapseald$(EXEEXT) %D%/examples/demo$(EXEEXT)
	@%D%/examples/demo ./mapseald
