# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Everything about windows, as `make check` runs it.

sysctl -q vm.unprivileged_userfaultfd=0
run tests/guest/doctor bash "$top_srcdir/tests/guest/doctor.sh"
for test in $GUEST_TESTS; do
	case $test in
	*.sh) run "${test%.sh}" bash "$top_srcdir/$test" ;;
	*) run "$test" "$(built "$test")" ;;
	esac
done
