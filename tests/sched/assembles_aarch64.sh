#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The scheduler compiles and assembles for AArch64 with Debian's cross compiler; skipped without it.
set -eu
root=$1
cc=aarch64-linux-gnu-gcc
command -v $cc >/dev/null || { echo "no $cc"; exit 77; }
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

$cc -c -I"$root" -o "$out/switch.o" "$root/sched/switch_aarch64.S"
for source in "$root"/sched/*.c; do
	$cc -c -O2 -std=gnu11 -D_GNU_SOURCE -Wall -Wextra -Werror -I"$root" \
		-o "$out/$(basename "$source" .c).o" "$source"
done
for symbol in perch_switch_entry perch_switch_stack; do
	aarch64-linux-gnu-nm "$out/switch.o" | grep -q " T $symbol\$"
done
# The switch is inline: whoever parks must not call it.
if aarch64-linux-gnu-nm "$out/coro.o" | grep -q ' U perch_switch_stack$'; then
	echo "coro.c calls the out-of-line switch"
	exit 1
fi
