#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# --json keeps its word: the names and values that mapsealctl(1) documents as stable.
. "$top_srcdir/tests/system/rig.sh"

head -c 65536 /dev/zero >"$dir/file"
# nobody is revoked while this machine is busy with looking
rig_file "$dir/file" 'deadline-ms = 60000' 'hard-ms = 60000'

[ "$(mapsealctl --json list)" = "[]" ] || mapsealctl --json list | query 'assert v == [], v'
mkfifo "$dir/held"
as_user mapsealctl hold file:4K-32K --mode read >"$dir/held" 2>&1 &
holder=$!
exec 7<"$dir/held"
read -r _ <&7

mapsealctl --json watch >"$dir/watch" &
watcher=$!

mapsealctl --json list | query '
assert len(v) == 1, v
s = v[0]
assert set("id object offset length mode kind state seq guard holder".split()) <= set(s), s
assert (s["object"], s["offset"], s["length"]) == ("file", 4096, 28672), s
assert (s["mode"], s["kind"], s["state"], s["seq"]) == ("read", "window", "held", 1), s
assert s["guard"] in ("fanotify", "lease"), s # as the kernel has it
assert s["holder"]["uid"] == 65534 and s["holder"]["pid"] > 0 and s["holder"]["comm"], s'
id=$(mapsealctl --json list | query 'print(v[0]["id"])')
mapsealctl --json show "$id" | query "assert v['id'] == $id, v"
mapsealctl --json status | query 'assert v["seals"] == 1 and v["sessions"] >= 1 and v["version"], v'
mapsealctl --json doctor | query '
assert isinstance(v, list) and len(v) > 5, v
assert all({"name", "state", "consequence"} <= set(c) for c in v), v'
# until the watcher has subscribed there would be nothing to see: it is one of two sessions more
until mapsealctl --json status | query 'sys.exit(v["sessions"] < 3)'; do :; done
mapsealctl --json break file --wait 5000 | query '
assert v["outcome"] == "granted" and v["ms"] >= 0, v
h = v["holders"]
assert len(h) == 1, v
assert {"pid", "seal", "result", "fence", "ms"} <= set(h[0]), v
assert (h[0]["result"], h[0]["fence"]) == ("returned", "fenced"), v'
wait "$holder"
until grep -q '"ended"' "$dir/watch"; do :; done
kill "$watcher"
wait "$watcher" 2>/dev/null || true
python3 -c '
import json, sys
changes = [json.loads(line)["change"] for line in open(sys.argv[1])]
wanted = ["recalled", "returned", "ended"]
assert [c for c in changes if c in wanted] == wanted, changes' "$dir/watch"

# who waits for whom, at any moment: a break in the way of which somebody is who does not answer
mkfifo "$dir/silent"
as_user mapsealctl hold file --mode write >"$dir/silent" 2>&1 &
exec 8<"$dir/silent"
read -r _ <&8
pid=$(mapsealctl --json list | query 'print(v[0]["holder"]["pid"])')
kill -STOP "$pid"
mapsealctl --json break file:0-8K >"$dir/account" &
breaker=$!
until mapsealctl --json list --breaks | query 'sys.exit(not v or v[0]["holders"][0]["result"] != "pending")'; do :; done
mapsealctl --json list --breaks | query "
assert len(v) == 1, v
b = v[0]
assert (b['object'], b['offset'], b['length'], b['want']) == ('file', 0, 8192, 'layout'), b
assert (b['type'], b['state'], b['by']['uid']) == ('break', 'waiting', 0), b
assert len(b['holders']) == 1 and b['holders'][0]['pid'] == $pid, b"
mapsealctl --json list | query 'assert v[0]["state"] == "recalled" and v[0]["deadline_ms"] > 0, v'
kill -KILL "$pid"
wait "$breaker"
query 'assert v["outcome"] == "granted" and v["holders"][0]["result"] == "gone", v' <"$dir/account"
