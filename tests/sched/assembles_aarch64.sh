#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# The scheduler compiles and assembles for AArch64 with Debian's cross compiler; skipped without it.
# Where there is qemu-aarch64-static, a short soak runs there, too, with each form of the switch.
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

command -v qemu-aarch64-static >/dev/null || { echo "not run: no qemu-aarch64-static"; exit 0; }
for form in "" -DPERCH_SWITCH_CALL; do
	$cc -O2 $form -static -std=gnu11 -D_GNU_SOURCE -I"$root" -o "$out/soak" "$root"/sched/*.c \
		"$root/sched/switch_aarch64.S" "$root/tests/sched/soak.c" -lpthread -lm
	qemu-aarch64-static "$out/soak" --count 2000 --seconds 1
done
