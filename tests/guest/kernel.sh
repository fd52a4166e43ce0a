#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# kernel.sh SUITE DIR: puts the kernel that Debian's SUITE calls linux-image-amd64 into DIR, as vmlinuz and
# lib/modules/VERSION. The packages are fetched by apt with lists of their own and unpacked; nothing is installed, and
# the system's sources are read only for the name of its mirror. What is in DIR already is taken as it is, without
# asking the network; to have a newer one, remove DIR. 77: not there, and cannot be fetched.

set -euo pipefail
suite=$1 dir=$2
[ ! -e "$dir/vmlinuz" ] || exit 0

mkdir -p "${dir%/*}"
work=$(mktemp -d "${dir%/*}/fetch-XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/{lists/partial,archives/partial,unpacked}

mirror=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null |
	grep -Eo 'https?://[^ ]*/debian/?( |$)' | head -n 1) || true
[ -n "$mirror" ] || { echo "no kernel of $suite in $dir, and no Debian mirror in apt's sources to fetch one from"; exit 77; }
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $suite main" >"$work/sources.list"
apt_options=(
	-o Dir::Etc::SourceList="$work/sources.list" -o Dir::Etc::SourceParts=/dev/null
	-o Dir::State::Lists="$work/lists" -o Dir::State::Status=/dev/null
	-o Dir::Cache::Archives="$work/archives" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
	-o APT::Sandbox::User=root -o Acquire::Retries=2 -o Acquire::http::Timeout=20
)
apt-get "${apt_options[@]}" -qq update -o APT::Update::Error-Mode=any || {
	echo "no kernel of $suite in $dir, and no network to fetch one from $mirror"
	exit 77
}

# The image, and the packages that newer releases have split off from it.
mapfile -t packages < <(apt-cache "${apt_options[@]}" depends --recurse --no-recommends --no-suggests \
	--no-conflicts --no-breaks --no-replaces --no-enhances linux-image-amd64 |
	grep -E '^linux-(image|binary|modules|base)-[0-9]' | sort -u)
[ ${#packages[@]} -gt 0 ] || { echo "$suite has no linux-image-amd64 at $mirror"; exit 1; }
echo "fetching ${packages[*]} of $suite"
(cd "$work/archives" && apt-get "${apt_options[@]}" -qq download "${packages[@]}")
for package in "$work"/archives/*.deb; do
	dpkg-deb -x "$package" "$work/unpacked"
done

modules=$(find "$work/unpacked" -path '*lib/modules/*/kernel' -prune -print | head -n 1)
modules=${modules%/kernel}
vmlinuz=$(find "$work/unpacked" -name 'vmlinuz*' -type f | head -n 1)
[ -n "$modules" ] && [ -n "$vmlinuz" ] || { echo "no kernel in ${packages[*]}"; exit 1; }
mkdir -p "$work/kernel/lib/modules"
mv "$vmlinuz" "$work/kernel/vmlinuz"
mv "$modules" "$work/kernel/lib/modules/"
depmod -b "$work/kernel" "${modules##*/}"
chmod 0755 "$work/kernel"
rm -rf "$dir"
mv "$work/kernel" "$dir"
