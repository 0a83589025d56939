#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Goodput of an echo through a bad link, side by side: the engine's echo and the kernel's, from the
same kernel client, through the same seeded wire of 200 Mbit/s. The ratio is engine over kernel.

usage: impaired.py [PART OF A ROW'S NAME] (root; PERCH_BUILD_DIR, default build)
"""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../interop"))
from lab import PERCH4, Lab  # noqa: E402

CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../interop/client.py")
CABLE = {"rate_mbit": 200, "seed": 5}
ROWS = (
    ("clean", {}, 25), ("loss 0.1 %", {"loss": 0.001}, 25), ("loss 1 %", {"loss": 0.01}, 20),
    ("loss 5 %", {"loss": 0.05}, 8), ("delay 1 ms", {"delay_us": 1000}, 25),
    ("delay 50 ms", {"delay_us": 50000}, 20),
    ("loss 1 % + 1 ms", {"loss": 0.01, "delay_us": 1000}, 10),
    ("loss 1 % + 50 ms", {"loss": 0.01, "delay_us": 50000}, 1),
    ("reorder 5 %", {"reorder": 0.05}, 20), ("duplicate 2 %", {"dup": 0.02}, 20),
    ("corrupt 1 %", {"corrupt": 0.01}, 20))


def goodput(habits, megabytes, server):
    with Lab() as lab:
        lab.join(**CABLE, **habits)
        if server == "engine":
            lab.echo(profile="wan" if habits.get("delay_us", 0) > 10000 else "latency")
        else:
            lab.run("perch", "ip", "addr", "add", PERCH4 + "/24", "dev", "p0")
            lab.start("perch", sys.executable, CLIENT, "serve", "7").wait_for("serving")
        out = lab.run("linux", sys.executable, CLIENT, "bulk", PERCH4, "7",
                      str(megabytes * 1_000_000), "60", check=False, timeout=120).stdout
    m = re.search(r"(\d+\.\d+) s,", out)
    return megabytes * 8 / float(m.group(1)) if m else 0.0


def main(only):
    print(f"{'200 Mbit/s, one stream':22} {'kernel Mbit/s':>14} {'engine Mbit/s':>14} {'ratio':>6}")
    for name, habits, megabytes in ROWS:
        if only in name:
            kernel = goodput(habits, megabytes, "kernel")
            engine = goodput(habits, megabytes, "engine")
            ratio = engine / kernel if kernel else 0
            print(f"{name:22} {kernel:14.1f} {engine:14.1f} {ratio:6.2f}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
