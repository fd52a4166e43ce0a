#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# mapseal-matrix(7) says what expected.table says; `make matrix-table` makes it so.
set -euo pipefail
bash "$top_srcdir/tests/matrix/manual.sh" "$top_srcdir/doc/mapseal-matrix.7.in" \
	"$top_srcdir/tests/matrix/expected.table" | diff -u "$top_srcdir/doc/mapseal-matrix.7" -
