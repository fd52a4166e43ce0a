#!/usr/bin/env bash
# SPDX-License-Identifier: LGPL-2.1-or-later
# What mapsealctl doctor says of a kernel is what is known of it: everything that is needed is there on the oldest one, and what
# came later is there on the newest alone.

set -euo pipefail
case $(uname -r) in
6.1.*) later=no ;;
*) later=yes ;;
esac
mapsealctl doctor
mapsealctl --json doctor | python3 -c '
import json, sys
later = sys.argv[1]
found = {line["name"]: line for line in json.load(sys.stdin)}
for name, line in found.items():
    assert not line["required"] or line["state"] == "yes", line
for name in "poison", "continue-write-protected", "fanotify-pre-content":
    assert found[name]["state"] == later, found[name]
guard = "fanotify" if later == "yes" else "lease"
assert found["guard"]["detail"].startswith(guard), found["guard"]
for name in "leases", "userfaultfd-device", "pidfd":
    assert found[name]["state"] == "yes", found[name]
' "$later"
