#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""perch-load against perch-echo over shared memory: every mode measures something plausible, the
open loop keeps its rate and charges a stalled server for it, and mistakes are usage errors."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

APPS = pathlib.Path(sys.argv[1])
ORDINARY = ["--no-huge", "-m", "256"]
SHARED = ["--in-memory", "--single-file-segments", "-m", "256"]
FREE_HUGE = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")


class Skip(Exception):
    """What a case needs is not here."""


class Server:
    def __init__(self, folder, memory=ORDINARY, wire=""):
        self.socket, self.memory, self.wire = f"{folder}/memif.sock", memory, wire
        vdev = f"net_memif0,role=server,id=0,socket-abstract=no,socket={self.socket}"
        self.process = subprocess.Popen(
            [APPS / "perch-echo", "--no-pci", "-l", "0", *memory,
             f"--file-prefix=pls-{os.getpid()}",
             "--vdev", vdev + wire.replace(",zero-copy=yes", ""), "--",
             "--ip", "10.99.0.2/24", "--idle", "backoff", "--discard-port", "10", "--check",
             "--chargen-port", "19"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            if "serving" in line:
                return
        raise RuntimeError("perch-echo did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self):
        """Its exit status, and what it has said."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGINT)
            self.said = self.process.communicate(timeout=20)[0]
        return self.process.returncode, self.said


def begin(server, *options, port="7"):
    wire = (f"net_memif0,role=client,id=0,mac=02:00:00:00:99:01,socket-abstract=no,"
            f"socket={server.socket}{server.wire}")
    return subprocess.Popen(
        [APPS / "perch-load", "--no-pci", "-l", "0", *server.memory,
         f"--file-prefix=plc-{os.getpid()}", "--vdev", wire, "--",
         "--ip", "10.99.0.11-10.99.0.14/24", "--idle", "backoff", "--json",
         "--duration", "1", "--warm-up", "0", *options, "10.99.0.2", port],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until_it_measures(process):
    while "measuring" not in (line := process.stderr.readline()):
        assert line, process.communicate()


def load(server, *options, status=0, freeze=None, port="7"):
    process = begin(server, *options, *([] if freeze else ["--quiet"]), port=port)
    if freeze:
        wait_until_it_measures(process)
        freeze(server.process)
    out, err = process.communicate(timeout=40)
    assert process.returncode == status, (options, process.returncode, err, out[:700])
    return json.loads(out.strip().split("\n")[-1])


def plausible(r, least):
    assert r["errors"] == 0 and r["wrong"] == 0 and r["lost"] == 0, r
    assert r["requests"] >= least, r["requests"]
    assert r["latency_ns"]["count"] == r["requests"]
    assert 0 < r["latency_ns"]["p50"] <= r["latency_ns"]["p99"] <= r["latency_ns"]["max"]


def closed_loop(server):
    plausible(load(server, "--conns", "8", "--check"), 1000)
    plausible(load(server, "--conns", "8", "--depth", "16", "--check", "--size", "100"), 1000)


def some_idle(server):
    r = load(server, "--conns", "200", "--hot", "3", "--check")
    plausible(r, 300)
    assert r["engine"]["tcp_opened_active"] == 201


def open_loop(server):
    r = load(server, "--conns", "8", "--rate", "5000", "--duration", "2", "--check")
    plausible(r, 8000)
    assert r["requests"] <= 10500, r["requests"]


def a_stall_is_charged(server):
    """The server stops for a third of a second: so many requests were due meanwhile, and each of
    them waited. A closed loop would report a handful of slow ones."""
    def freeze(process):
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.35)
        process.send_signal(signal.SIGCONT)
    r = load(server, "--conns", "8", "--rate", "5000", "--duration", "3", freeze=freeze)
    plausible(r, 12000)
    assert r["latency_ns"]["max"] > 250e6, r["latency_ns"]
    assert r["latency_ns"]["p99"] > 100e6, r["latency_ns"]


def one_connection_each(server):
    plausible(load(server, "--connect", "--conns", "8", "--check"), 300)
    r = load(server, "--connect", "--conns", "8", "--rate", "500", "--duration", "2")
    plausible(r, 750)
    assert r["requests"] <= 1100, r["requests"]


def datagrams(server):
    r = load(server, "--udp", "--conns", "8", "--check")
    assert r["wrong"] == 0 and r["requests"] > 1000, r
    plausible(load(server, "--udp", "--conns", "8", "--rate", "2000", "--duration", "2",
                   "--check"), 3200)


def late_datagrams(server):
    """What was given up and comes after all is no answer, and in nobody's way."""
    def freeze(process):
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.7)
        process.send_signal(signal.SIGCONT)
    r = load(server, "--udp", "--conns", "8", "--rate", "160", "--duration", "3", freeze=freeze)
    assert 0 < r["lost"] <= 8 * 16, r["lost"]
    assert r["errors"] == 0 and r["wrong"] == 0, r
    assert 300 <= r["requests"] <= 3 * 160, r["requests"]


def bulk(server):
    r = load(server, "--bulk", "--conns", "2", "--size", "1448", "--check")
    assert r["errors"] == 0 and r["wrong"] == 0 and r["bytes"] > 1 << 20, r


def streams(server):
    """Each way, to and fro; every byte is compared by who gets it."""
    r = load(server, "--send", "--conns", "2", port="10")
    assert r["errors"] == 0 and r["bytes"] > 1 << 20, r
    r = load(server, "--send", "--lend", "--conns", "2", port="10")
    assert r["errors"] == 0 and r["bytes"] > 1 << 20, r
    assert r["engine"].get("tcp_lent", 0) > 1000 or "zero-copy" in server.wire, r["engine"]
    r = load(server, "--receive", "--conns", "2", "--check", port="19")
    assert r["errors"] == 0 and r["wrong"] == 0 and r["bytes"] > 1 << 20, r
    bulk(server)


def zero_copy(_):
    """The client's packets are read where they lie, and it gets its own filled: nothing that the
    peer still reads may be written. Rings of 128 are full most of the time."""
    if not FREE_HUGE.exists() or int(FREE_HUGE.read_text()) < 300:
        raise Skip("600 MB of huge pages are wanted")
    wire = ",zero-copy=yes,rsize=7"
    with tempfile.TemporaryDirectory() as folder, Server(folder, SHARED, wire) as server:
        streams(server)
        status, said = server.stop()
        assert status == 0 and "each compared" in said, said


def a_wrong_stream_is_told(_):
    """What is discarded is not RFC 864's stream: that is said, and the exit status is 1."""
    with tempfile.TemporaryDirectory() as folder, Server(folder) as server:
        load(server, "--conns", "1", port="10", status=1)
        status, said = server.stop()
        assert status == 1 and "NOT as they were sent" in said, (status, said)


def killed(_):
    """Whose load is killed while packets flow serves the next one: what the driver maps is not
    taken from under it, and what is queued for those that have gone leaves packet buffers."""
    with tempfile.TemporaryDirectory() as folder, Server(folder) as server:
        for _ in range(4):
            process = begin(server, "--bulk", "--conns", "8", "--depth", "16", "--size", "4096",
                            "--duration", "30")
            wait_until_it_measures(process)
            time.sleep(0.1)
            process.kill()
            process.communicate(timeout=20)
            assert server.process.poll() is None, server.process.returncode
        plausible(load(server, "--conns", "8", "--check"), 300)
        status, _ = server.stop()
        assert status == 0, status


def refused(server):
    """Nobody listens on port 9: that is said, and the exit status is 1."""
    load(server, "--conns", "2", port="9", status=1)


def usage(_):
    ip = ["--ip", "10.99.0.1/24"]
    for bad in ([], ["--udp", "--bulk", *ip, "10.99.0.2", "7"], [*ip, "10.99.0.2"],
                ["--hot", "9", "--conns", "8", *ip, "10.99.0.2", "7"],
                [*ip, "fd00::1", "7"], ["--udp", "--size", "4", *ip, "10.99.0.2", "7"],
                ["--depth", "200", "--size", "60000", *ip, "10.99.0.2", "7"],
                ["--bulk", "--rate", "5", *ip, "10.99.0.2", "7"],
                ["--send", "--receive", *ip, "10.99.0.2", "7"],
                ["--send", "--check", *ip, "10.99.0.2", "7"]):
        process = subprocess.run([APPS / "perch-load", "--no-huge", "--", *bad],
                                 capture_output=True, text=True, timeout=20, check=False)
        assert process.returncode == 2, (bad, process.returncode)
        assert process.stderr.count("\n") == 1, process.stderr


def main():
    cases = (closed_loop, some_idle, open_loop, a_stall_is_charged, one_connection_each,
             datagrams, late_datagrams, streams, zero_copy, a_wrong_stream_is_told, killed,
             refused, usage)
    failed = skipped = 0
    with tempfile.TemporaryDirectory() as folder, Server(folder) as server:
        for case in cases:
            try:
                case(server)
            except Skip as e:
                skipped += 1
                print(f"SKIP {case.__name__}: {e}")
            except (AssertionError, subprocess.TimeoutExpired, ValueError) as e:
                failed += 1
                print(f"FAIL {case.__name__}: {e!r}"[:2000])
    print(f"load: {len(cases) - failed - skipped} passed, {failed} failed, {skipped} skipped")
    sys.exit(failed > 0)


main()
