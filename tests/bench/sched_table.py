#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The scheduler's figures beside Go's and boost.context's, taken in one run on one CPU.

usage: sched_table.py BUILD_DIR [--rounds N] [--cpu C] [--quick]

--quick leaves out what needs 10 million coroutines. Go and boost.context columns are empty where
the one is not installed (golang-go), or was not when perch was built (libboost-context-dev).
"""
import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
FIGURE = re.compile(r"^(.+?)\s+(-?\d+\.\d+)(?:\s+\((\d+\.\d+) - (\d+\.\d+)\).*)?$")
BYTES = re.compile(r"^(coroutines|goroutines)=(\d+) rss=\d+ KB \((\d+) B")

# What it is, our line, Go's, boost.context's, the figure to reach, how many times faster than Go.
ROWS = (
    ("call + ret", "call + ret", None, None, None, None),
    ("switch, one way", "inline switch, one way", None, None, "1.5, or 1.2 x call + ret", None),
    ("event, 64 coroutines", "event, 64 hot of 64", "Go: event, uniform over 64",
     "boost.context: event, uniform over 64", "14", 8),
    ("event, 1,024 hot of 1 M", "event, 1024 hot of 1000000", None, None, "16", None),
    ("the same, prefetched", "event, 1024 hot of 1000000, prefetched", None, None, None, None),
    ("event, uniform over 1 M", "event, 1000000 hot of 1000000, prefetched",
     "Go: event, uniform over 1000000", "boost.context: event, uniform over 1000000", "30", 30),
    ("the same, not prefetched", "event, 1000000 hot of 1000000", None, None, None, None),
    ("event, uniform over 10 M", "event, 10000000 hot of 10000000, prefetched", None, None, "45",
     None),
    ("its bytes moved, 1,024 hot of 1 M", "its bytes moved, 1024 hot of 1000000", None, None, None,
     None),
    ("its bytes moved, uniform over 1 M", "its bytes moved, 1000000 hot of 1000000", None, None,
     None, None),
    ("its bytes moved, uniform over 10 M", "its bytes moved, 10000000 hot of 10000000", None, None,
     None, None),
    ("spawn + finish", "spawn + finish", "Go: spawn + finish", None, "20", None),
    ("timers, a packet, 10 M pending", "timers' cost a packet", None, None, "1", None),
)


def run(figures, sizes, argv, env=None):
    with subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, **(env or {})}) as p:
        for line in p.stdout:
            print(f"  {line.rstrip()}", file=sys.stderr, flush=True)
            if m := BYTES.match(line):
                sizes[m.group(1), int(m.group(2))] = int(m.group(3))
            elif m := FIGURE.match(line.rstrip()):
                figures[m.group(1)] = float(m.group(2))
    if p.returncode:
        sys.exit(f"sched_table: {argv[-1]} ended with {p.returncode}")


def run_go(figures, sizes, on_cpu):
    if not shutil.which("go"):
        print("sched_table: no Go here (golang-go): its column stays empty", file=sys.stderr)
        return
    with tempfile.TemporaryDirectory() as tmp:
        program = pathlib.Path(tmp) / "sched_go"
        env = {"GOCACHE": f"{tmp}/cache", "GO111MODULE": "off", "GOFLAGS": ""}
        subprocess.run(["go", "build", "-o", program, HERE / "sched_go.go"], check=True,
                       env={**os.environ, **env})
        run(figures, sizes, [*on_cpu, program], {"GOMAXPROCS": "1"})


def cell(value, form="{:.1f}"):
    return "" if value is None else form.format(value)


def table(figures, sizes):
    print("| ns, median of CPU time | perch | Go | boost.context | x faster than Go | to reach |")
    print("|---|---|---|---|---|---|")
    for text, ours, go, boost, target, faster in ROWS:
        mine, gos = figures.get(ours), figures.get(go)
        if mine is None:
            continue
        ratio = gos / mine if gos else None
        goal = "" if target is None else f"<= {target}" + (f"; {faster} x" if faster else "")
        print(f"| {text} | {mine:.2f} | {cell(gos)} | {cell(figures.get(boost))} | {cell(ratio)} |"
              f" {goal} |")
    print()
    print("| bytes each, parked three calls deep | perch | Go | to reach |")
    print("|---|---|---|---|")
    for who, count in sorted(sizes):
        if who == "coroutines":
            print(f"| {count:,} | {sizes[who, count]} |"
                  f" {cell(sizes.get(('goroutines', count)), '{}')} | <= 300 |")


def main():
    p = argparse.ArgumentParser()
    p.add_argument("build", type=pathlib.Path)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--cpu", type=int, default=max(os.sched_getaffinity(0)))
    p.add_argument("--quick", action="store_true")
    a = p.parse_args()
    bench = a.build / "tests/bench/sched_bench"
    if not bench.is_file():
        p.error(f"{bench} is not there: build first")
    on_cpu = ["taskset", "-c", a.cpu]
    figures, sizes = {}, {}
    quick = ["-q"] if a.quick else []
    run(figures, sizes, [*on_cpu, bench, "-r", a.rounds, *quick])
    run_go(figures, sizes, on_cpu)
    table(figures, sizes)


main()
