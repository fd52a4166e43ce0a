# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=bash
#
# The rig for programs that have never heard of mapseal, and do something to a file that is sealed:
# sourced. A test says what the program is, makes disks and files, starts the supervisor, and says
# what has to come of it:
#
#	needs dd
#	program() { dd if=/dev/zero of="$1" bs=4k count=2 conv=notrunc; }
#
#	disks ext4 xfs
#	object ext4/file		# in $dir, of 1 MiB, lent as ext4-file
#	object xfs/hard deny		# settings of its export: deny, hold, watch
#	supervise
#	held_until_returned ext4/file write
#	denied xfs/hard read
#
# The holder (holder.c) has uid 65534 and can't open the file, the program 65533, who owns it, or
# $program_uid. Beside each file lies a twin that nobody seals, with the same bytes: what the holder
# writes is written there too, and the program is run on it as well, so in the end both have to be
# the same. Who goes first is seen by the bytes, and by order: what the program does comes after the
# last thing that the holder did.

. "$top_srcdir/tests/system/rig.sh"

printf '%s\n' 6.14 "$(uname -r)" | sort -VC || { echo "needs accesses that are held, which Linux 6.14 brought"; exit 77; }

for name in holder peek; do
	binary=$top_builddir/tests/programs/.libs/$name
	[ -x "$binary" ] || binary=$top_builddir/tests/programs/$name
	cp "$binary" "$dir/bin/$name"
done

program_uid=65533
refusal='Text file busy' # what the program says when it is denied
config='[defaults]
deadline-ms = 120000
hard-ms = 120000
'

needs() {
	local name
	for name in "$@"; do
		command -v "$name" >/dev/null || { echo "$name is not installed"; exit 77; }
	done
}

disks() {
	local fs
	for fs in "$@"; do
		truncate -s 400M "$dir/$fs.image"
		mkdir "$dir/$fs"
		if ! "mkfs.$fs" -q "$dir/$fs.image" >/dev/null || ! mount -o loop "$dir/$fs.image" "$dir/$fs"; then
			echo "cannot mount $fs on loop here"
			exit 77
		fi
		mounted+=("$dir/$fs")
		chown "$program_uid" "$dir/$fs"
	done
}

pieces() { filefrag "$1" | sed -n 's/.*: \([0-9]*\) extents\{0,1\} found/\1/p'; }

# Makes a file of 64 pieces, by taking every other one away from one that has twice as many.
in_pieces() {
	local n
	head -c 2M /dev/urandom >"$1"
	sync "$1"
	for ((n = 0; n < 64; n++)); do fallocate --collapse-range --offset $((n * 16384)) --length 16384 "$1"; done
	[ "$(pieces "$1")" -ge 64 ] || fail "$(pieces "$1") pieces are few"
}

# The file may have been made before, otherwise by what it has to hold.
object() {
	local name=$1 file=$dir/$1 setting
	shift
	[ -e "$file" ] || head -c 1048576 /dev/urandom >"$file"
	cp --reflink=never "$file" "$file.twin"
	chown "$program_uid" "$file" "$file.twin"
	chmod 0600 "$file" "$file.twin"
	sync "$file" "$file.twin"
	config+="[export ${name//\//-}]
path = $file
read = uid:65534
write = uid:65534
"
	for setting in "$@"; do
		case $setting in
		deny) config+=$'on-conflict = deny\n' ;;
		hold | watch) config+="writable-opens = $setting"$'\n' ;;
		esac
	done
}

supervise() {
	rig <<<"$config"
	mapseald_pid=$(pgrep -P "$supervisor_pid")
}

# ---- the holder --------------------------------------------------------------------------------

tell() { printf '%s\n' "$*" >&7; }
hear() {
	local line=nothing
	read -r line <&8 || true
	# shellcheck disable=SC2053
	[[ $line == $1 ]] || fail "the holder said '$line', not '$1': $(cat "$dir/holder.text")"
}
ask() { tell "$1"; hear "$2"; }

# holder OBJECT read|write [window|direct [OFFSET LENGTH]]
holder() {
	file=$dir/$1 twin=$dir/$1.twin
	[ -p "$dir/words" ] || mkfifo "$dir/words" "$dir/answers"
	as_user holder "${1//\//-}" "$2" "${3:-window}" "${@:4}" \
		<"$dir/words" >"$dir/answers" 2>"$dir/holder.text" &
	holder_pid=$!
	exec 7>"$dir/words" 8<"$dir/answers"
	local line=nothing
	read -r line <&8 || true
	case $line in
	'held fanotify '*) seal=${line##* } ;;
	*) fail "no seal that fanotify guards: $line $(cat "$dir/holder.text")" ;;
	esac
}

# OFFSET LENGTH BYTE, into the window and into the twin
holder_writes() {
	ask "write $1 $2 $3" written
	head -c "$2" /dev/zero | tr '\0' "$3" | dd of="$twin" oflag=seek_bytes seek="$1" conv=notrunc status=none
}

holder_ends() {
	tell end
	wait "$holder_pid" || fail "the holder: $(cat "$dir/holder.text")"
	exec 7>&- 8<&-
}

# ---- the program -------------------------------------------------------------------------------

# On file $1. What hangs is ended, and has failed.
run() {
	export -f program
	(cd "${1%/*}" && exec timeout -k 5 150 setpriv --reuid "$program_uid" --regid "$program_uid" \
		--clear-groups bash -euo pipefail -c 'program "$@"' program "$1")
}
start() { run "$file" >"$dir/output" 2>&1 & program_pid=$!; }
finish() { wait "$program_pid" || fail "the program ended with $?: $(cat "$dir/output")"; }

# Now, without being a reader that anybody hears of.
unchanged() {
	peek "$mapseald_pid" "$file" | cmp - "$twin" || fail "$1"
}

same() {
	[ "$(stat -c %s "$file")" = "$(stat -c %s "$twin")" ] || fail "$1: the sizes differ"
	cmp "$file" "$twin" || fail "$1"
}

# A file of a program's that is equal to the one it makes of the twin; a test may know it better.
finished_as_the_twin() {
	run "$twin" >"$dir/output" 2>&1 || fail "the program on a file that is not sealed: $(cat "$dir/output")"
	same "not what the program makes of a file that is not sealed"
}

# ---- what has to come of it --------------------------------------------------------------------

# The program is held until the holder has returned: meanwhile the file is as it was, and the holder
# goes on writing; afterwards the program has done its work on what the holder wrote last.
held_until_returned() {
	local mode=$2 kind=${3:-window}
	holder "$@"
	[ "$kind" = window ] || filefrag -v "$file" >"$dir/blocks"
	if [ "$mode" = write ]; then
		holder_writes 65536 131072 a
		ask commit committed
		holder_writes 196608 65536 b
	fi
	start
	hear 'recalled *'
	if [ "$mode" = write ]; then
		holder_writes 0 262144 z
		ask commit committed
	fi
	unchanged "changed before the holder has returned"
	[ "$kind" = window ] || filefrag -v "$file" | cmp - "$dir/blocks" || fail "blocks were moved"
	ask check intact
	ask return-all 'returned *'
	finish
	finished_as_the_twin
	ask state returned
	holder_ends
}

# The program fails, and says why; the file and the seal are as they were. When the seal is gone, so
# is what was in the way.
denied() {
	local status=0 kind=${3:-window}
	holder "$@"
	[ "$kind" = window ] || filefrag -v "$file" >"$dir/blocks"
	run "$file" >"$dir/output" 2>&1 || status=$?
	[ "$status" != 0 ] || fail "the program was not denied"
	grep -qF "$refusal" "$dir/output" || fail "denied otherwise: $status: $(cat "$dir/output")"
	unchanged "changed by a program that was denied"
	[ "$kind" = window ] || filefrag -v "$file" | cmp - "$dir/blocks" || fail "blocks were moved"
	ask check intact
	ask state held
	holder_ends
	run "$file" >"$dir/output" 2>&1 || fail "the program, later: $(cat "$dir/output")"
	finished_as_the_twin
}

# The program does its work, and nobody is asked for anything.
undisturbed() {
	holder "$@"
	[ "$2" = read ] || holder_writes 655360 131072 a
	run "$file" >"$dir/output" 2>&1 || fail "the program ended with $?: $(cat "$dir/output")"
	finished_as_the_twin
	ask check intact
	ask state held
	holder_ends
}
