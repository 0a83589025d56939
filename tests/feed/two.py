#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""perch-publish and perch-feed, two processes over shared memory: two.py [PART OF A NAME]."""
import os
import pathlib
import re
import signal
import struct
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
    """One of the two, on a memif whose rings hold what comes while the machine pauses."""

    def __init__(self, where, name, server, own, *args):
        role = "server" if server else "client,mac=02:00:00:00:99:01"
        self.name, self.out = name, where / f"{name}.out"
        self.dump = where / f"{name}.dump"
        with open(self.out, "w", encoding="utf-8") as out:
            self.process = subprocess.Popen(
                [BUILD / "apps" / name, "--no-huge", "-m", "256", "--no-pci", "-l", "0",
                 "--file-prefix", f"{name}-{os.getpid()}", "--vdev",
                 f"net_memif0,role={role},id=0,rsize=14,socket-abstract=no,"
                 f"socket={where}/memif",
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


def market(publish, feed, late=False, status=0, published=0, interrupt=None):
    """Both until the end of the session, or until one of them gets a signal. Returns the reader,
    and whether its books are right."""
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
            for app in (reader, publisher):
                if interrupt and app.name == interrupt[0]:
                    time.sleep(1.5)
                    app.process.send_signal(interrupt[1])
                    app.end(0)
            if interrupt and publisher.process.poll() is None:
                publisher.process.send_signal(signal.SIGINT)
            publisher.end(published)
            reader.end(status)
            reader.last, reader.publisher = reader.text(), publisher.text()
            reader.text = lambda: reader.last
            reader.dump_bytes = reader.dump.read_bytes()
            return reader, reader.dump_bytes == publisher.dump.read_bytes() != b""
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
    stages = [float(re.search(rf"^{stage}: p50 ([0-9.]+) us", reader.text(), re.M).group(1))
              for stage in ("packet to handler", "handler to book", "packet to book")]
    assert 0 < stages[0] <= stages[2] and 0 < stages[1] <= stages[2], stages


@case
def loss_and_requests():
    reader, right = market((*LOSS, *SERVE), (*REQUEST, "--tries", 1000))
    assert right
    behind = re.search(r"^line B: .*\n  behind the other one \d+ times: by ([0-9.]+) us to "
                       r"([0-9.]+) us, on average ([0-9.]+) us$", reader.text(), re.M)
    least, most, mean = map(float, behind.groups())
    assert 0 <= least <= mean <= most > 0, behind.group(0)
    assert reader.count("filled_by_request_units") > 0, reader.text()
    assert reader.count("lost_units") == 0


def line(publisher, letter):
    """What the publisher did to that line's packets."""
    said = re.search(rf"^line {letter}: (\d+) packets, lost (\d+), doubled (\d+), held back (\d+)",
                     publisher, re.M)
    return map(int, said.groups())


@case
def rough_lines():
    reader, right = market((*LOSS, "--duplicate", 50000, "--reorder", 50000, "--burst", 3,
                            "--reorder-us", 2000, "--partly", 2, *SERVE), (*REQUEST, *GLIMPSE))
    assert right
    assert reader.count("drop_duplicate") > 0, reader.text()
    for letter in "AB":
        packets, lost, doubled, held_back = line(reader.publisher, letter)
        assert lost > packets * 0.15 and doubled > packets * 0.02, reader.publisher
        assert held_back > packets * 0.02, reader.publisher
        # As the reader sees it, who has other words for what a burst of both lines leaves.
        doubled, reordered = map(int, re.search(
            rf"^line {letter}: .* doubled (\d+), reordered (\d+)$", reader.text(), re.M).groups())
        assert doubled > 0 and reordered > 0, reader.text()


@case
def a_line_behind():
    reader, right = market(("--skew-us", 20000, "--messages", 5000), ())
    assert right
    behind = re.search(r"^line B: .*\n.* on average ([0-9.]+) us$", reader.text(), re.M)
    assert behind and float(behind.group(1)) > 5000, reader.text()


@case
def late_join():
    reader, right = market((*SERVE, "--start-ms", 0, "--messages", 40000, "--end-ms", 3000),
                           (*REQUEST, *GLIMPSE, "--snapshot-over", 100), late=True)
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


def itch(kind, locate, ns, body):
    return kind + struct.pack(">HHHI", locate, 0, ns >> 32, ns & 0xffffffff) + body


def day(folder, ms, cut=0, more=()):
    """A file of a short day: one order in every of its milliseconds, half of them deleted; and what
    is to come before its last message."""
    start = 34200 * 10**9
    messages = [itch(b"R", 1, start, b"AAPL    " + b"QN" + struct.pack(">I", 100) + b"NCZ PNN1N"
                     + struct.pack(">I", 0) + b"N")]
    for i in range(1, ms + 1):
        at = start + i * 10**6
        messages.append(itch(b"A", 1, at, struct.pack(">QcI8sI", i, b"BS"[i % 2:i % 2 + 1], 100,
                                                      b"AAPL    ", 10000 + 100 * (i % 2))))
        if i % 2 == 0:
            messages.append(itch(b"D", 1, at, struct.pack(">Q", i)))
    messages += more
    messages.append(itch(b"Z", 0, at, b"of a type that is to come"))
    data = b"".join(struct.pack(">H", len(m)) + m for m in messages)
    path = pathlib.Path(folder) / "day.itch"
    path.write_bytes(data[:len(data) - cut])
    return path, len(messages)


@case
def a_file():
    """As its times say, faster, and as fast as it goes: the same messages and the same books."""
    with tempfile.TemporaryDirectory() as folder:
        path, n = day(folder, 3000)
        for speed, least, most in (("1", 3, 30), ("5", 0.6, 2.9), ("max", 0, 0.59)):
            reader, right = market(("--file", path, "--speed", speed), ())
            assert right and reader.count("delivered_messages") == n, reader.text()
            assert reader.count("unknown_type") == 1, reader.text()
            took = float(re.search(r"packets, ([0-9.]+) s", reader.publisher).group(1))
            assert least <= took <= most, (speed, took)


@case
def a_file_that_is_cut_off():
    with tempfile.TemporaryDirectory() as folder:
        path, n = day(folder, 50, cut=5)
        reader, right = market(("--file", path, "--speed", "max"), (), published=1)
        assert right and reader.count("delivered_messages") == n - 1, reader.text()
        assert "day.itch ends within a message" in reader.publisher, reader.publisher


@case
def a_file_with_monsters():
    """What no packet can hold, or no archive, is left out and counted; the rest comes."""
    with tempfile.TemporaryDirectory() as folder:
        path, n = day(folder, 50, more=(b"Z" * 300, b"Z" * 2000, b"Z" * 60000))
        reader, right = market(("--file", path, "--speed", "max"), ())
        assert right and reader.count("delivered_messages") == n - 3, reader.text()
        assert "too long for a packet 3" in reader.publisher, reader.publisher


def sent_packets(publisher):
    return int(re.search(r"in (\d+) packets, ", publisher).group(1))


@case
def packets_as_asked():
    """One message in each, or as many as have come in a while."""
    reader, right = market(("--messages", 2000, "--per-packet", 1), ())
    assert right and sent_packets(reader.publisher) == 2000, reader.publisher
    reader, right = market(("--messages", 500, "--rate", 1000, "--pack-us", 20000), ())
    assert right and sent_packets(reader.publisher) < 60, reader.publisher
    took = float(re.search(r"packets, ([0-9.]+) s", reader.publisher).group(1))
    assert took > 0.4, reader.publisher  # which is what --rate says, about


@case
def little_memory():
    """What the books have no room for is counted."""
    reader, right = market(("--messages", 2000), ("--max-orders", 20))
    assert not right and reader.count("no_room_orders") > 0, reader.text()


@case
def seeds():
    """The same market from the same seed, with the same losses on both lines; another one from
    another. The lines lose what they lose one without the other."""
    dumps, losses = [], []
    for seed in (5, 5, 6):
        reader, _ = market(("--seed", seed, "--messages", 3000, "--per-packet", 1, "--beat-ms",
                            100000, "--loss-a", 100000, "--loss-b", 100000), (), status=1)
        assert 5 < reader.count("lost_units") < 120, reader.text()
        losses.append(re.findall(r"^lost (\d+)-(\d+)$", reader.text(), re.M))
        dumps.append(reader.dump_bytes)
    assert dumps[0] == dumps[1] != dumps[2] and losses[0] == losses[1] != losses[2], losses


@case
def late_answers():
    """An answer that takes longer than patience for one: others are asked for until it comes."""
    reader, right = market((*LOSS, *SERVE, "--late-ms", 40, "--messages", 3000),
                           (*REQUEST, "--tries", 1000))
    assert right and reader.count("lost_units") == 0, reader.text()
    asked, filled = reader.count("requests"), reader.count("gaps")
    assert asked > 2 * filled > 0, reader.text()


@case
def an_odd_end():
    """Stopped by a signal in the middle: a summary of what there was, and exit status 0."""
    for name in ("perch-feed", "perch-publish"):
        for sig in (signal.SIGINT, signal.SIGTERM):
            reader, _ = market(("--messages", 10000000, "--rate", 10000), ("--seconds", 5),
                               interrupt=(name, sig))
            assert 0 < reader.count("delivered_messages") < 1000000, reader.text()


@case
def a_silent_line():
    reader, right = market(("--loss-b", 1000000, "--rate", 8000),
                           ("--silent-ms", 500, "--events"))
    day_long = reader.text().split("end of session")[0]
    assert right and "line B: silent" in day_long and "line B: heard" not in day_long, day_long
    assert day_long.count("line A: silent") == day_long.count("line A: heard"), day_long


@case
def everything_printed():
    reader, _ = market((), ("--print",))
    numbers = [int(n) for n in re.findall(r"^(\d+) [A-Za-z]", reader.text(), re.M)]
    assert numbers == list(range(1, 20001)), (len(numbers), numbers[:3])


@case
def a_live_view():
    reader, _ = market(("--rate", 8000), ("--view",))
    views = re.findall(r"^(\d+) messages/s; missing on A 0, on B 0; gaps 0, requests 0, lost 0$",
                       reader.text(), re.M)
    assert len(views) >= 2 and 0 < sum(map(int, views)) <= 20000, reader.text()
    assert re.search(r"^  S0001 +\d+ +\d+\.\d{4} x +\d+\.\d{4} +\d+$", reader.text(), re.M)


@case
def tops_published():
    """The tops that are printed are also what the datagrams say."""
    with tempfile.TemporaryDirectory() as folder:
        record = pathlib.Path(folder) / "day"
        reader, _ = market(("--record", record), ("--top", "--top-to", "10.99.0.1:9999",
                                                  "--symbols", "S0003"))
        printed = re.findall(rb"^S0003    .* x .*$", reader.text().encode(), re.M)
        sent = re.findall(rb"S0003    [ 0-9.]+ x [ 0-9.]{11} [ 0-9]{8}", record.read_bytes())
        assert printed and sent == printed, (len(printed), len(sent))


@case
def one_source():
    """A channel of that source, and not of another one (SSM)."""
    reader, right = market((), ("--source", "10.99.0.1"))
    assert right and reader.count("delivered_messages") == 20000, reader.text()
    reader, _ = market((), ("--source", "10.99.0.9", "--seconds", 3))
    assert reader.count("delivered_messages") == 0, reader.text()


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
