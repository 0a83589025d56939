#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The speed of perch beside that of others, in one run on one machine: what `./perch bench` does.

CPU 0 serves, CPU 1 loads. The wires: net_memif between two processes, net_ring within one, and a
veth pair where the peer must be Linux. Every figure is the median of --rounds; all contenders of a
section take their turns within each round, so that a busy minute of the machine hits all of them.
"""
import argparse
import collections
import json
import os
import pathlib
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("PERCH_BUILD", "build")
APPS, BENCH = BUILD / "apps", BUILD / "tests/bench"
HUGE = pathlib.Path("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages")
PORT = "7"
NEAR_NS = 250  # a cache line's way to the other CPU and back: 110 to 130 near here, 500 far
TRIES = 20


class Missing(Exception):
    """A contender that cannot run here, with the reason."""


# ---- processes ----------------------------------------------------------------------------------

def start(argv, **kw):
    return subprocess.Popen([str(a) for a in argv], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, **kw)


def stop(process):
    """Ends a process of ours and returns what it has said."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        return process.communicate(timeout=15)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


def run(argv, timeout):
    p = subprocess.run([str(a) for a in argv], capture_output=True, text=True, timeout=timeout,
                       check=False)
    if p.returncode != 0:
        raise Missing(f"{argv[0]}: {p.stderr.strip()[-200:] or p.stdout.strip()[-200:]}")
    return p.stdout


class Wire:
    """A net_memif wire between two processes of one round. log2_ring: of its rings; zero_copy: the
    client's packets are read and written where they lie."""
    number = 0

    def __init__(self, folder, log2_ring=0, zero_copy=False):
        Wire.number += 1
        self.options = f",rsize={log2_ring}" if log2_ring else ""
        self.zero_copy = zero_copy
        self.prefix = f"perch-bench-{os.getpid()}-{Wire.number}"
        self.socket = f"{folder}/wire{Wire.number}.sock"
        huge = HUGE.exists() and int(HUGE.read_text()) >= 512
        if zero_copy and not huge:
            raise Missing("zero copy needs huge pages")
        self.memory = ["--in-memory"] if huge else ["--no-huge", "-m", "1024"]
        if zero_copy:
            self.memory += ["--single-file-segments", "-m", "512"]

    def vdev(self, role):
        mac = "02:00:00:00:99:02" if role == "server" else "02:00:00:00:99:01"
        zero_copy = ",zero-copy=yes" if self.zero_copy and role == "client" else ""
        return (f"net_memif0,role={role},id=0,mac={mac},socket-abstract=no,"
                f"socket={self.socket}{self.options}{zero_copy}")

    def eal(self, role, cpu):
        return ["-l", cpu, "--no-pci", *self.memory, f"--file-prefix={self.prefix}{role[0]}",
                "--vdev", self.vdev(role)]

    def bounce(self, *options, seconds, timeout=60):
        """A load without a stack: see bounce.c."""
        out = run([BENCH / "bounce", *self.eal("client", "1"), "--", "--ip", "10.99.1.1",
                   "--duration", max(1, round(seconds)), *options, "10.99.0.2", PORT],
                  timeout + seconds)
        return json.loads(out.strip().split("\n")[-1])

    def load(self, *options, seconds, sources="10.99.0.11", timeout=60, port=PORT):
        out = run([APPS / "perch-load", *self.eal("client", "1"), "--", "--ip", f"{sources}/16",
                   "--quiet", "--json", "--duration", max(1, round(seconds)), *options,
                   "10.99.0.2", port], timeout + seconds)
        return json.loads(out.strip().split("\n")[-1])


def counters(text):
    return {k: int(v) for k, v in re.findall(r"^  (\w+)\s+(\d+)  ", text, re.M)}


# ---- contenders on net_memif --------------------------------------------------------------------

def perch_server(wire, *options):
    return start([APPS / "perch-echo", *wire.eal("server", "0"), "--", "--ip", "10.99.0.2/16",
                  *options])


def peer_server(command):
    def begin(wire, *_):
        words = {"vdev": wire.vdev("server"), "cpu": "0", "ip": "10.99.0.2", "port": PORT,
                 "prefix": wire.prefix + "s", "memory": " ".join(wire.memory)}
        return start(["/bin/sh", "-c", "exec " + command.format(**words)])
    return begin


def resident_mb(process):
    """What the process holds of memory now, huge pages apart; nothing if it has just died."""
    text = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    kb = re.search(r"VmRSS:\s+(\d+)", text)
    return int(kb.group(1)) / 1024 if kb else 0


def on_memif(folder, begin, *options, seconds, server_options=(), wire_options=None,
             load=Wire.load, **kw):
    wire = Wire(folder, **(wire_options or {}))
    server = begin(wire, *server_options)
    resident = []
    early = threading.Timer(3, lambda: resident.append(resident_mb(server)))
    try:
        time.sleep(0.8)
        early.start()
        result = load(wire, *options, seconds=seconds, **kw)
        result["resident_mb"] = (*resident, resident_mb(server))
    finally:
        early.cancel()
        died = server.poll() is not None
        said = stop(server)
    result["server"] = counters(said)
    if died or server.returncode != 0 and begin is perch_server:
        raise Missing("the server ends with " + said.strip()[-100:])
    return result


def shared_copy(slots, seconds=0.5):
    """What the two CPUs can copy through shared memory, and how far apart they are."""
    r = json.loads(run([BENCH / "shared_copy", seconds, slots], 20))
    return {"gbit_per_s": r[f"gbit_per_s_{slots}"], "line_ns": r["line_round_trip_ns"]}


def testpmd(folder, seconds):
    """Two testpmd that swap MAC addresses: 64 frames as long as a 64-byte request go to and fro.
    Its main thread spins beside the one that forwards: the scheduler is told to prefer the other.
    """
    if not shutil.which("dpdk-testpmd"):
        raise Missing("dpdk-testpmd is not installed (package dpdk-dev)")
    wire = Wire(folder)
    processes = []
    try:
        for role, cpu in (("server", 0), ("client", 1)):
            extra = ["--auto-start"] if role == "server" else ["--tx-first", "--burst=64",
                                                               "--txpkts=130"]
            processes.append(start(
                ["dpdk-testpmd", "--lcores", f"0@{cpu},1@{cpu}", "--no-pci", *wire.memory,
                 f"--file-prefix={wire.prefix}{role[0]}", "--vdev", wire.vdev(role), "--",
                 "--nb-cores=1", "--forward-mode=macswap", "--total-num-mbufs=16384",
                 "--stats-period", "1", *extra]))
            os.sched_setscheduler(processes[-1].pid, os.SCHED_IDLE, os.sched_param(0))
            time.sleep(0.8)
        for p in processes:  # threads made meanwhile have inherited it
            for task in os.listdir(f"/proc/{p.pid}/task"):
                if int(task) != p.pid:
                    os.sched_setscheduler(int(task), os.SCHED_OTHER, os.sched_param(0))
        time.sleep(3 + seconds)
    finally:
        said = [stop(p) for p in reversed(processes)][0]
    rates = [int(r) for r in re.findall(r"Rx-pps:\s+(\d+)", said)]
    if len(rates) < 3:
        raise Missing("testpmd printed no rates")
    return {"rate": statistics.median(rates[2:] or rates)}


def gaps(seconds):
    """What the machine takes from two threads that only spin, each on its CPU."""
    return json.loads(run([BENCH / "gaps", seconds, tsc_hz()], seconds + 20))


def ring(seconds, conns):
    out = run([BENCH / "ring_speed", conns, 64, seconds, 0], 60)
    return json.loads(out.strip().split("\n")[-1])


# ---- contenders on a veth -----------------------------------------------------------------------

class Veth:
    """A veth pair into a network namespace, in which the Linux client runs."""

    def __init__(self):
        if os.geteuid() != 0:
            raise Missing("a veth needs root")
        self.ns, self.outer, self.inner = (f"{n}{os.getpid()}" for n in ("pb", "pbo", "pbi"))
        ip = ("ip", "-n", self.ns)
        run(("ip", "netns", "add", self.ns), 10)
        run(("ip", "link", "add", self.outer, "type", "veth", "peer", "name", self.inner, "netns",
             self.ns), 10)
        run((*ip, "link", "set", self.inner, "up"), 10)
        run((*ip, "addr", "add", "10.98.0.1/24", "dev", self.inner), 10)
        run(("ip", "link", "set", self.outer, "up"), 10)

    def kernel_address(self, on):
        run(("ip", "addr", "add" if on else "del", "10.98.0.2/24", "dev", self.outer), 10)

    def offloads(self, on):
        """A raw peer must see real checksums and segments; the kernel's own server need not."""
        state = "on" if on else "off"
        features = [w for f in ("tx", "rx", "gso", "gro", "tso") for w in (f, state)]
        for where in ((), ("ip", "netns", "exec", self.ns)):
            subprocess.run([*where, "ethtool", "-K", self.inner if where else self.outer,
                            *features], capture_output=True, check=False)

    def load(self, conns, seconds):
        out = run(("ip", "netns", "exec", self.ns, "taskset", "-c", "1", BENCH / "epoll_load",
                   "10.98.0.2", PORT, conns, 64, seconds), 30 + seconds)
        return json.loads(out)

    def close(self):
        subprocess.run(("ip", "link", "del", self.outer), capture_output=True, check=False)
        subprocess.run(("ip", "netns", "del", self.ns), capture_output=True, check=False)


def on_veth(argv, conns, seconds, kernel=True):
    veth = Veth()
    server = None
    try:
        veth.offloads(kernel)
        if kernel:
            veth.kernel_address(True)
        else:
            argv = [a.replace("VETH", veth.outer) for a in map(str, argv)]
        server = start(["taskset", "-c", "0", *argv])
        time.sleep(1.0)
        return veth.load(conns, seconds)
    finally:
        if server:
            stop(server)
        veth.close()


def on_tap(conns, seconds):
    """perch on a tap of its own, whose kernel side is the client's."""
    veth = Veth()  # for its namespace
    tap = f"pbt{os.getpid()}"
    server = start(["taskset", "-c", "0", *perch_on(f"net_tap0,iface={tap}")])
    ip = ("ip", "-n", veth.ns)
    try:
        time.sleep(1.0)
        run(("ip", "link", "set", veth.outer, "down"), 10)
        run((*ip, "addr", "del", "10.98.0.1/24", "dev", veth.inner), 10)
        run(("ip", "link", "set", tap, "netns", veth.ns), 10)
        run((*ip, "addr", "add", "10.98.0.1/24", "dev", tap), 10)
        run((*ip, "link", "set", tap, "up"), 10)
        return veth.load(conns, seconds)
    finally:
        stop(server)
        veth.close()


def go_server(folder):
    if not shutil.which("go"):
        raise Missing("go is not installed (package golang-go)")
    binary = pathlib.Path(folder) / "echo-go"
    if not binary.exists():
        env = dict(os.environ, GOCACHE=f"{folder}/gocache", GO111MODULE="off")
        subprocess.run(["go", "build", "-o", binary, ROOT / "tests/bench/echo.go"], env=env,
                       check=True, capture_output=True)
    return binary


def perch_on(vdev):
    return [APPS / "perch-echo", "-l", "0", "--no-pci", "--no-huge", "-m", "512",
            f"--file-prefix=perch-bench-v{os.getpid()}", "--vdev", vdev, "--", "--ip",
            "10.98.0.2/24"]


# ---- what is measured ---------------------------------------------------------------------------

STAGES = ("rx", "input", "timers", "wake", "handlers", "output", "tx")


def stage_cycles(server):
    packets = server.get("stage_packets", 0)
    return {s: server.get(f"stage_{s}_cycles", 0) / packets for s in STAGES} if packets else {}


# What perch_lcore_turn calls, by stage; what is not named here is the turn's own.
CALLS = {"receive": "input", "perch_port_rx": "rx", "perch_net_input": "input",
         "perch_sched_run": "handlers", "perch_net_output": "output", "perch_port_tx": "tx",
         "perch_net_next_ready": "wake", "perch_co_prefetch": "wake", "perch_co_wake_id": "wake",
         "perch_wheel_arm": "timers", "perch_wheel_expire": "timers", "perch_net_expire": "timers",
         "perch_net_next_arm": "timers", "perch_net_tick": "timers",
         "perch_sched_advance": "timers"}


def callgrind(requests, folder):
    """(requests answered, instructions of the server in all, and by stage) of one run."""
    out = pathlib.Path(folder) / "callgrind.out"
    p = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}",
                        "--toggle-collect=turn_of_server", BENCH / "ring_speed", "64", "64", "0",
                        str(requests)], capture_output=True, text=True, timeout=120, check=False)
    total = re.search(r"Collected : (\d+)", p.stderr)
    answered = re.search(r'"requests": (\d+)', p.stdout)
    if not total or not answered:
        raise Missing("callgrind did not finish: " + p.stderr.strip()[-100:])
    names, stages, caller, callee, called = {}, collections.Counter(), "", "", False
    for line in out.read_text().splitlines():
        key, _, value = line.partition("=")
        if key in ("fn", "cfn"):
            number, _, name = value.partition(" ")
            name = names.setdefault(number, name).split("'")[0]
            caller, callee = (name, callee) if key == "fn" else (caller, name)
        called, was = key == "calls", called
        if was and caller in ("perch_lcore_turn", "receive") and callee in CALLS:
            stages[CALLS[callee] if callee != "receive" else "receive"] += int(line.split()[1])
    stages["input"] = stages.pop("receive", 0) - stages["rx"] or stages["input"]
    return int(answered.group(1)), int(total.group(1)), stages


def instructions(folder):
    """Per request, of the server alone: 64 connections over net_ring, both engines in turns on one
    thread. The difference of two lengths leaves out the start. The clock is the real one: on a
    machine so busy that valgrind's slowness makes TCP send again, there are more."""
    if not shutil.which("valgrind"):
        raise Missing("valgrind is not installed")
    (n1, i1, s1), (n2, i2, s2) = (callgrind(n, folder) for n in (10000, 30000))
    stages = {s: (s2[s] - s1[s]) / (n2 - n1) for s in STAGES}
    return {"instructions": (i2 - i1) / (n2 - n1), "stages": stages}


class Sections:
    """Each returns {contender: function of no arguments that runs it once}."""

    def __init__(self, a, folder):
        self.a, self.folder = a, folder
        self.servers = {"perch": perch_server}
        self.servers |= {name: peer_server(command) for name, command in a.peer}

    def memif(self, *options, **kw):
        kw.setdefault("seconds", self.a.seconds)
        return {name: lambda begin=begin: on_memif(self.folder, begin, *options, **kw)
                for name, begin in self.servers.items()}

    def echo(self):
        """64 connections, 64 bytes, closed loop: requests a second"""
        s = self.a.seconds
        cases = self.memif("--conns", 64)
        cases["testpmd mac-swap (frames)"] = lambda: testpmd(self.folder, s)
        cases["perch, net_ring"] = lambda: ring(s, 64)
        cases["epoll, veth"] = lambda: on_veth([BENCH / "epoll_echo", PORT, "--busy"], 64, s)
        cases["go, veth"] = lambda: on_veth([go_server(self.folder), PORT], 64, s)
        return "rate", cases

    def served(self):
        """64 connections, 64 bytes, closed loop by clients without a stack: requests a second"""
        cases = self.memif("--conns", 64, load=Wire.bounce)
        cases["perch"] = lambda: on_memif(self.folder, perch_server, "--conns", 64, "--check",
                                          seconds=self.a.seconds, load=Wire.bounce)
        cases["testpmd mac-swap (frames)"] = lambda: testpmd(self.folder, self.a.seconds)
        return "rate", cases

    def rtt(self):
        """1 connection, 64 bytes: median round trip, ns"""
        cases = self.memif("--conns", 1)
        cases["perch, net_ring"] = lambda: ring(self.a.seconds, 1)
        return "p50", cases

    def half(self):
        """64 connections, an open loop at half the closed loop's rate: p99.9 / p50"""
        def case(begin):
            def once():
                top = on_memif(self.folder, begin, "--conns", 64, seconds=1)["rate"]
                floor = gaps(self.a.seconds)
                r = on_memif(self.folder, begin, "--conns", 64, "--rate", int(top / 2),
                             seconds=self.a.seconds)
                return r | {"gaps": floor}
            return once
        return "tail", {name: case(begin) for name, begin in self.servers.items()}

    def connect(self):
        """connect, one request, close: connections a second"""
        return "connections", self.memif("--connect", "--conns", 64, sources="10.99.1.1-10.99.1.32",
                                  server_options=("--max-conns", "262144"))

    def bulk(self):
        """one connection echoes bulk at MSS 1448: Gbit/s each way"""
        return "gbit_per_s", self.memif("--bulk", "--conns", 1, "--size", 16384, "--check")

    def stream(self):
        """one connection, one way, MSS 1448, every byte compared: Gbit/s"""
        def case(*options, port, **wire):
            return lambda: on_memif(
                self.folder, perch_server, "--conns", 1, *options, seconds=self.a.seconds,
                port=port, wire_options=wire,
                server_options=("--discard-port", 9, "--chargen-port", 19, "--check"))
        cases = {}
        for wire, kw in (("", {}), (", zero copy", {"zero_copy": True, "log2_ring": 9})):
            cases["perch, client sends" + wire] = case("--send", port="9", **kw)
            cases["perch, client lends" + wire] = case("--send", "--lend", port="9", **kw)
            cases["perch, server sends" + wire] = case("--receive", "--check", port="19", **kw)
        cases["memcpy there, memcpy back"] = lambda: shared_copy(1024)
        return "gbit_per_s", cases

    def many(self):
        """connections by the thousand, of which 4,096 busy at most: requests a second"""
        def served(conns):
            return lambda: on_memif(
                self.folder, perch_server, "--conns", conns, "--hot", min(conns, 4096), "--check",
                "--warm-up", 4 if conns > 100000 else 1, seconds=self.a.seconds, timeout=120,
                load=Wire.bounce,
                server_options=("--max-conns", conns + 4096, "--mbufs", 32768))

        def case(conns):
            hot, sources = min(conns, 4096), max(1, conns // 20000)
            # What opening leaves behind, such as the ends of dialling's ten seconds, is over then.
            warm_up = 11 if conns > 100000 else 1
            return lambda: on_memif(
                self.folder, perch_server, "--conns", conns, "--hot", hot, "--warm-up", warm_up,
                seconds=self.a.seconds,
                sources=f"10.99.1.1-10.99.{1 + sources // 250}.{sources % 250 + 1}", timeout=300,
                server_options=("--max-conns", conns + 4096, "--mbufs", 32768))
        sizes = (64, 4096, self.a.conns)
        return "rate", {f"perch, {n:,} conns": case(n) for n in sizes} | {
            f"clients without a stack, {n:,}": served(n) for n in sizes}

    def linux(self):
        """1 connection from a Linux client over a veth or a tap: median round trip, ns"""
        s = self.a.seconds
        return "p50", {
            "epoll": lambda: on_veth([BENCH / "epoll_echo", PORT], 1, s),
            "epoll, busy": lambda: on_veth([BENCH / "epoll_echo", PORT, "--busy"], 1, s),
            "perch, net_af_packet": lambda: on_veth(perch_on("net_af_packet0,iface=VETH"), 1, s,
                                                    kernel=False),
            "perch, net_tap": lambda: on_tap(1, s)}

    def instructions(self):
        """instructions a request, of the server (callgrind, net_ring)"""
        return "instructions", {"perch": lambda: instructions(self.folder)}


NAMES = ("echo", "served", "rtt", "half", "connect", "bulk", "stream", "many", "linux",
         "instructions")


def figure(kind, r):
    latency = r.get("latency_ns", {})
    if kind == "connections":
        return r["rate"]
    if kind == "p50":
        return latency["p50"]
    if kind == "tail":
        return latency["p99.9"] / max(1, latency["p50"])
    return r[kind]


def is_wanted(cpus):
    """Are the CPUs as far apart as was asked for? A virtual machine's move now and then."""
    return cpus == "any" or (shared_copy(256, 0.01)["line_ns"] < NEAR_NS) == (cpus == "near")


def once_while(a, once):
    """Runs it until the CPUs were as wanted before and after. Raises Missing when that does not
    happen."""
    for _ in range(TRIES):
        for _ in range(TRIES):
            if is_wanted(a.cpus):
                break
            time.sleep(1)
        r = once()
        if is_wanted(a.cpus):
            return r
    raise Missing(f"the CPUs were not {a.cpus} long enough")


def measure(a, kind, cases):
    """{contender: results of all rounds}"""
    results, gone = collections.defaultdict(list), {}
    for _ in range(1 if kind == "instructions" else a.rounds):
        for name, once in cases.items():
            if name in gone:
                continue
            try:
                r = once_while(a, once)
                r["figure"] = figure(kind, r)
                results[name].append(r)
            except (Missing, subprocess.TimeoutExpired, KeyError, ValueError) as e:
                gone[name] = str(e)[:150]
                print(f"  {name}: not measured: {gone[name]}", file=sys.stderr)
    return results


def opened_much(r):
    """Opening was so large a part of the run that its packets tell in the stages' averages."""
    return 20 * r.get("conns", 0) > r.get("requests", 0)


def show(title, kind, results):
    print(f"\n{title}")
    base = next((n for n in results if n.startswith("perch")), next(iter(results), None))
    mid = {n: statistics.median(r["figure"] for r in rs) for n, rs in results.items()}
    for name, rs in results.items():
        each = [r["figure"] for r in rs]
        ratio = "" if name == base else f"  perch = {mid[base] / mid[name]:.2f} x" \
            if base.startswith("perch") and mid[name] else ""
        digits = 2 if mid[name] < 1000 else 0
        print(f"  {name:28} {mid[name]:>14,.{digits}f}  "
              f"({min(each):,.{digits}f} - {max(each):,.{digits}f}){ratio}")
        last = sorted(rs, key=lambda r: r["figure"])[len(rs) // 2]
        if "line_ns" in last:
            print(f"    a cache line's way to the other CPU and back: {last['line_ns']:.0f} ns")
        if "latency_ns" in last and kind != "gbit_per_s":
            us = {k: last["latency_ns"][k] / 1e3 for k in ("p50", "p99", "p99.9")}
            print("    " + ", ".join(f"{k} {v:.2f} us" for k, v in us.items()))
        if kind == "connections":
            print("    resident, after 3 s and at the end: " + ", ".join(
                f"{mb:.1f} MB" for mb in last["resident_mb"]))
        if "gaps" in last:
            print("    a bare loop, just before: " + "; ".join(
                f"CPU {i}: {100 * g['lost']:.2f} % of the time lost in gaps, the longest "
                f"{g['gaps_ns']['max'] / 1e3:.0f} us" for i, g in enumerate(last["gaps"])))
        if "stages" in last:
            print("    by stage: " + ", ".join(f"{k} {v:.0f}" for k, v in last["stages"].items()) +
                  f"; the rest {last['figure'] - sum(last['stages'].values()):.0f}")
        cycles = stage_cycles(last.get("server", last))
        if cycles:
            print("    cycles a packet: " + ", ".join(f"{k} {v:.0f}" for k, v in cycles.items()) +
                  f"; sum {sum(cycles.values()):.0f}" +
                  (", opening included" if opened_much(last) else ""))
        busy = {who: last.get("rate", 0) * sum(stage_cycles(last.get(key, {})).values()) / tsc_hz()
                for who, key in (("server", "server"), ("load", "engine"))}
        if kind == "rate" and all(busy.values()) and not opened_much(last):
            print("    busy with packets: " + ", ".join(f"{who} {100 * b:.0f} %"
                                                       for who, b in busy.items()))
        if cycles and kind == "p50":
            ghz = tsc_hz() / 1e9
            into = (cycles["input"] + cycles["timers"] + cycles["wake"]) / ghz
            out = cycles["output"] / ghz
            print(f"    the engine's share: rx burst to handler {into:.0f} ns, "
                  f"handler to tx burst {out:.0f} ns")
    return mid


def tsc_hz():
    out = subprocess.run(["dmesg"], capture_output=True, text=True, check=False).stdout
    m = re.search(r"tsc: Detected ([\d.]+) MHz", out)
    if not m:
        m = re.search(r"cpu MHz\s*: ([\d.]+)", pathlib.Path("/proc/cpuinfo").read_text())
    return float(m.group(1)) * 1e6 if m else 1e9


# ---- plots --------------------------------------------------------------------------------------

def plot(a, folder):
    """Rate against p99 (open loop), and connections against rate, as SVG by gnuplot."""
    if not shutil.which("gnuplot"):
        raise Missing("gnuplot is not installed")
    out = pathlib.Path(a.plots)
    out.mkdir(parents=True, exist_ok=True)
    top = on_memif(folder, perch_server, "--conns", 64, seconds=1)["rate"]
    with open(out / "rate-p99.dat", "w", encoding="utf-8") as f:
        for tenth in range(1, 10):
            r = on_memif(folder, perch_server, "--conns", 64, "--rate", int(top * tenth / 10),
                         seconds=1)
            print(r["rate"], *(r["latency_ns"][k] / 1e3 for k in ("p50", "p99", "p99.9")), file=f)
    with open(out / "conns-rate.dat", "w", encoding="utf-8") as f:
        for conns in (1, 4, 16, 64, 256, 1024, 4096):
            print(conns, on_memif(folder, perch_server, "--conns", conns, seconds=1,
                                  server_options=("--max-conns", "8192"))["rate"], file=f)
    script = f"""
        set terminal svg size 720,420 noenhanced; set grid; set key left top
        set format x "%.1s%c"
        set output "{out}/rate-p99.svg"; set xlabel "requests a second"; set ylabel "us"
        set logscale y
        plot for [i=2:4] "{out}/rate-p99.dat" using 1:i with linespoints \\
            title word("x p50 p99 p99.9", i)
        set output "{out}/conns-rate.svg"; set xlabel "connections"; unset logscale y
        set ylabel "requests a second"; set logscale x 2; set yrange [0:*]
        set format x "%.0f"; set format y "%.1s%c"
        plot "{out}/conns-rate.dat" using 1:2 with linespoints title "64-byte echo, net_memif"
        """
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
    print(f"\nplots: {out}/rate-p99.svg, {out}/conns-rate.svg")


# ---- the command line ---------------------------------------------------------------------------

def peer(text):
    name, _, command = text.partition("=")
    if not name or not command:
        raise argparse.ArgumentTypeError("wants NAME=COMMAND")
    return name, command


def parse():
    p = argparse.ArgumentParser(
        prog="./perch bench", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="""sections: """ + ", ".join(NAMES) + """

A --peer is any DPDK program that serves TCP echo; {vdev}, {cpu}, {ip}, {port}, {prefix} and
{memory} in its command stand for what it is given, for example
  --peer 'other=./other -l {cpu} --no-pci {memory} --file-prefix {prefix} --vdev {vdev} -- {ip}'""")
    p.add_argument("--only", default="", help="comma-separated sections; default: all but many")
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seconds", type=int, default=2, help="of each measurement")
    p.add_argument("--conns", type=int, default=1000000, help="the most of section many")
    p.add_argument("--cpus", choices=("any", "near", "far"), default="any",
                   help=f"measure only while a cache line takes less, or more, than {NEAR_NS} "
                        "ns to the other CPU and back")
    p.add_argument("--peer", type=peer, action="append", default=[], metavar="NAME=COMMAND")
    p.add_argument("--json", metavar="FILE", help="write all results there")
    p.add_argument("--plots", metavar="FOLDER", help="draw rate against p99, conns against rate")
    a = p.parse_args()
    a.only = [s for s in a.only.split(",") if s] or [s for s in NAMES if s != "many"]
    if set(a.only) - set(NAMES):
        p.error("no such section: " + ", ".join(sorted(set(a.only) - set(NAMES))))
    if a.rounds < 1 or a.seconds < 1 or a.conns < 64:
        p.error("--rounds and --seconds are 1 at least, --conns 64")
    return a


def main():
    a = parse()
    everything = {}
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("./perch bench: needs two CPUs: one serves, one loads")
    with tempfile.TemporaryDirectory() as folder:
        sections = Sections(a, folder)
        for name in a.only:
            method = getattr(sections, name)
            kind, cases = method()
            results = measure(a, kind, cases)
            show(f"{name}: {method.__doc__}", kind, results)
            everything[name] = results
        if a.plots:
            try:
                plot(a, folder)
            except Missing as e:
                print(f"\nno plots: {e}")
    if a.json:
        pathlib.Path(a.json).write_text(json.dumps(everything, indent=1), encoding="utf-8")
    sys.exit(0 if all(everything.values()) else 1)


main()
