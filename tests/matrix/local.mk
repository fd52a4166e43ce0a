# SPDX-License-Identifier: LGPL-2.1-or-later
#
# What each guard catches, every cell performed for real. `make check-matrix` prints it and holds it
# against expected.table; `make matrix-table` writes that anew, and the manual page made of it.

EXTRA_PROGRAMS += %D%/matrix
tests_matrix_matrix_SOURCES = \
	%D%/matrix.c \
	%D%/table.h %D%/table.c \
	%D%/cell.h %D%/cell.c \
	%D%/holder.c \
	%D%/operations.h %D%/operations.def %D%/operations.c \
	%D%/functions.h \
	%D%/op-write.c %D%/op-map.c %D%/op-name.c %D%/op-layout.c %D%/op-uring.c %D%/op-device.c
tests_matrix_matrix_CFLAGS = $(AM_CFLAGS) $(URING_CFLAGS)
tests_matrix_matrix_LDADD = tests/system/librig.la $(URING_LIBS)
EXTRA_DIST += %D%/expected.table %D%/manual.sh doc/mapseal-matrix.7.in
CLEANFILES += %D%/matrix check-matrix.log

# What the supervisors say of it, they say in check-matrix.log.
.PHONY: check-matrix
check-matrix: %D%/matrix$(EXEEXT) mapseald$(EXEEXT)
	@$(AM_TESTS_ENVIRONMENT) %D%/matrix $(srcdir)/%D%/expected.table 2>check-matrix.log

.PHONY: matrix-table
matrix-table: %D%/matrix$(EXEEXT) mapseald$(EXEEXT)
	$(AM_TESTS_ENVIRONMENT) %D%/matrix --write new.table 2>check-matrix.log >new.table
	mv new.table $(srcdir)/%D%/expected.table
	bash $(srcdir)/%D%/manual.sh $(srcdir)/doc/mapseal-matrix.7.in $(srcdir)/%D%/expected.table \
		>$(srcdir)/doc/mapseal-matrix.7
