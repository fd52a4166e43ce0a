# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For tests of the file server whose peers write by RDMA: sourced, in place of the rig. A server of "file", $SIZE bytes that
# only root can open, in $file, runs under another uid, with the options that server_starts is given; lines that it says
# are awaited by `server_says PATTERN`. The file is in the directory $RDMA_DIRECTORY, if that is set. A peer is asked by
# `peer_writes OFFSET TEXT` and answers into $answer.

. "$top_srcdir/tests/system/rig.sh"

SIZE=1048576
file=${RDMA_DIRECTORY:-$dir}/file
head -c "$SIZE" /dev/zero >"$file"
chmod 0600 "$file"
examples=$top_builddir/doc/examples
for program in rdma-server rdma-peer; do
	binary=$examples/.libs/$program
	[ -x "$binary" ] || binary=$examples/$program
	cp "$binary" "$dir/bin/$program"
done

server_starts() {
	mkfifo "$dir/said"
	# the device's pages are locked
	(ulimit -l unlimited && as_user rdma-server "$@" file "$RDMA_ADDRESS" 7471 >"$dir/said") &
	exec 7<"$dir/said"
	server_says 'serving'
	server=$(pgrep -x rdma-server)
}

server_says() {
	local line
	while read -r line <&7; do
		echo "server: $line"
		[[ $line != *$1* ]] || return 0
	done
	fail "the server never said: $1"
}

peer_starts() {
	rm -f "$dir/asked" "$dir/answered"
	mkfifo "$dir/asked" "$dir/answered"
	(ulimit -l unlimited && exec rdma-peer "$RDMA_ADDRESS" 7471 <"$dir/asked" >"$dir/answered") &
	peer=$!
	exec 8>"$dir/asked" 9<"$dir/answered"
	read -r answer <&9
	echo "peer: $answer"
	[[ $answer == offered* ]] || fail "the peer was offered nothing"
	server_says 'a peer writes'
}

peer_writes() {
	echo "$*" >&8
	read -r answer <&9
	echo "peer: $*: $answer"
}

peer_ends() {
	exec 8>&-
	wait "$peer" || true
}

in_file() { dd if="$file" bs=1 skip="$1" count="$2" status=none | tr -d '\0'; }
