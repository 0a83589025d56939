#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# perch-idle: its output, its limits, and what it is there to show: an idle coroutine costs at most
# 300 bytes, an idle established TCP connection at most 512, everything counted.
# usage: idle.sh PERCH_IDLE [anything: do not hold the bytes against the limits]
idle=$1 failed=0

check() { # least-bytes most-bytes arguments...
	least=$1 most=$2
	shift 2
	line=$("$idle" "$@") || { echo "FAIL $*: exit status $?"; failed=1; return; }
	bytes=$(echo "$line" |
		sed -nE "s/^coroutines=[0-9]+ rss=[0-9]+ KB \(([0-9]+) B.coroutine\).*/\1/p")
	[ -n "$bytes" ] || { echo "FAIL $*: '$line' is not the format"; failed=1; return; }
	[ -n "$loose" ] || { [ "$bytes" -ge "$least" ] && [ "$bytes" -le "$most" ]; } ||
		{ echo "FAIL $*: $bytes B each, of $most"; failed=1; }
}

refuse() { # status arguments...
	status=$1
	shift
	"$idle" "$@" >/dev/null 2>&1
	got=$?
	[ $got = "$status" ] || { echo "FAIL $*: exit status $got, not $status"; failed=1; }
}

loose=$2 many=${2:+2000}
check 100 300 "${many:-200000}"
check 300 512 --tcp "${many:-200000}"
refuse 2
refuse 2 --tcp
refuse 2 0
refuse 2 -5
refuse 2 --tcp 12x
refuse 2 100000001
[ $failed = 0 ] && echo "idle: 8 passed, 0 failed, 0 skipped"
exit $failed
