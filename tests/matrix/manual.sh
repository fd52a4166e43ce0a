#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# manual.sh TEMPLATE TABLE: mapseal-matrix(7) to standard output. The template's line "@matrix@" becomes the table, a
# subsection for each file system and seal.
set -euo pipefail
template=$1 table=$2

declare -A proper=([ext4]=ext4 [xfs]=XFS [btrfs]=btrfs [tmpfs]=tmpfs)

sections() {
	local line disk open=
	while IFS= read -r line; do
		case $line in
		"= "*)
			[ -z "$open" ] || echo ".Ed"
			line=${line#= }
			disk=${line%%,*}
			printf '.Ss %s, %s\n.Bd -literal\n' "${proper[$disk]}" "${line#*, }"
			open=yes
			;;
		*)
			# a line in a literal block: no escapes, no space at its end
			line=${line/#\#/ }
			sed -e 's/ *$//' -e 's/-/\\-/g' <<<"$line"
			;;
		esac
	done <"$table"
	echo ".Ed"
}

while IFS= read -r line; do
	if [ "$line" = "@matrix@" ]; then
		sections
	else
		printf '%s\n' "$line"
	fi
done <"$template"
