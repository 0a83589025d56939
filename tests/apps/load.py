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
EAL = ["--no-huge", "-m", "256", "--no-pci", "-l", "0"]


class Server:
    def __init__(self, folder):
        self.socket = f"{folder}/memif.sock"
        wire = f"net_memif0,role=server,id=0,socket-abstract=no,socket={self.socket}"
        self.process = subprocess.Popen(
            [APPS / "perch-echo", *EAL, f"--file-prefix=pls-{os.getpid()}", "--vdev", wire, "--",
             "--ip", "10.99.0.2/24", "--idle", "backoff"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        for line in self.process.stdout:
            if "serving" in line:
                return
        raise RuntimeError("perch-echo did not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=20)


def load(server, *options, status=0, freeze=None, port="7"):
    wire = (f"net_memif0,role=client,id=0,mac=02:00:00:00:99:01,socket-abstract=no,"
            f"socket={server.socket}")
    process = subprocess.Popen(
        [APPS / "perch-load", *EAL, f"--file-prefix=plc-{os.getpid()}", "--vdev", wire, "--",
         "--ip", "10.99.0.11-10.99.0.14/24", "--idle", "backoff", "--quiet", "--json",
         "--duration", "1", "--warm-up", "0", *options, "10.99.0.2", port],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if freeze:
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
    r = load(server, "--conns", "8", "--rate", "5000", "--check")
    plausible(r, 4500)
    assert r["requests"] <= 5500, r["requests"]


def a_stall_is_charged(server):
    """The server stops for a third of a second: so many requests were due meanwhile, and each of
    them waited. A closed loop would report a handful of slow ones."""
    def freeze(process):
        time.sleep(1.0)  # EAL's start takes some of it
        process.send_signal(signal.SIGSTOP)
        time.sleep(0.35)
        process.send_signal(signal.SIGCONT)
    r = load(server, "--conns", "8", "--rate", "5000", "--duration", "3", freeze=freeze)
    plausible(r, 12000)
    assert r["latency_ns"]["max"] > 250e6, r["latency_ns"]
    assert r["latency_ns"]["p99"] > 100e6, r["latency_ns"]


def one_connection_each(server):
    plausible(load(server, "--connect", "--conns", "8", "--check"), 300)
    r = load(server, "--connect", "--conns", "8", "--rate", "500")
    plausible(r, 400)
    assert r["requests"] <= 600, r["requests"]


def datagrams(server):
    r = load(server, "--udp", "--conns", "8", "--check")
    assert r["wrong"] == 0 and r["requests"] > 1000, r
    plausible(load(server, "--udp", "--conns", "8", "--rate", "2000", "--check"), 1800)


def bulk(server):
    r = load(server, "--bulk", "--conns", "2", "--size", "1448", "--check")
    assert r["errors"] == 0 and r["wrong"] == 0 and r["bytes"] > 1 << 20, r


def refused(server):
    """Nobody listens on port 9: that is said, and the exit status is 1."""
    load(server, "--conns", "2", port="9", status=1)


def usage(_):
    ip = ["--ip", "10.99.0.1/24"]
    for bad in ([], ["--udp", "--bulk", *ip, "10.99.0.2", "7"], [*ip, "10.99.0.2"],
                ["--hot", "9", "--conns", "8", *ip, "10.99.0.2", "7"],
                [*ip, "fd00::1", "7"], ["--udp", "--size", "4", *ip, "10.99.0.2", "7"],
                ["--depth", "200", "--size", "60000", *ip, "10.99.0.2", "7"],
                ["--bulk", "--rate", "5", *ip, "10.99.0.2", "7"]):
        process = subprocess.run([APPS / "perch-load", "--no-huge", "--", *bad],
                                 capture_output=True, text=True, timeout=20, check=False)
        assert process.returncode == 2, (bad, process.returncode)
        assert process.stderr.count("\n") == 1, process.stderr


def main():
    cases = (closed_loop, some_idle, open_loop, a_stall_is_charged, one_connection_each,
             datagrams, bulk, refused, usage)
    failed = 0
    with tempfile.TemporaryDirectory() as folder, Server(folder) as server:
        for case in cases:
            try:
                case(server)
            except (AssertionError, subprocess.TimeoutExpired, ValueError) as e:
                failed += 1
                print(f"FAIL {case.__name__}: {e!r}"[:2000])
    print(f"load: {len(cases) - failed} passed, {failed} failed, 0 skipped")
    sys.exit(failed > 0)


main()
