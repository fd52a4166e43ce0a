#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What boot.sh runs in the booted system, as a service of its own.
set -euo pipefail

fail() { printf 'failed: %s\n' "$*"; journalctl -u mapseald --no-pager -o cat || true; exit 1; }
as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups "$@"; }
state() { systemctl show -p "$1" --value mapseald.service; }

# Runs mapsealctl hold as the user in the background, until it holds: holding OBJECT MODE
holding() {
	: >/run/held
	setpriv --reuid 65534 --regid 65534 --clear-groups mapsealctl hold "$1" --mode "$2" >/run/held 2>&1 &
	holder=$!
	until grep -q ^held /run/held; do kill -0 "$holder" || fail "hold: $(cat /run/held)"; done
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
