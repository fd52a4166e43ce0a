#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# --json keeps its word: the names and values that mapsealctl(1) documents as stable.
. "$top_srcdir/tests/system/rig.sh"

head -c 65536 /dev/zero >"$dir/file"
rig <<END
[export file]
path = $dir/file
read = *
write = *
END

query() { python3 -c 'import json, sys; v = json.load(sys.stdin); '"$1"; }

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
assert (s["mode"], s["kind"], s["state"], s["seq"], s["guard"]) == ("read", "window", "held", 1, "cooperative"), s
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
