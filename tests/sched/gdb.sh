#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The debugger lists coroutines and backtraces parked ones, in place and saved, and the program then
# goes on as if nothing had been. Skipped where there is no gdb with python, or it may not trace.
set -eu
program=$1
script=$2
gdb -q -batch -ex 'python print("has python")' 2>/dev/null | grep -q 'has python' || exit 77
out=$(gdb -q -batch -nx -ex 'set width 0' -ex 'set debuginfod enabled off' \
	-ex "source $script" -ex 'break stop_here' -ex 'run' \
	-ex 'perch coroutines s' -ex 'perch backtrace s' -ex 'delete' -ex 'continue' \
	"$program" 2>&1) || { echo "$out"; exit 1; }
case $out in
*"ptrace: Operation not permitted"*) exit 77 ;;
esac

expect() { # how many lines match
	n=$(printf '%s\n' "$out" | grep -cE "$2" || true)
	[ "$n" -eq "$1" ] || { echo "expected $1 lines with '$2', got $n:"; echo "$out"; exit 1; }
}
expect 6 '^coroutine [0-9]+ parked handler\('
expect 2 '^coroutine [0-9]+ new handler'
expect 2 'private stack'
expect 2 'in place'
expect 3 '^#0 .*perch_switch_leave '
expect 9 '^#[0-9]+ .* inner \('
expect 3 '^#[0-9]+ .* handler \(arg='
expect 1 'exited normally'
