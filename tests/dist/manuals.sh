#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# Every manual page is there, and clean.
set -euo pipefail
command -v mandoc >/dev/null || { echo "no mandoc here"; exit 77; }
status=0
for page in mapseal.7 mapseal-matrix.7 mapseald.8 mapsealctl.1 libmapseal.3 mapseald.conf.5 mapseal-protocol.7; do
	file=$top_srcdir/doc/$page
	[ -e "$file" ] || file=$top_builddir/doc/$page
	# Only pages that are installed, and known to its database, resolve as cross references.
	out=$(mandoc -Tlint "$file" 2>&1 | grep -v 'referenced manual not found\|outdated mandoc.db' || true)
	[ -z "$out" ] || { printf '%s\n' "$out"; status=1; }
	[ -s "$file" ] || { echo "$page is missing"; status=1; }
done
exit $status
