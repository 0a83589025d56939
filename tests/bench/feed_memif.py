#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""perch-publish to perch-feed over memif, a core each: feed_memif.py [RATE [MESSAGES [MORE...]]].
Prints what each says about its rate, and whether all came and the books are the same."""
import os
import pathlib
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ.get("PERCH_BUILD_DIR", "build"))
A, B = "233.54.12.111:26477", "233.54.12.112:26477"


def app(where, name, core, role, own, *args):
    memif = f"net_memif0,role={role},id=0,socket-abstract=no,socket={where}/memif"
    out = open(where / f"{name}.out", "w", encoding="utf-8")
    return subprocess.Popen(
        [BUILD / "apps" / name, "--in-memory", "--single-file-segments", "-m", "512", "--no-pci",
         "-l", str(core), "--vdev", memif + ",rsize=12", "--", "--ip", own, "--line-a", A,
         "--line-b", B, "--dump", where / f"{name}.dump", *args],
        stdout=out, stderr=subprocess.STDOUT)


def main():
    rate = sys.argv[1] if len(sys.argv) > 1 else "3500000"
    messages = sys.argv[2] if len(sys.argv) > 2 else "20000000"
    with tempfile.TemporaryDirectory() as where:
        where = pathlib.Path(where)
        reader = app(where, "perch-feed", 0, "server", "10.99.0.2/24")
        time.sleep(1.5)
        publisher = app(where, "perch-publish", 1, "client,mac=02:00:00:00:99:01", "10.99.0.1/24",
                        "--rate", rate, "--messages", messages, "--pack-us", "20", *sys.argv[3:])
        status = publisher.wait(120) or reader.wait(20)
        for name in ("perch-publish", "perch-feed"):
            for line in (where / f"{name}.out").read_text(encoding="utf-8").split("\n"):
                if line.startswith(("published", "read ", "packet to", "handler to", "line",
                                    "  drop_tx", "  lost", "  gap_units")):
                    print(f"{name}: {line}")
        same = [(where / f"{n}.dump").read_bytes() for n in ("perch-publish", "perch-feed")]
        print("exit status", status, "and the books are", "the same" if same[0] == same[1]
              else "different")


main()
