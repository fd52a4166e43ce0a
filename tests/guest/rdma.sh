# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# For tests of the file server whose peers write by RDMA: sourced, in place of the rig. "file" is $file, 1 MiB, which only
# root can open, in the directory $RDMA_DIRECTORY, if that is set. The server runs under another uid.
#
#	opening [LINE...]		starts a supervisor, whose section of the export has these lines too, the server with
#					${options[@]}, and a peer, which writes "first" at 4096
#	server_says PATTERN		waits for a line that it says
#	peer_writes OFFSET TEXT		it has to be written
#	peer_is_refused OFFSET TEXT	it must not
#	cut_to SIZE PATTERN...		somebody truncates the file, and its account has to have that, without blanks
#	log_says PATTERN		the supervisor's

. "$top_srcdir/tests/system/rig.sh"

file=${RDMA_DIRECTORY:-$dir}/file
head -c 1M /dev/zero >"$file"
chmod 0600 "$file"
examples=$top_builddir/doc/examples
for program in rdma-server rdma-peer; do
	binary=$examples/.libs/$program
	[ -x "$binary" ] || binary=$examples/$program
	cp "$binary" "$dir/bin/$program"
done
options=()
running=() # the server and the peer, for as long as they are to

# Whatever became of them: one that is stopped would keep its port, and the file system.
rdma_end() {
	local status=$?
	[ ${#running[@]} = 0 ] || kill -KILL "${running[@]}" 2>/dev/null || true
	cat "$dir/log" || true
	rm -f "$file"
	rig_end "$status"
}
trap rdma_end EXIT

opening() {
	rig_file "$file" "$@" 2>"$dir/log"
	server_starts
	peer_starts
	peer_writes 4096 first
}

server_starts() {
	mkfifo "$dir/said"
	# the device's pages are locked
	(ulimit -l unlimited && exec setpriv --reuid 65534 --regid 65534 --clear-groups \
		rdma-server "${options[@]}" file "$RDMA_ADDRESS" 7471 >"$dir/said") &
	server=$!
	running=("$server")
	exec 7<"$dir/said"
	server_says serving
}

server_says() {
	local line
	while read -r line <&7; do
		echo "server: $line"
		[[ $line != *$1* ]] || return 0
	done
	fail "the server never said: $1"
}

server_ends() {
	local status=0
	kill "$server" || fail "the server is gone already"
	wait "$server" || status=$?
	[ "$status" = 143 ] || fail "the server ended with $status"
	running=()
}

peer_starts() {
	rm -f "$dir/asked" "$dir/answered"
	mkfifo "$dir/asked" "$dir/answered"
	(ulimit -l unlimited && exec rdma-peer "$RDMA_ADDRESS" 7471 <"$dir/asked" >"$dir/answered") &
	peer=$!
	running=("$server" "$peer")
	exec 8>"$dir/asked" 9<"$dir/answered"
	peer_answers offered
	server_says 'a peer writes'
}

peer_answers() {
	local answer
	read -r answer <&9 || fail "the peer is gone"
	echo "peer: $answer"
	[[ $answer == $1* ]] || fail "the peer had to be told: $1"
}

peer_writes() {
	echo "$*" >&8
	peer_answers written
}

peer_is_refused() {
	echo "$*" >&8
	peer_answers refused
}

peer_ends() {
	exec 8>&-
	wait "$peer" || fail "the peer ended with $?"
	running=("$server")
}

cut_to() {
	local pattern
	mapsealctl --json break file -- truncate -s "$1" "$file" 2>"$dir/account"
	cat "$dir/account"
	for pattern in "${@:2}"; do
		grep -q "$pattern" <<<"$(tr -d ' \n' <"$dir/account")" || fail "the account does not say: $pattern"
	done
}

log_says() { grep -q "$1" "$dir/log" || fail "the log does not say: $1"; }

in_file() { dd if="$file" bs=1 skip="$1" count="$2" status=none | tr -d '\0'; }
