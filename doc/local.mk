# SPDX-License-Identifier: LGPL-2.1-or-later

dist_man_MANS += \
	%D%/mapseal.7 \
	%D%/mapseal-matrix.7 \
	%D%/mapseald.8 \
	%D%/mapsealctl.1 \
	%D%/libmapseal.3 \
	%D%/mapseald.conf.5

EXTRA_DIST += %D%/architecture.md

# The demonstration; `make demo` runs it.
EXTRA_PROGRAMS += %D%/examples/demo
doc_examples_demo_SOURCES = \
	%D%/examples/demo.c \
	%D%/examples/actors.h %D%/examples/actors.c \
	%D%/examples/stage.h %D%/examples/stage.c
doc_examples_demo_LDADD = libmapseal.la
CLEANFILES += %D%/examples/demo

.PHONY: demo
demo: mapseald$(EXEEXT) %D%/examples/demo$(EXEEXT)
	@%D%/examples/demo ./mapseald
