#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# How fast a capture of a million packets goes through the UDP echo under the virtual clock.
#   tests/bench/replay.sh [BUILD]
set -eu
here=$(dirname "$0")
build=${1:-build}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
PYTHONPATH="$here/../replay" python3 - "$work/million.pcapng" <<'PY'
import struct
import sys

import frames as f

start = 1_700_000_000_000_000_000
echoes = [f.udp(5000 + i, 7, b"x" * 18) for i in range(16)]
with open(sys.argv[1], "wb") as out:
    out.write(f.pcapng([(start, f.arp(1))]))
    for i in range(1_000_000):
        when = start + 1_000_000 + i * 500
        out.write(struct.pack("<IIIIIII", 6, 92, 0, when >> 32, when & 0xffffffff, 60, 60) +
                  echoes[i % 16] + struct.pack("<I", 92))
PY
for speed in virtual max; do
	for _ in 1 2 3 4 5; do
		"$build/tools/perch-replay" --rx "$work/million.pcapng" --tx "$work/out.pcapng" \
			--speed $speed -- perch-echo -- --ip 10.99.0.2/24 | grep 'packets in'
	done | sed 's/.* time in \([0-9.]*\) s.*/\1/' | sort -n | awk -v speed=$speed '
		{ s[NR] = $1 }
		END { printf "%s: %.2f M packets/s, median of %d (%.2f to %.2f)\n", speed,
			1 / s[(NR + 1) / 2], NR, 1 / s[NR], 1 / s[1] }'
done
