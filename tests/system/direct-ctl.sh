#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# mapsealctl holds the file itself, shows its extents, which are those of filefrag, and verifies them.
. "$top_srcdir/tests/system/rig.sh"

mkdir "$dir/disk"
truncate -s 64M "$dir/image"
mkfs.ext4 -q "$dir/image"
mount -o loop "$dir/image" "$dir/disk" || { echo "cannot mount ext4 on loop here"; exit 77; }
trap 'status=$?; umount -l "$dir/disk"; rig_end "$status"' EXIT
head -c 1M /dev/urandom >"$dir/disk/file"
rig <<END # strangers are not held here, so that a promise can be broken
[daemon]
guard = cooperative
[export file]
path = $dir/disk/file
read = *
write = *
END

mkfifo "$dir/held"
as_user mapsealctl hold file:64K-1M --kind direct --mode write --json >"$dir/held" 2>&1 &
holder=$!
exec 7<"$dir/held"
read -r line <&7
query 'assert (v["event"], v["kind"]) == ("held", "direct"), v' <<<"$line"
id=$(mapsealctl --json list | query 'assert v[0]["kind"] == "direct" and v[0]["broken"] is False, v; print(v[0]["id"])')
mapsealctl show "$id" | grep -qE '^kind +direct$' || fail "show does not say direct"

# filefrag counts blocks of 1 KiB (-b1024): first, last, first physical
filefrag -v -b1024 "$dir/disk/file" >"$dir/filefrag"
as_user mapsealctl extents "$id" --json | python3 -c '
import json, re, sys
v = json.load(sys.stdin)
blocks = {}
for line in open(sys.argv[1]):
    m = re.match(r"\s*\d+:\s*(\d+)\.\.\s*(\d+):\s*(\d+)\.\.", line)
    if m:
        first, last, physical = map(int, m.groups())
        for i in range(last - first + 1):
            blocks[(first + i) * 1024] = (physical + i) * 1024
assert v[0]["offset"] == 65536 and sum(e["length"] for e in v) == (1 << 20) - 65536, v
for e in v:
    assert e["flags"] == [], e
    for i in range(0, e["length"], 1024):
        assert blocks[e["offset"] + i] == e["physical"] + i, e' "$dir/filefrag"
mapsealctl extents "$id" | head -n 1 | grep -qE 'OFFSET +PHYSICAL +LENGTH' || fail "no table"
mapsealctl verify >/dev/null || fail "nothing was broken yet"
mapsealctl verify "$id" --json | query 'assert len(v) == 1 and v[0]["kept"] and v[0]["differences"] == [], v'

fallocate -p -o 128K -l 64K "$dir/disk/file"
status=0
mapsealctl verify --json >"$dir/verify" || status=$?
[ "$status" = 1 ] || fail "status $status of a broken promise"
query 'd = v[0]["differences"][0]
assert v[0]["kept"] is False and (v[0]["bytes"], v[0]["places"]) == (65536, 1), v
assert (d["offset"], d["length"], d["now"]) == (131072, 65536, None) and d["promised"] > 0, v' <"$dir/verify"
read -r line <&7
query 'assert (v["event"], v["offset"], v["length"]) == ("broken", 131072, 65536), v' <<<"$line"
mapsealctl --json show "$id" | query 'assert v["broken"] is True, v'
mapsealctl --json break file | query 'h = v["holders"]; assert (h[0]["result"], h[0]["fence"]) == ("returned", "none"), v'
wait "$holder"
refused 7 'no seal' mapsealctl extents "$id"
