#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The same bytes out, whoever compiled it: builds what the replay tests need with gcc and clang,
# with and without optimisation, and with sanitizers, and lets each build meet the goldens.
#   tests/replay/builds.sh FOLDER [ARGUMENTS of replay.py; default: golden]
# FOLDER keeps the builds for the next time.
set -eu
[ $# -ge 1 ] || { sed -n '3,6s/^# //p' "$0" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
shift
[ $# -gt 0 ] || set -- golden
root=$(cd "$(dirname "$0")/../.." && pwd)
failed=0

# name, compiler, then options of meson setup
build() {
	name=$1 cc=$2
	shift 2
	[ -d "$folder/$name" ] || CC=$cc meson setup "$folder/$name" "$root" "$@" >/dev/null
	meson compile -C "$folder/$name" perch-replay perch-pcapdiff perch-echo perch-ping \
		perch-load perch-feed perch-gateway controlled crasher crossing joiner twin \
		vouched >"$folder/$name.log" 2>&1 || { tail -20 "$folder/$name.log"; exit 1; }
}

check() {
	printf '%-9s ' "$name"
	PERCH_BUILD_DIR="$folder/$name" "$root/tests/replay/replay.py" "$@" || failed=1
}

build gcc-O0 gcc -Doptimization=0
check "$@"
build gcc-O2 gcc
check "$@"
build gcc-O3 gcc -Doptimization=3
check "$@"
build clang-O0 clang -Doptimization=0
check "$@"
build clang-O3 clang -Doptimization=3
check "$@"
build asan gcc -Db_sanitize=address,undefined -Db_lundef=false
check "$@"
exit $failed
