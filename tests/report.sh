#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# report.sh SKIPS BUILDDIR [WHERE]: sums up what `make check` left behind, in a build with the sanitizer WHERE or in a guest
# with that kernel. A test that was skipped is shown with its reason; unless SKIPS names it (see there), that is a failure.
# The last line counts.

set -euo pipefail
skips=$(realpath "$1")
where=${3:-no}
cd "$2"

# Does the list give test $1 leave to be skipped in this build?
is_explained() {
	sed 's/#.*//' "$skips" | awk -v name="$1" -v where="$where" '
		$1 == name && NF == 1 { found = 1 }
		$1 == name && $2 == "in" { for (i = 3; i <= NF; i++) if ($i == where) found = 1 }
		END { exit !found }'
}

passed=0 failed=0 skipped=0 status=0
while read -r trs; do
	name=${trs#./}
	name=${name%.trs}
	while read -r result; do
		case $result in
		PASS | XFAIL) passed=$((passed + 1)) ;;
		SKIP)
			skipped=$((skipped + 1))
			reason=$(tail -n 1 "$name.log" 2>/dev/null || true)
			if is_explained "$name"; then
				echo "skipped, as explained: $name: $reason"
			else
				echo "skipped, and nobody explained it: $name: $reason"
				status=1
			fi
			;;
		*)
			failed=$((failed + 1))
			echo "failed: $name (see $name.log)"
			tail -n 40 "$name.log" | sed 's/^/    /' || true
			status=1
			;;
		esac
	done < <(sed -n 's/^:test-result: *//p' "$trs" | awk '{print $1}')
# the guests' are in reports of their own
done < <(find . -path ./guest -prune -o -name '*.trs' -print | sort)

[ $((passed + failed)) -gt 0 ] || { echo "no test ran"; status=1; }
echo "$passed passed, $failed failed, $skipped skipped"
exit "$status"
