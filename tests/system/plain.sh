#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What is printed for people: every reading command says what there is in aligned tables and human units, and watch in
# the order in which it happens.
. "$top_srcdir/tests/system/rig.sh"

head -c 300000 /dev/urandom >"$dir/file"
rig_file "$dir/file"

# The command that follows succeeds, and has a line that matches.
says() {
	local pattern=$1 text
	shift
	text=$("$@") || fail "status $?: $*"
	grep -qE -- "$pattern" <<<"$text" || fail "no '$pattern' in what $* says: $text"
}

says '^seals +0$' mapsealctl status
[ -z "$(mapsealctl list)" ] || says '^ID +OBJECT' mapsealctl list
mkfifo "$dir/held" "$dir/watched"
as_user mapsealctl hold file:4K-64K --mode read >"$dir/held" 2>&1 &
holder=$!
exec 7<"$dir/held"
read -r line <&7
[[ $line =~ ^held\ seal\ ([0-9]+):\ file\ 4K-64K\ read ]] || fail "hold said: $line"
id=${BASH_REMATCH[1]}

says '^seals +1$' mapsealctl status
says '^window memory +60 KiB$' mapsealctl status
says "^ *$id +file +4K-64K +read +window +held +1 " mapsealctl list
says '^range +4K-64K$' mapsealctl show "$id"
says '^length +60 KiB$' mapsealctl show "$id"
says ', uid 65534$' mapsealctl show "$id"
says '^supervisor +yes ' mapsealctl doctor
guard=$(mapsealctl status | sed -n 's/^guard, at best *//p')
[[ $guard =~ ^(fanotify|lease)$ ]] || fail "the guard is '$guard'"
says "^guard +yes .*\($guard, at best, says the supervisor\)" mapsealctl doctor
says "^guard +yes .*\($guard, at best\)" mapsealctl --socket "$dir/none" doctor
says '^leases +yes .*lease-break-time' mapsealctl doctor
# whether there is fanotify only root can tell, and that there is none everybody
[ "$guard" = lease ] || says '^guard +unknown ' as_user mapsealctl --socket "$dir/none" doctor
[ -z "$(mapsealctl quarantine list)" ] || fail "something is quarantined"
refused 1 '4711' mapsealctl quarantine read 4711
refused 1 '4711' mapsealctl quarantine drop 4711
says '^  quarantine ' mapsealctl --help
says '^mapsealctl [0-9]' mapsealctl --version

mapsealctl watch >"$dir/watched" &
watcher=$!
exec 8<"$dir/watched"
read -r line <&8
grep -q watching <<<"$line" || fail "watch said: $line"
says "^ *$id .* returned +fenced " mapsealctl break file
wait "$holder" || fail "hold ended with $?"
order=
while [[ $order != *break-ended* ]] && read -r _ what _ <&8; do order+="$what "; done
[ "$order" = "break-began recalled answered returned ended break-ended " ] || fail "watch told: $order"
kill "$watcher"
wait "$watcher" 2>/dev/null || true
says '^seals +0$' mapsealctl status
