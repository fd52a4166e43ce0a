#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# The units are what systemd takes them for: nothing unknown, nothing missing.
set -euo pipefail
command -v systemd-analyze >/dev/null || { echo "no systemd-analyze here"; exit 77; }
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cp "$top_srcdir/dist/mapseal.socket" "$dir/"
# verify wants the program to be there: name the one that was built
sed -e "s|@sbindir@/mapseald|$top_builddir/mapseald|" -e "s|@sysconfdir@|/etc|" \
	"$top_srcdir/dist/mapseald.service.in" >"$dir/mapseald.service"
sed -i '/^Documentation=/d' "$dir"/*
out=$(systemd-analyze verify --man=no "$dir/mapseald.service" "$dir/mapseal.socket" 2>&1) || {
	printf '%s\n' "$out"
	exit 1
}
# Other units of the machine may be faulty; ours may not be mentioned.
if grep -E "mapseal" <<<"$out"; then exit 1; fi
systemd-analyze security --offline=true --threshold=40 "$dir/mapseald.service" | tail -n 3
