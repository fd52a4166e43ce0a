#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What boot.sh runs in the booted system, as a service of its own.
set -euo pipefail

fail() { printf 'failed: %s\n' "$*"; journalctl -u mapseald --no-pager -o cat || true; exit 1; }
as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
state() { systemctl show -p "$1" --value mapseald.service; }

# Runs mapsealctl hold as the user in the background, until it holds: holding OBJECT MODE [OPTION...]
holding() {
	: >/run/held
	setpriv --reuid 65534 --regid 65534 --clear-groups mapsealctl hold "$1" --mode "${@:2}" >/run/held 2>&1 &
	holder=$!
	until grep -q ^held /run/held; do kill -0 "$holder" || fail "hold: $(cat /run/held)"; done
}

# What was needed once is gone: CAP_SYS_ADMIN is bit 21. Standard input is a /proc/PID/status.
without_sys_admin() {
	local capabilities
	capabilities=$(sed -n 's/^CapPrm:[[:space:]]*//p')
	[ $((0x$capabilities >> 21 & 1)) = 0 ] || fail "$1: CAP_SYS_ADMIN was kept: $capabilities"
}

# the socket is there at boot, the service when somebody connects
[ "$(state ActiveState)" = inactive ] || fail "the service runs before anybody asked for it"
as_user mapsealctl status >/dev/null || fail "nobody answers at the socket"
[ "$(state ActiveState)" = active ] || fail "the service is $(state ActiveState)"
first=$(state MainPID)

as_user cat /srv/private/db 2>/dev/null && fail "the file can be opened: nothing would be shown"
[ "$(as_user mapsealctl cat db | sha256sum)" = "$(sha256sum </srv/private/db)" ] || fail "a READ window shows other bytes"
[ "$(as_user mapsealctl cat directory/db | sha256sum)" = "$(sha256sum </srv/private/db)" ] || fail "nothing below a directory"
cp /srv/private/db /tmp/own
chown 65534 /tmp/own
chmod 0600 /tmp/own
[ "$(as_user mapsealctl cat /tmp/own | sha256sum)" = "$(sha256sum </tmp/own)" ] || fail "no file by its descriptor"
# what is mounted after the service began is within its reach
mount -t tmpfs late /mnt
head -c 100000 /dev/zero >/mnt/late
[ "$(as_user mapsealctl cat /mnt/late | wc -c)" = 100000 ] || fail "no file on a late mount"
# ... and held by a lease, for which a file of somebody else takes CAP_LEASE
head -c 8192 /dev/zero >/mnt/theirs
chown 65534 /mnt/theirs
holding late read
mapsealctl list | grep -q lease || fail "no guard by a lease: $(mapsealctl list)"
: >/mnt/theirs || fail "not to be opened under a lease"
wait "$holder"
grep -q ^returned /run/held || fail "nobody was asked for what a lease guards: $(cat /run/held)"
as_user mapsealctl quarantine list >/dev/null
umount /mnt || fail "the supervisor keeps a mount busy"
echo "read: an export, below a directory, by descriptor, on a late mount"

as_user /write db || fail "no write through a window"
[ "$(head -c 6 /srv/private/db)" = "by CPU" ] || fail "what was committed is not in the file"
if [ -e /dev/userfaultfd ]; then
	as_user /write kernel kernel || fail "no system call on an absent page"
	[ "$(dd if=/srv/private/kernel bs=1 skip=8192 count=5 status=none)" = write ] || fail "nor is what read(2) wrote"
	echo "written and committed: by CPU, and by the kernel into a page that was not there"
else
	echo "written and committed: by CPU (there is no /dev/userfaultfd here)"
fi

holding db read
mapsealctl break db -- truncate -s 8192 /srv/private/db 2>/run/account || fail "break: $(cat /run/account)"
wait "$holder"
grep -q returned /run/account || fail "no account: $(cat /run/account)"
holding db write
kill -STOP "$holder"
mapsealctl break db -- true 2>/run/account || fail "break: $(cat /run/account)"
grep -q revoked /run/account || fail "no account: $(cat /run/account)"
kill -CONT "$holder"
wait "$holder" || true
echo "recalled, and revoked"

# programs that have never heard of it
case $(stat -f -c %T /srv/private) in
ext2/ext3 | xfs | btrfs)
	guard=lease
	mapsealctl doctor | grep -q '^fanotify-pre-content  *yes' && guard=fanotify
	;;
*) guard=none ;;
esac
if [ "$guard" != none ]; then
	holding db write
	mapsealctl list | grep -q "$guard" || fail "no guard by $guard: $(mapsealctl list)"
	truncate -s 4096 /srv/private/db || fail "truncate: denied"
	wait "$holder"
	grep -q ^returned /run/held || fail "truncate was not held: $(cat /run/held)"
	[ "$(stat -c %s /srv/private/db)" = 4096 ] || fail "truncate was not let go"
	exec 3>>/srv/private/strict
	as_user mapsealctl hold strict 2>/run/refused 3>&- && fail "a strict seal beside an outsider"
	grep -qw "pid $$" /run/refused || fail "it is not named: $(cat /run/refused)"
	exec 3>&-
	holding strict read
	mapsealctl break strict >/dev/null || fail "a strict seal can't be recalled"
	wait "$holder"
fi
if [ "$guard" = fanotify ]; then
	journalctl -u mapseald --no-pager -o cat | grep -q 'truncate by pid [0-9]* (truncate, uid 0)' || fail "truncate is not named"
	as_user mapsealctl hold db --hard 2>/run/refused && fail "a hard seal for everybody"
	mapsealctl hold db --hard -- truncate -s 0 /srv/private/db 2>/run/denied && fail "a hard seal denies nobody"
	grep -q 'Text file busy' /run/denied || fail "truncate was not denied: $(cat /run/denied)"
fi
echo "held: an open by lease, truncate by $guard"

case $(stat -f -c %T /srv/private) in
ext2/ext3 | xfs)
	holding blocks write --kind direct
	id=$(sed -n 's/^held seal \([0-9]*\):.*/\1/p' /run/held)
	[ "$(mapsealctl extents "$id" | wc -l)" -ge 2 ] || fail "no extents"
	mapsealctl verify "$id" >/dev/null || fail "the promise is broken"
	kill -STOP "$holder"
	fallocate --punch-hole --offset 0 --length 4096 /srv/private/blocks
	kill -CONT "$holder"
	wait "$holder" || true
	grep -q '^0 [0-9]* 65536$' /run/fenced || fail "the fence helper was not told: $(cat /run/fenced)"
	without_sys_admin "fence helper" </run/fenced
	echo "DIRECT: extents, verified, revoked and fenced"
	;;
esac

without_sys_admin supervisor <"/proc/$first/status"
# memory pressure of the service itself is heard of
pressure=/sys/fs/cgroup/system.slice/mapseald.service/memory.pressure
[ ! -e "$pressure" ] || readlink "/proc/$first/fd/"* | grep -qx "$pressure" || fail "$pressure is not watched"

# the watchdog is fed: three times
last=$(state WatchdogTimestampMonotonic)
for _ in 1 2 3; do
	until [ "$(state WatchdogTimestampMonotonic)" != "$last" ]; do
		[ "$(state MainPID)" = "$first" ] || fail "the service is not the one that began"
	done
	last=$(state WatchdogTimestampMonotonic)
done
echo "watched"

holding db write
systemctl stop mapseald.service mapseal.socket
[ "$(state Result) $(state ExecMainStatus) $(state NRestarts)" = "success 0 0" ] ||
	fail "stopped with $(state Result), $(state ExecMainStatus), restarts $(state NRestarts)"
kill "$holder" 2>/dev/null || true
wait "$holder" || true
[ ! -e /run/mapseal/mapseal.sock ] || fail "the socket is left behind"

# killed, it is started again
systemctl start mapseal.socket
as_user mapsealctl status >/dev/null || fail "not to be started again"
kill -KILL "$(state MainPID)"
until [ "$(state NRestarts) $(state ActiveState)" = "1 active" ]; do :; done
as_user mapsealctl status >/dev/null || fail "nobody answers after a restart"
systemctl stop mapseald.service mapseal.socket

if journalctl -u mapseald -p warning --no-pager -o cat | grep -iE 'not permitted|not implemented|can.t be'; then
	fail "the sandbox is in the way"
fi
echo "booted, served, stopped"
