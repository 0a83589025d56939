#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""perch-publish and perch-feed, two processes over shared memory: two.py [PART OF A NAME]."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

BUILD = pathlib.Path(os.environ.get("PERCH_BUILD_DIR", "build"))
A, B = "233.54.12.111:26477", "233.54.12.112:26477"
REQUEST, GLIMPSE = ("--request", "10.99.0.1:7001"), ("--glimpse", "10.99.0.1:7002")
SERVE = ("--request-port", 7001, "--glimpse-port", 7002)
CASES = {}


def case(f):
    CASES[f.__name__] = f
    return f


class App:
    """One of the two, on one end of a memif."""

    def __init__(self, where, name, server, own, *args):
        role = "server" if server else "client,mac=02:00:00:00:99:01"
        self.name, self.out = name, where / f"{name}.out"
        self.dump = where / f"{name}.dump"
        with open(self.out, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(
                [BUILD / "apps" / name, "--no-huge", "-m", "256", "--no-pci", "-l", "0",
                 "--file-prefix", f"{name}-{os.getpid()}", "--vdev",
                 f"net_memif0,role={role},id=0,socket-abstract=no,socket={where}/memif",
                 "--", "--ip", own, "--idle", "backoff", "--dump", self.dump, *map(str, args)],
                stdout=out, stderr=subprocess.STDOUT)

    def text(self):
        return self.out.read_text(encoding="utf-8")

    def wait_for(self, line):
        for _ in range(400):
            if line in self.text():
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.02)
        raise AssertionError(f"{self.name} does not say '{line}':\n{self.text()}")

    def end(self, status):
        try:
            got = self.process.wait(30)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not end:\n{self.text()}") from None
        assert got == status, f"{self.name}: exit status {got}, not {status}:\n{self.text()}"

    def count(self, name):
        m = re.search(rf"^  {name} +(\d+)  ", self.text(), re.M)
        return int(m.group(1)) if m else 0


def market(publish, feed, late=False, status=0):
    """Both until the end of the session. Returns the reader, and whether its books are right."""
    with tempfile.TemporaryDirectory(prefix="perch-feed-") as where:
        where, apps = pathlib.Path(where), []
        try:
            for name in sorted(("perch-feed", "perch-publish"), reverse=late):
                if name == "perch-feed":
                    apps.append(App(where, name, not late, "10.99.0.2/24", "--line-a", A,
                                    "--line-b", B, "--retry-ms", 5, *feed))
                    apps[-1].wait_for("perch-feed: listening")
                else:
                    apps.append(App(where, name, late, "10.99.0.1/24", "--line-a", A,
                                    "--line-b", B, "--messages", 20000, "--rate", 40000,
                                    "--end-ms", 500, "--beat-ms", 50, *publish))
                    apps[-1].wait_for("perch-publish: session")
            reader, publisher = sorted(apps, key=lambda app: app.name)
            publisher.end(0)
            reader.end(status)
            reader.last = reader.text()
            reader.text = lambda: reader.last
            return reader, reader.dump.read_bytes() == publisher.dump.read_bytes() != b""
        finally:
            for app in apps:
                if app.process.poll() is None:
                    app.process.kill()
                    app.process.wait()


LOSS = ("--loss-a", 100000, "--loss-b", 100000, "--skew-us", 30)


@case
def no_loss():
    reader, right = market((), ())
    assert right
    assert reader.count("delivered_messages") == 20000, reader.text()
    assert "line B: " in reader.text() and reader.count("gaps") == 0, reader.text()


@case
def loss_and_requests():
    reader, right = market((*LOSS, *SERVE), REQUEST)
    assert right
    assert reader.count("filled_by_request_units") > 0, reader.text()
    assert reader.count("lost_units") == 0


@case
def rough_lines():
    reader, right = market((*LOSS, "--duplicate", 50000, "--reorder", 50000, "--burst", 3,
                            "--partly", 2, *SERVE), (*REQUEST, *GLIMPSE))
    assert right
    assert reader.count("drop_duplicate") > 0, reader.text()


@case
def late_join():
    reader, right = market((*SERVE, "--start-ms", 0), (*REQUEST, *GLIMPSE, "--snapshot-over", 100),
                           late=True)
    assert right
    assert reader.count("filled_by_snapshot_units") > 100, reader.text()


@case
def no_answers_but_a_snapshot():
    reader, right = market((*LOSS, *SERVE, "--deaf"), (*REQUEST, *GLIMPSE, "--tries", 1))
    assert right
    assert reader.count("snapshots") > 0 and reader.count("lost_units") == 0, reader.text()


@case
def lost_for_good():
    reader, right = market((*LOSS, *SERVE, "--deaf"), (*REQUEST, "--tries", 1), status=1)
    assert not right
    lost = sum(int(b) - int(a) for a, b in re.findall(r"^lost (\d+)-(\d+)$", reader.text(), re.M))
    assert lost == reader.count("lost_units") > 0, reader.text()


@case
def some_symbols():
    reader, _ = market((), ("--symbols", "S0001,S0008", "--top"))
    tops = set(re.findall(r"^(S\d+) .* x ", reader.text(), re.M))
    assert tops == {"S0001", "S0008"}, tops


@case
def usage():
    """One clear line, and exit status 2, before anything is opened."""
    eal = ("--no-huge", "-m", "64", "--no-pci", "--")
    ip = ("--ip", "10.99.0.2/24")
    for name, args, says in (
            ("perch-feed", (*eal, *ip), "--line-a ADDR:PORT is missing"),
            ("perch-feed", (*eal, *ip, "--line-a", "233.1.1.1"), "'233.1.1.1'"),
            ("perch-feed", (*eal, *ip, "--line-a", A, "--venue", "moon"), "'moon'"),
            ("perch-feed", (*eal, *ip, "--line-a", A, "--source", "x"), "'x'"),
            ("perch-feed", (*eal, *ip, "--line-a", A, "--venue", "cme", *REQUEST), "moldudp64"),
            ("perch-feed", (*eal, *ip, "--line-a", A, "--symbols", "TOOLONGNAME"), "--symbols"),
            ("perch-feed", (*eal, *ip, "--line-a", A, "more"), "'more'"),
            ("perch-publish", (*eal, *ip), "--line-a"),
            ("perch-publish", (*eal, *ip, "--line-a", A, "--speed", "fast"), "'fast'"),
            ("perch-publish", (*eal, *ip, "--line-a", A, "--file", "/nowhere"), "/nowhere"),
            ("perch-publish", (*eal, *ip, "--line-a", A, "--session", "ELEVENCHARS"), "ten")):
        r = subprocess.run([BUILD / "apps" / name, *args], capture_output=True, text=True,
                           timeout=20, check=False)
        lines = (r.stdout + r.stderr).splitlines()
        assert r.returncode == 2 and len(lines) == 1 and says in lines[0], (name, args, r)


def main():
    passed = failed = 0
    for name, run in CASES.items():
        if len(sys.argv) > 1 and sys.argv[1] not in name:
            continue
        try:
            run()
            passed += 1
        except AssertionError as e:
            failed += 1
            print(f"  FAIL {name}: {e}")
    print(f"feed two: {passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed or not passed else 0)


main()
