#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Goodput of one stream through a bad link, side by side: the engine as sender, and the kernel's
TCP (cubic), to the same kernel receiver through the same seeded wire of 200 Mbit/s.

Each round of a row runs both, with the same seed; the figures are medians over the rounds, the
ratio is engine over kernel. The receiver measures: from the first byte to the last. The line
before the table says what the wire itself can carry, without a rate: it is not the bottleneck.
Root.
"""
import argparse
import json
import os
import re
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../interop"))
from lab import BUILD, FEATURES, LINUX4, PERCH4, Lab, memory_args  # noqa: E402

CLIENT = os.path.join(HERE, "../interop/client.py")
MBIT = 200
ROWS = (  # name, the wire's habits, megabytes a run
    ("clean", {}, 25),
    ("loss 0.1 %", {"loss": 0.001}, 25),
    ("loss 1 %", {"loss": 0.01}, 25),
    ("loss 5 %", {"loss": 0.05}, 10),
    ("reorder 5 %", {"reorder": 0.05}, 25),
    ("duplicate 2 %", {"dup": 0.02}, 25),
    ("corrupt 1 %", {"corrupt": 0.01}, 25),
    ("delay 1 ms", {"delay_us": 1000}, 25),
    ("delay 50 ms", {"delay_us": 50000}, 25),
    ("1 ms, loss 0.1 %", {"delay_us": 1000, "loss": 0.001}, 20),
    ("1 ms, loss 1 %", {"delay_us": 1000, "loss": 0.01}, 15),
    ("1 ms, loss 5 %", {"delay_us": 1000, "loss": 0.05}, 4),
    ("1 ms, reorder 5 %", {"delay_us": 1000, "reorder": 0.05}, 25),
    ("50 ms, loss 0.1 %", {"delay_us": 50000, "loss": 0.001}, 8),
    ("50 ms, loss 1 %", {"delay_us": 50000, "loss": 0.01}, 2),
    ("50 ms, loss 5 %", {"delay_us": 50000, "loss": 0.05}, 0.5),
    ("50 ms, reorder 5 %", {"delay_us": 50000, "reorder": 0.05}, 25),
    ("1 ms, all of it", {"delay_us": 1000, "loss": 0.01, "reorder": 0.02, "dup": 0.01,
                         "corrupt": 0.005}, 8))


def engine_sends(lab, size, habits):
    wan = habits.get("delay_us", 0) > 10000
    lab.start("perch", os.path.join(BUILD, "tests/bench/pour"), "--no-pci",
              *memory_args(f"pour-{lab.id}"), "-l", "0", "--vdev", "net_af_packet0,iface=p0",
              "--", "--ip", PERCH4 + "/24", "--idle", "backoff", "--profile",
              "wan" if wan else "latency", "--bytes", str(size), LINUX4, "9")


def kernel_sends(lab, size, _):
    lab.run("perch", "ip", "addr", "add", PERCH4 + "/24", "dev", "p0")
    lab.start("perch", sys.executable, CLIENT, "pour", LINUX4, "9", str(size), "cubic")


def goodput(send, habits, megabytes, seed, pcap=None, rate_mbit=MBIT):
    """In Mbit/s; 0: it failed."""
    size = int(megabytes * 1_000_000)
    with Lab() as lab:
        lab.join(rate_mbit=rate_mbit, seed=seed, **habits)
        wire = lab.programs[0]
        if pcap:
            lab.start("linux", "tshark", "-q", "-s", "110", "-i", "l0", "-w",
                      pcap).wait_for("Capturing")
        sink = lab.start("linux", sys.executable, CLIENT, "sink", "9")
        sink.wait_for("serving")
        send(lab, size, habits)
        try:
            sink.wait_for("bytes in", 60)
        except AssertionError:
            return 0.0
        got, seconds = re.search(r"(\d+) bytes in (\S+) s", sink.text()).groups()
        wire.stop()
        assert len(re.findall("overflowed 0$", wire.text(), re.M)) == 2, wire.text()
        return int(got) * 8 / float(seconds) / 1e6 if int(got) == size else 0.0


def measure(row, args):
    name, habits, megabytes = row
    got = {"engine": [], "kernel": []}
    for n in range(args.rounds):
        for who, send in (("kernel", kernel_sends), ("engine", engine_sends)):
            pcap = args.pcap and f"{args.pcap}-{who}-{args.seed + n}.pcapng"
            got[who].append(goodput(send, habits, megabytes, args.seed + n, pcap))
    kernel, engine = (statistics.median(got[w]) for w in ("kernel", "engine"))
    return {"row": name, "kernel_mbit": kernel, "engine_mbit": engine,
            "ratio": engine / kernel if kernel else 0.0, "runs": got}


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    p.add_argument("row", nargs="*", help="parts of the names of rows; default: all")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seed", type=int, default=5)
    p.add_argument("--json", action="store_true", help="a line of JSON per row")
    p.add_argument("--pcap", metavar="PREFIX", help="record each run at the receiver (tshark)")
    args = p.parse_args()
    if not args.json:
        alone = goodput(kernel_sends, {}, 200, args.seed, rate_mbit=0)
        print(f"the wire alone: {alone:.0f} Mbit/s")
        title = f"{MBIT} Mbit/s, medians of {args.rounds}"
        print(f"{title:24} {'kernel':>8} {'engine':>8} {'ratio':>6}")
    for row in ROWS:
        if args.row and not any(part in "=" + row[0] for part in args.row):
            continue
        r = measure(row, args)
        if args.json:
            print(json.dumps(r), flush=True)
        else:
            print(f"{r['row']:24} {r['kernel_mbit']:8.1f} {r['engine_mbit']:8.1f} "
                  f"{r['ratio']:6.2f}", flush=True)


if __name__ == "__main__":
    main()
