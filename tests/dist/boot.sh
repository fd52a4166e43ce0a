#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# boot.sh BUILDDIR [ROOT]: mapseal as an installed service of a booted system.
#
# What BUILDDIR would install goes into a copy of ROOT, a Debian with systemd and the libraries (without ROOT
# one is made by mmdebstrap, of this system's release), which is booted by systemd-nspawn. In it, clients of another
# uid do everything that the unit's sandbox could be in the way of. No part of `make check`: it needs root, the two
# programs, and for a new root the network. Takes half a minute; ends with "booted, served, stopped".

set -euo pipefail
top_srcdir=$(cd "$(dirname "$0")/../.." && pwd)
[ $# -ge 1 ] || { sed -n '3,9s/^# \{0,1\}//p' "$0" >&2; exit 2; }
build=$1 from=${2-}
for tool in systemd-nspawn mmdebstrap; do
	command -v "$tool" >/dev/null || { echo "no $tool here"; exit 77; }
done
[ "$(id -u)" = 0 ] || { echo "needs root"; exit 77; }

work=$(mktemp -d /var/tmp/mapseal-boot-XXXXXX)
trap 'rm -rf "$work"' EXIT
root=$work/root
if [ -n "$from" ]; then
	cp -a "$from" "$root"
else
	release=$(. /etc/os-release && echo "$VERSION_CODENAME")
	mmdebstrap -q --variant=minbase --include=systemd,procps,util-linux,liburing-dev,libinih-dev,libjson-c-dev,libnl-3-dev,libpmem-dev \
		"$release" "$root"
fi
make -s -C "$build" install DESTDIR="$root" >"$work/log" 2>&1 || { tail -n 20 "$work/log"; exit 1; }
chroot "$root" ldconfig
unit=$(find "$root" -name mapseald.service -type f | head -n 1)
[ -n "$unit" ] || { echo "no unit was installed"; exit 1; }
config=$root$(sed -n 's/^ExecStart=.* --config //p' "$unit")

# Writes through a window: by CPU, or ("kernel") by read(2) into a page that is not there yet.
cat >"$work/write.c" <<'END'
#include <fcntl.h>
#include <mapseal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	struct mapseal_options options = { .size = sizeof(options), .flags = MAPSEAL_THREAD };
	struct mapseal_request request = { .size = sizeof(request), .object = argv[1], .fd = -1,
					   .mode = MAPSEAL_WRITE };
	struct mapseal *m;
	struct mapseal_seal *seal;
	char *bytes;
	int r, fd;

	r = mapseal_connect(&options, &m);
	if (r == 0)
		r = mapseal_acquire(m, &request, &seal);
	if (r < 0) {
		fprintf(stderr, "%s\n", mapseal_last_error()->text);
		return 1;
	}
	bytes = mapseal_address(seal);
	if (argc > 2) {
		fd = open("/proc/self/comm", O_RDONLY);
		if (read(fd, bytes + 8192, 5) != 5)
			return perror("read into the window"), 1;
	} else {
		strcpy(bytes, "by CPU");
	}
	/* the supervisor follows forks, which takes CAP_SYS_PTRACE */
	if (fork() == 0)
		_exit(0);
	wait(NULL);
	r = mapseal_commit(seal, 0, mapseal_length(seal));
	mapseal_seal_free(seal);
	mapseal_close(m);
	return r < 0;
}
END
pc=$(find "$root" -name mapseal.pc)
# shellcheck disable=SC2046
"${CC:-cc}" -o "$root/write" "$work/write.c" $(PKG_CONFIG_PATH=${pc%/*} PKG_CONFIG_SYSROOT_DIR=$root \
	pkg-config --cflags --libs mapseal)

mkdir -m 0700 "$root/srv/private"
head -c 1048577 /dev/urandom >"$root/srv/private/db"
for file in kernel strict blocks; do
	head -c 65536 /dev/zero >"$root/srv/private/$file"
done
printf '#!/bin/sh\n{ cat; grep ^CapPrm: /proc/self/status; } >/run/fenced\n' >"$root/fence"
chmod 0755 "$root/fence"
cat >"$config" <<'END'
[export db]
path = /srv/private/db
read = *
write = *
[export kernel]
path = /srv/private/kernel
read = *
write = *
kernel-faults = *
[export strict]
path = /srv/private/strict
read = *
write = *
strict = yes
[export blocks]
path = /srv/private/blocks
read = *
write = *
fence-helper = /fence
[export late]
path = /mnt/theirs
read = *
write = *
[export directory]
directory = /srv/private
read = *
write = *
END

cp "$top_srcdir/tests/dist/boot-inside.sh" "$root/inside.sh"
mkdir -p "$root/etc/systemd/system/mapseald.service.d"
printf '[Service]\nWatchdogSec=2s\n' >"$root/etc/systemd/system/mapseald.service.d/watchdog.conf"
cat >"$root/etc/systemd/system/inside.service" <<'END'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /inside.sh
StandardOutput=file:/inside.log
StandardError=file:/inside.log
ExecStopPost=systemctl --force exit
END
cat >"$root/etc/systemd/system/inside.target" <<'END'
[Unit]
Requires=multi-user.target
Wants=inside.service
AllowIsolate=yes
END
ln -sf inside.target "$root/etc/systemd/system/default.target"
chroot "$root" systemctl -q enable mapseal.socket

device=()
[ ! -e /dev/userfaultfd ] || device=(--bind=/dev/userfaultfd)
SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1 timeout -s KILL 120 systemd-nspawn -q -D "$root" --boot --register=no --keep-unit \
	--private-network --console=pipe "${device[@]}" --system-call-filter='userfaultfd io_uring_setup io_uring_enter
	io_uring_register process_vm_readv fanotify_init fanotify_mark' </dev/null >"$work/console" 2>&1 || true
cat "$root/inside.log" 2>/dev/null || tail -n 20 "$work/console"
[ "$(tail -n 1 "$root/inside.log" 2>/dev/null)" = "booted, served, stopped" ]
