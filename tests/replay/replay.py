#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Replays scenes through perch-echo and holds the bytes that come out against golden captures.

    replay.py [--regen] [--runs N] [CASE...]    a case runs when its name holds one of the words
    replay.py --list                            what they are

--regen writes the goldens anew: look at what `perch-pcapdiff` says about them before a commit.
--runs N: how often a scene is replayed while the CPUs are kept busy (default 12; 1000 takes
minutes)."""
import argparse
import contextlib
import hashlib
import multiprocessing
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

import feeds
import frames as f
import scenes

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("PERCH_BUILD_DIR", HERE.parents[1] / "build"))
REPLAY, DIFF = BUILD / "tools/perch-replay", BUILD / "tools/perch-pcapdiff"
ECHO = ("--", "perch-echo", "--", "--ip", f.OURS + "/24", "--mbufs", "2048",
        "--max-conns", "256", "--oneshot-port", "8")
APPS = {"ip6": ECHO + ("--ip6", f.OURS6 + "/64"),
        "igmp": ("--mac", f.OUR_MAC, "--", BUILD / "tests/replay/joiner")}
FEED = ("--mac", f.OUR_MAC, "--", "perch-feed", "--", "--ip", f.OURS + "/24",
        "--line-a", "%s:%d" % scenes.LINES[0], "--line-b", "%s:%d" % scenes.LINES[1],
        "--request", f"{f.PEER}:{scenes.REREQUEST}", "--wait-us", "1000", "--retry-ms", "100")
APPS["market_data"] = FEED
APPS.update((name, (*FEED, "--events", "--top-to", f"{f.PEER}:9999", *args))
            for name, (_, _, args, _) in feeds.FEEDS.items())
scenes.SCENES.update((name, fn) for name, (fn, _, _, _) in feeds.FEEDS.items())
APPS["gateway"] = (
    "--mac", f.OUR_MAC, "--", "perch-gateway", "--", "--ip", f.OURS + "/24",
    "--line-a", "%s:%d" % scenes.LINES[0], "--line-b", "%s:%d" % scenes.LINES[1],
    "--exchange", f"{f.PEER}:{scenes.Exchange.PORT}")
APPS["silent_exchange"] = (*APPS["gateway"], "--heartbeat-timeout", "20000")
APPS["silent_venue"] = (*APPS["gateway"], "--fix", "4.4")
DIALS = ("gateway", "silent_exchange", "silent_venue", "late_join")  # who answers needs its ISN
APPS["exchange"] = APPS["strangers"] = (
    "--mac", f.OUR_MAC, "--", "perch-exchange", "--", "--ip", f.OURS + "/24",
    "--line-a", f"{f.PEER}:5001")
T = scenes.START


class Fault(Exception):
    """What a case found wrong."""


class Skip(Exception):
    """What a case lacks on this machine."""


patience_s = 60  # with one program


def limit_files(size):
    """In the child: no file grows beyond that, and a try is an error, not a signal."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def run(*argv, status=0, env=None, file_limit=None):
    try:
        r = subprocess.run([str(a) for a in argv], check=False, text=True, capture_output=True,
                           timeout=patience_s, env={**os.environ, **(env or {})},
                           preexec_fn=(lambda: limit_files(file_limit)) if file_limit else None)
    except subprocess.TimeoutExpired as e:
        raise Fault(f"does not end: {' '.join(map(str, argv))}") from e
    if status is not None and r.returncode != status:
        raise Fault(f"exit status {r.returncode}, not {status}: {' '.join(map(str, argv))}\n"
                    f"{r.stdout[-1500:]}{r.stderr[-1500:]}")
    return r


def check(true, what):
    if not true:
        raise Fault(what)


def sent(r):
    """The digest that perch-replay printed."""
    m = re.search(r"p0 sent ([0-9a-f]{64})", r.stdout)
    check(m, f"no digest is printed:\n{r.stdout}{r.stderr}")
    return m.group(1)


def counter(r, name):
    """Of the app's summary; 0 when it is not listed."""
    m = re.search(rf"^\s+{name}\s+(\d+)\s", r.stdout, re.M)
    return int(m.group(1)) if m else 0


def read(path):
    """(time, frame) of each packet of a capture that perch wrote."""
    data, at, out = pathlib.Path(path).read_bytes(), 0, []
    while at < len(data):
        kind, total = struct.unpack_from("<II", data, at)
        if kind == 6:
            _, high, low, length = struct.unpack_from("<IIII", data, at + 8)
            out.append((high << 32 | low, data[at + 28:at + 28 + length]))
        at += total
    return out


class Lab:
    """A folder for one case's files."""

    def __init__(self, folder, regen, runs):
        self.folder, self.regen, self.runs = pathlib.Path(folder), regen, runs

    def file(self, name, data=None):
        path = self.folder / name
        if data is not None:
            path.write_bytes(data)
        return path

    def scene(self, name):
        args = self.rehearse(name) if name in DIALS else ()
        return self.file(f"{name}.pcapng", f.pcapng(scenes.packets(name, *args)))

    def rehearse(self, name):
        """Where it dials from, and with which ISN: the same until it is answered."""
        self.replay(self.file("meet.pcapng", f.pcapng(scenes.packets(name))), app=APPS[name],
                    status=None)
        syn = next((p for _, p in self.out() if p[23] == 6 and p[47] == f.SYN), None)
        check(syn, f"{name}: nobody is dialled")
        return struct.unpack_from("!H", syn, 34)[0], struct.unpack_from("!I", syn, 38)[0]

    def replay(self, capture, *options, app=ECHO, **how):
        return run(REPLAY, "--rx", capture, "--tx", self.file("out.pcapng"), *options, *app, **how)

    def out(self):
        return read(self.file("out.pcapng"))


# ---- goldens -------------------------------------------------------------------------------------

def golden(lab, name):
    """Byte for byte, times included; the scene has an ISN of its own for the server. A host with
    IPv6 tells its groups at random times in the first second: that is not waited for."""
    v6 = name in ("ip6", "gateway")
    path = HERE / f"golden/{name}.pcapng"
    if name in feeds.FEEDS and feeds.FEEDS[name][3]:
        golden_of_a_failure(lab, name, path)
        return
    r = lab.replay(lab.scene(name), "--peers", "ours", "--expect", path,
                   *(["--linger", "1000000"] if v6 else []), *(["--regen"] if lab.regen else []),
                   app=APPS.get(name, ECHO), status=None)
    check(r.returncode == 0, f"{r.stdout[-1500:]}{r.stderr}If that is meant: "
          "tests/replay/replay.py --regen golden")


def golden_of_a_failure(lab, name, path):
    """The same of an app that ends with a status of its own: then perch-replay says nothing about
    what was sent."""
    lab.replay(lab.scene(name), "--peers", "ours", app=APPS[name], status=feeds.FEEDS[name][3])
    if lab.regen:
        shutil.copy(lab.file("out.pcapng"), path)
    check(lab.out() == read(path) != [], f"{name}: not what it sent before; if that is meant: "
          "tests/replay/replay.py --regen golden")


def golden_notices(lab):
    """A golden that is not what comes out: exit status 1, and the field is named."""
    lab.replay(lab.scene("udp"), "--peers", "ours")
    good = lab.out()
    when, frame = good[10]
    good[10] = (when, frame[:-1] + bytes([frame[-1] ^ 1]))
    r = lab.replay(lab.scene("udp"), "--peers", "ours", "--expect",
                   lab.file("bad.pcapng", f.pcapng(good)), status=1)
    check("packets equal, 1 changed" in r.stdout and "payload" in r.stdout, r.stdout)


def golden_is_made(lab):
    """--regen writes it, and from then on it is what comes out."""
    path = lab.file("new.pcapng")
    lab.replay(lab.scene("udp"), "--expect", path, "--regen")
    lab.replay(lab.scene("udp"), "--expect", path)
    check(read(path) == lab.out() != [], "the golden is not what was sent")
    r = lab.replay(lab.scene("udp"), "--tx", path, "--expect", path, status=2)
    check("held against itself" in r.stderr, r.stderr)


def orders(lab):
    """What perch-gateway makes of its golden scene: each order leaves at the time of its tick."""
    scene = lab.scene("gateway")
    r = lab.replay(scene, app=APPS["gateway"])
    check("orders sent 2, reports 4, accepted 2, shares filled 100, canceled 1" in r.stdout,
          r.stdout)
    ticks = {t for t, p in read(scene) if p[23] == 17}
    sent = [(t, p[57:]) for t, p in lab.out() if p[23] == 6 and p[56:58] == b"UO"]
    check(len(sent) == 2 and all(t in ticks for t, _ in sent), f"{sent}; ticks at {ticks}")
    check([struct.unpack_from("!I", o, 1)[0] for _, o in sent] == [1, 2] and
          [o[5:6] for _, o in sent] == [b"B", b"S"], f"{sent}")


def strangers_are_counted(lab):
    """What perch-exchange makes of those whom it does not let in, and of one whom it does."""
    r = lab.replay(lab.scene("strangers"), "--peers", "ours", app=APPS["strangers"])
    check("orders 0," in r.stdout and "re-requests 1, reports replayed 0, "
          "logins refused 2, protocol errors 5," in r.stdout, r.stdout)
    r = lab.replay(lab.scene("exchange"), "--peers", "ours", app=APPS["exchange"])
    check("orders 2, executions 1, cancels 1, rejects 0," in r.stdout and "reports replayed 5, "
          "logins refused 0, protocol errors 0," in r.stdout, r.stdout)


def rehearsed_orders(lab):
    """With --warm not a byte leaves that would not leave without, nor at another time. The exchange
    answers to the ARP probe: a send that could ask again is not rehearsed."""
    answer = (T + 15000, f.arp(2, target_mac=f.OUR_MAC, dst=f.OUR_MAC))
    scene = lab.file("answered.pcapng",
                     f.pcapng(sorted([*read(lab.scene("gateway")), answer], key=lambda p: p[0])))
    lab.replay(scene, app=APPS["gateway"])
    without = lab.out()
    r = lab.replay(scene, app=(*APPS["gateway"], "--warm", "20"))
    m = re.search(r"orders rehearsed (\d+), cut short (\d+)", r.stdout)
    check(m and int(m.group(1)) > 10 and counter(r, "tcp_warmed") == int(m.group(1)), r.stdout)
    check("orders sent 2, reports 4, accepted 2, shares filled 100, canceled 1" in r.stdout,
          r.stdout)
    check(lab.out() == without != [], "what is sent has changed")


def two_ports(lab):
    """Each engine of a process has its own captures, output, golden and digest."""
    a = [(t, p) for t, p in scenes.packets("udp")]
    us, peer = "10.98.0.2", "10.98.0.1"
    b = [(T, f.arp(1, sender=peer, target=us))] + [
        (T + i * 777, f.udp(4000 + i, 7, b"other %d" % i, peer, us)) for i in range(1, 21)]
    argv = [REPLAY, "--rx", f"p0={lab.file('a.pcapng', f.pcapng(a))}",
            "--rx", f"p1={lab.file('b.pcap', f.pcap(b))}", "--tx", f"p1={lab.file('out1.pcapng')}",
            "--expect", f"p0={HERE}/golden/two_ports_0.pcapng",
            "--expect", f"p1={HERE}/golden/two_ports_1.pcapng",
            *(["--regen"] if lab.regen else []), "--", BUILD / "tests/replay/twin"]
    r = run(*argv)
    check(re.search(r"p0 sent \w{64}.*\n(.*\n)?.*p1 sent \w{64}", r.stdout), r.stdout)
    check(len([p for _, p in read(lab.file("out1.pcapng")) if b"other" in p]) == 20, "p1's echoes")
    argv[argv.index("--expect") + 1] = f"p0={HERE}/golden/two_ports_1.pcapng"
    if not lab.regen:
        run(*argv, status=1)
    # Recorded, and from the recordings alone.
    day = lab.file("day.pcapng")
    first = run(*argv[:5], "--", BUILD / "tests/replay/twin", env={"PERCH_RECORD": str(day)})
    again = run(REPLAY, "--rx", f"p0={day}", "--rx", f"p1={day}.p1")
    check(re.findall(r"p\d sent \w{64}", first.stdout) == re.findall(r"p\d sent \w{64}",
                                                                    again.stdout), again.stdout)


def books_are_mended(lab):
    """Whatever happened on the way, the books are those of a day without losses, byte for byte;
    unless something was lost for good."""
    books = {}
    for name in ("market_data", *feeds.FEEDS):
        dump = lab.file("books")
        lab.replay(lab.scene(name), "--peers", "ours", app=(*APPS[name], "--dump", dump),
                   status=1 if name == "no_answer" else 0)
        books[name] = dump.read_bytes()
    check(len(books["no_loss"]) > 100, "there are no books")
    other = [name for name, b in books.items() if b != books["no_loss"]]
    check(other == ["no_answer"], f"other books: {other}")


def events_are_told(lab, name):
    """Every gap, and what became of it, in the order in which it happened."""
    r = lab.replay(lab.scene(name), "--peers", "ours", app=APPS[name], status=feeds.FEEDS[name][3])
    told = re.findall(r"^(?:session|gap|filled|lost|request|snapshot|end of session) .*\d+-\d+.*$",
                      r.stdout, re.M)
    check(told == feeds.FEEDS[name][1], "\n".join(told))


# ---- the same bytes every time -------------------------------------------------------------------

@contextlib.contextmanager
def busy_cpus():
    """Twice as many busy loops as there are CPUs."""
    spinners = [multiprocessing.Process(target=spin, daemon=True)
                for _ in range(2 * (os.cpu_count() or 1))]
    for p in spinners:
        p.start()
    try:
        yield
    finally:
        for p in spinners:
            p.terminate()
            p.join()


def spin():
    while True:
        hashlib.sha256(b"perch" * 10000).digest()


def same_under_load(lab):
    """With loss, reordering and timers in it: whatever else the machine does."""
    scene = lab.scene("tcp_reordering")
    options = ("--peers", "ours", "--seed", "7", "--loop", "5", "--fault", "drop:p=0.1",
               "--fault", "reorder:p=0.2,by=3", "--fault", "delay:p=0.2,ns=700000")
    quiet = {sent(lab.replay(scene, *options)) for _ in range(3)}
    with busy_cpus():
        loaded = {sent(lab.replay(scene, *options)) for _ in range(lab.runs)}
    check(len(quiet | loaded) == 1, f"{len(quiet | loaded)} different outputs")


def seed_matters(lab):
    scene = lab.scene("tcp_client_closes")
    a, b = (sent(lab.replay(scene, "--seed", str(n))) for n in (1, 2))
    check(a != b, "the seed changes nothing: ISNs should differ")
    digest = hashlib.sha256(lab.file("out.pcapng").read_bytes()).hexdigest()
    check(digest == b, "the digest is not that of the file")


def paced(lab):
    """At the captures' pace the same bytes, only later."""
    scene = lab.scene("icmp")
    fast = sent(lab.replay(scene))
    r = lab.replay(scene, "--speed", "8x")
    check(sent(r) == fast, "the pace changes the output")
    took = float(re.search(r"in ([0-9.]+) s", r.stdout).group(1))
    virtual = float(re.search(r"([0-9.]+) s of virtual", r.stdout).group(1))
    check(took >= virtual / 8 * 0.95, f"{virtual} s at 8x took only {took} s")


def idle_hours(lab):
    """Ten hours without a packet, and a connection that lives through them."""
    s = scenes.Scene("idle")
    s.meet()
    c = scenes.Session(s, 47000)
    c.open()
    s.wait(10 * 3600 * scenes.S)
    c.echo(b"still there?")
    c.client_closes()
    r = lab.replay(lab.file("idle.pcapng", f.pcapng(s.packets)), "--peers", "ours")
    check(float(re.search(r"in ([0-9.]+) s", r.stdout).group(1)) < 1, r.stdout)
    check(counter(r, "tcp_closed") == 1 and counter(r, "tcp_retransmits") == 0, r.stdout)


def lcores(lab):
    """Several lcores take their turns in a fixed order; each flow is answered by one of them."""
    scene = lab.scene("udp")
    r = lab.replay(scene, "--lcores", "3")
    check("summary over 3 lcores" in r.stdout and counter(r, "rx_packets") > 30, r.stdout)
    check(sent(r) == sent(lab.replay(scene, "--lcores", "3")), "the interleave is not fixed")
    echoes = sorted(p[34:] for _, p in lab.out() if p[12:14] == b"\x08\0" and p[23] == 17)
    lab.replay(scene)
    alone = sorted(p[34:] for _, p in lab.out() if p[12:14] == b"\x08\0" and p[23] == 17)
    check(echoes == alone != [], f"{len(echoes)} echoes by 3 lcores, {len(alone)} by one")


def tx_cost(lab):
    scene = lab.scene("icmp")
    lab.replay(scene)
    plain = lab.out()
    lab.replay(scene, "--tx-cost", "350")
    later = lab.out()
    check([(t + 350, p) for t, p in plain] == later, "not every packet is 350 ns later")


# ---- captures as they are ------------------------------------------------------------------------

def echo_frames(n, start=T):
    return [(start, f.arp(1))] + [
        (start + (i + 1) * 1000, f.udp(5000 + i, 7, b"%04d" % i)) for i in range(n)]


def payloads(lab):
    """The last four bytes of each UDP echo, in order."""
    return [p[42:46].decode() for _, p in lab.out() if p[12:14] == b"\x08\0" and p[23] == 17]


def backwards(lab):
    good = echo_frames(6)
    mixed = [good[i] for i in (0, 1, 3, 2, 4, 6, 5)]
    path = lab.file("mixed.pcapng", f.pcapng(mixed))
    lab.replay(path)
    check(payloads(lab) == ["0000", "0002", "0001", "0003", "0005", "0004"], payloads(lab))
    times = [t for t, _ in lab.out()]
    check(times == sorted(times), "times go backwards in the output")
    lab.replay(path, "--backwards", "sort")
    check(payloads(lab) == [f"{i:04}" for i in range(6)], payloads(lab))
    r = lab.replay(path, "--backwards", "error", status=1)
    check("packet 4 at offset 336 is 1000 ns earlier" in r.stderr, r.stderr)


def merged(lab):
    """Two files with equal times: those of the first one first, always."""
    a = lab.file("a.pcapng", f.pcapng(echo_frames(4)))
    b = lab.file("b.pcap", f.pcap([(t, f.udp(6000, 7, b"b%03d" % i))
                                   for i, (t, _) in enumerate(echo_frames(4)) if i]))
    r = lab.replay(a, "--rx", f"p0={b}")
    check(payloads(lab) == ["0000", "b001", "0001", "b002", "0002", "b003", "0003", "b004"],
          payloads(lab))
    check(sent(r) == sent(lab.replay(a, "--rx", f"p0={b}")), "the merge is not stable")


def microseconds(lab):
    """The same packets in a microsecond file, big-endian or not, pcap or pcapng."""
    packets = echo_frames(5)
    want = sent(lab.replay(lab.file("n.pcapng", f.pcapng(packets))))
    for name, data in (("nano.pcap", f.pcap(packets)), ("micro.pcap", f.pcap(packets, nano=False))):
        check(sent(lab.replay(lab.file(name, data))) == want, f"{name} gives something else")
    odd = [(t + i, p) for i, (t, p) in enumerate(packets)]
    for name, data in (("odd.pcap", f.pcap(odd)), ("odd.pcapng", f.pcapng(odd))):
        lab.replay(lab.file(name, data))
        check({t for t, _ in odd} <= {t for t, _ in lab.out()}, f"{name} loses nanoseconds")


def checksums(lab):
    packets = echo_frames(1) + [(T + 5000, f.udp(5005, 7, b"bad!", bad=True)),
                                (T + 6000, f.ether(f.ip4(17, b"\x13\x8e\0\7\0\x0c\0\0ipv4",
                                                         bad=True)))]
    path = lab.file("bad.pcapng", f.pcapng(packets))
    r = lab.replay(path)
    check(payloads(lab) == ["0000"], payloads(lab))
    check(counter(r, "drop_udp_bad_checksum") == counter(r, "drop_ip4_bad_checksum") == 1, r.stdout)
    for policy in ("ignore", "fix"):
        lab.replay(path, "--checksums", policy)
        check(payloads(lab) == ["0000", "bad!", "ipv4"], f"{policy}: {payloads(lab)}")


def damaged(lab):
    packets = echo_frames(4)
    cut = lab.file("cut.pcap", f.pcap(packets, short=10))
    r = lab.replay(cut, status=1)
    check(re.search(r"after packet 4, at offset 328: .*truncated", r.stderr), r.stderr)
    lab.replay(cut, "--truncated", "skip")
    check(payloads(lab) == ["0000", "0001", "0002"], payloads(lab))
    packets[2] = (packets[2][0], f.udp(5001, 7, b"x" * 200))
    snap = lab.file("snap.pcap", f.pcap(packets, snap=96))
    r = lab.replay(snap, status=1)
    check("packet 3 at offset 176: only 96 of its 242 bytes" in r.stderr, r.stderr)
    r = lab.replay(snap, "--filter", "udp src port 5001", status=1)  # counted are those it lets by
    check("packet 1 at offset 176: only 96 of its 242 bytes" in r.stderr, r.stderr)
    for fraction in (10**9, 0xffffffff):  # of a second, in nanoseconds
        bad = bytearray(f.pcap(packets))
        struct.pack_into("<I", bad, 24 + 16 + 60 + 4, fraction)
        r = lab.replay(lab.file("time.pcap", bytes(bad)), status=1)
        check("packet 2 at offset 100 has a time that cannot be" in r.stderr,
              f"{fraction}: {r.stderr}")
    lab.replay(snap, "--snapped", "skip")
    check(payloads(lab) == ["0000", "0002", "0003"], payloads(lab))
    r = lab.replay(snap, "--snapped", "pass")
    check(payloads(lab) == ["0000", "0002", "0003"] and "drop_ip" in r.stdout, r.stdout)


def unreadable(lab):
    """Bad files and bad options: one line, exit status 2."""
    for name, data, text in (
            ("empty.pcap", b"", "no capture file"),
            ("text.pcap", b"hello, this is text, not packets", "no capture file"),
            ("sll.pcap", f.pcap([], link=113), "not Ethernet")):
        r = lab.replay(lab.file(name, data), status=2)
        check(text in r.stderr and r.stderr.count("\n") == 1, f"{name}: {r.stderr}")
    good = lab.file("good.pcapng", f.pcapng(echo_frames(1)))
    for options, text in (
            (("--rx", lab.folder / "none.pcap"), "No such file"),
            (("--filter", "udp prot 7"), "filter"),
            (("--fault", "drop"), "is no fault"),
            (("--fault", "delay:p=0.5"), "is no fault"),
            (("--fault", "drop:p=1.5"), "is no fault"),
            (("--backwards", "sideways"), "backwards does not take 'sideways'"),
            (("--speed", "fast"), "--speed wants"),
            (("--loop", "0"), "loop does not take"),
            (("--mac", "ff:ff:ff:ff:ff:ff"), "no MAC"),
            (("--frobnicate", "1"), "unknown option")):
        r = lab.replay(good, *options, status=2)
        check(text in r.stderr and r.stderr.count("\n") == 1, f"{options}: {r.stderr}")
    run(REPLAY, status=2)
    run(REPLAY, "--help")
    check("cannot be written" in lab.replay(good, "--tx", "/no/such/place", status=2).stderr, "tx")


def filtered(lab):
    lab.replay(lab.file("a.pcapng", f.pcapng(echo_frames(6))), "--filter",
               "arp or udp src port 5002 or udp src port 5004")
    check(payloads(lab) == ["0002", "0004"], payloads(lab))


def vlan(lab):
    packets = echo_frames(1) + [(T + 9000, f.udp(5000, 7, b"tag1", vlan=5))]
    path = lab.file("vlan.pcapng", f.pcapng(packets))
    r = lab.replay(path)
    check(payloads(lab) == ["0000"] and "vlan" in r.stdout, r.stdout)
    lab.replay(path, "--vlan", "strip")
    check(payloads(lab) == ["0000", "tag1"], payloads(lab))


def loops(lab):
    r = lab.replay(lab.file("a.pcapng", f.pcapng(echo_frames(5))), "--loop", "4")
    check(payloads(lab) == [f"{i:04}" for i in range(5)] * 4, payloads(lab))
    check("24 packets in" in r.stdout, r.stdout)


def full_bursts(lab):
    r = lab.replay(lab.file("a.pcapng", f.pcapng(echo_frames(200))), "--speed", "max")
    check(payloads(lab) == [f"{i:04}" for i in range(200)], payloads(lab))
    check(counter(r, "turns") < 100, "200 packets took a turn each")


# ---- faults --------------------------------------------------------------------------------------

def faults(lab):
    path = lab.file("a.pcapng", f.pcapng(echo_frames(8)))
    for rule, want in (
            ("drop:packet=3-4", "0 3 4 5 6 7"),
            ("duplicate:packet=2", "0 0 1 2 3 4 5 6 7"),
            ("delay:packet=2,ns=2500", "1 2 0 3 4 5 6 7"),
            ("reorder:packet=2,by=3", "1 2 3 0 4 5 6 7"),
            ("reorder:packet=2", "1 0 2 3 4 5 6 7"),
            ("reorder:packet=9", "0 1 2 3 4 5 6 7"),
            ("corrupt:packet=5,byte=0", "0 1 2 4 5 6 7"),
            ("drop:p=0", "0 1 2 3 4 5 6 7"),
            ("drop:p=1", "")):
        lab.replay(path, "--fault", rule)
        got = " ".join(str(int(p)) for p in payloads(lab))
        if rule.startswith("corrupt"):  # one bit of the destination MAC: not ours any more
            check(got in (want, "0 1 2 3 4 5 6 7"), f"{rule}: {got}")
        else:
            check(got == want, f"{rule}: {got}")


def faults_by_chance(lab):
    path = lab.file("a.pcapng", f.pcapng(echo_frames(2000)))
    r = lab.replay(path, "--fault", "drop:p=0.25", "--seed", "5")
    check(1400 < len(payloads(lab)) < 1600, f"{len(payloads(lab))} of 2000 are left")
    check("dropped_by_faults" in r.stdout, r.stdout)
    again = lab.replay(path, "--fault", "drop:p=0.25", "--seed", "5")
    other = lab.replay(path, "--fault", "drop:p=0.25", "--seed", "6")
    check(sent(r) == sent(again) != sent(other), "the dice do not follow the seed")


def faults_of_each_kind(lab):
    """By chance and by sequence number, whatever the fault is."""
    path, scene = lab.file("a.pcapng", f.pcapng(echo_frames(1000))), lab.scene("feed")
    for rule, counted, per in (("duplicate:p=0.2", "duplicated", 1000),
                               ("delay:p=0.2,ns=900", "delayed", 1000),
                               ("reorder:p=0.2,by=2", "reordered", 1000),
                               ("corrupt:p=0.2", "corrupted", 1000)):
        r = lab.replay(path, "--fault", rule)
        n = int((re.search(rf"(\d+) {counted}", r.stdout) or [0, 0])[1])
        check(0.14 * per < n < 0.26 * per, f"{rule}: {n}")
        r = lab.replay(scene, "--fault", rule.replace("p=0.2", "seq=14764500"))
        check(f", 1 {counted}" in r.stdout, f"{rule} by sequence: {r.stdout}")


def faults_by_sequence(lab):
    """The packet of the feed that has the message, whichever packet that is."""
    scene = lab.scene("feed")
    lab.replay(scene)
    whole = [p for _, p in lab.out() if p[23] == 17 and len(p) > 62]
    numbers = [struct.unpack_from("!QH", p, 42 + 10) for p in whole]
    wanted = next(first + count - 1 for first, count in numbers if count > 1)
    r = lab.replay(scene, "--fault", f"drop:seq={wanted}")
    left = [p for _, p in lab.out() if p[23] == 17 and len(p) > 62]
    gone = [p for p in whole if p not in left]
    check(len(gone) == 1 and "1 dropped_by_faults" in r.stdout, f"{len(gone)} are gone")
    first, count = struct.unpack_from("!QH", gone[0], 42 + 10)
    check(first < wanted < first + count, f"{first} + {count}")


# ---- recorded TCP --------------------------------------------------------------------------------

def peers_captured_isn(lab):
    """With the captured ISN, what perch sends can be compared with what was captured."""
    scene = lab.scene("tcp_client_closes")
    server = lab.file("server.pcapng", f.pcapng(
        [(t, p) for t, p in scenes.packets("tcp_client_closes") if p[6:12] == f.mac(f.OUR_MAC)]))
    lab.replay(scene, "--peers", "captured")
    ours = lab.file("ours.pcapng", f.pcapng([(t, p) for t, p in lab.out() if p[23] == 6 and
                                             p[12:14] == b"\x08\0" and (p[47] & 10 or len(p) > 60
                                                                        or p[47] & 1)]))
    options = ("--any-time", "--ignore", "ip,tcp.window,tcp.checksum,tcp.mss,tcp.wscale,tcp.ts,"
               "tcp.sack_ok,padding")
    run(DIFF, *options, server, ours)
    lab.replay(scene, "--peers", "ours")
    other = lab.file("other.pcapng", f.pcapng([(t, p) for t, p in lab.out() if p[23] == 6 and
                                               p[12:14] == b"\x08\0" and (p[47] & 10 or
                                                                          p[47] & 1)]))
    check("tcp.seq" in run(DIFF, *options, server, other, status=1).stdout, "tcp.seq is the same")


def peers_one_side(lab):
    """Only the client was captured: its first ACK tells the server's ISN."""
    packets = [(t, p) for t, p in scenes.packets("tcp_client_closes")
               if p[6:12] != f.mac(f.OUR_MAC)]
    r = lab.replay(lab.file("client.pcapng", f.pcapng(packets)), "--peers", "ours")
    check(counter(r, "tcp_closed") == 3 and counter(r, "tcp_resets_sent") == 0, r.stdout)


def peers_as_is(lab):
    """Without it the ACKs are of another ISN, and no session comes about."""
    for options in ((), ("--peers", "as-is")):
        r = lab.replay(lab.scene("tcp_client_closes"), *options)
        check(counter(r, "tcp_accepted") == 0, r.stdout)


# ---- recordings ----------------------------------------------------------------------------------

CRASHER = BUILD / "tests/replay/crasher"
# A crash is one in sanitizer builds, too: theirs is not the handler that is looked for.
os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":handle_segv=0"
PCAP_MAC = "02:70:63:61:70:00"  # of the first net_pcap


def records_replays(lab):
    """A recording of a virtual run, retransmissions and stop included, makes the same run."""
    for name in ("tcp_loss", "tcp_reordering", "udp"):
        rec = lab.file(f"{name}.rec")
        want = sent(lab.replay(lab.scene(name), "--peers", "ours", env={"PERCH_RECORD": str(rec)}))
        check(not lab.file(f"{name}.rec.ring").exists(), "the ring's file is left behind")
        check(sent(lab.replay(rec)) == want, f"{name}: the recording gives something else")
        run("sh", "-c", f"! grep -a -q '{lab.folder}' {rec}")


def from_recording_alone(lab):
    """A recording knows its app, and how that was started; a stranger, or other terms, are told."""
    rec, source = lab.file("day.pcapng"), lab.scene("udp")
    want = sent(lab.replay(source, env={"PERCH_RECORD": str(rec)}))
    before = rec.read_bytes()
    check(sent(run(REPLAY, "--rx", rec)) == want, "alone it gives something else")
    check(sent(run(REPLAY, "--rx", rec, "--", BUILD / "apps/perch-echo")) == want, "another build")
    check(sent(lab.replay(rec, app=("--", "perch-echo", "-l", "0", *ECHO[2:], "--idle", "backoff",
                                    "--record", lab.file("x")))) == want, "live arguments")
    check(not lab.file("x").exists(), "a replay follows --record")
    other = (*ECHO, "--mtu", "1400")
    r = lab.replay(rec, app=other, status=2)
    check(f"the recording is of 'perch-echo -- --ip {f.OURS}/24" in r.stderr and
          "--override" in r.stderr and r.stderr.count("\n") == 1, r.stderr)
    r = lab.replay(rec, "--override", app=other)
    check(sent(r) == want and "warning: not what was recorded: mtu was the default, and is 1400"
          in r.stderr, r.stderr)
    r = run(BUILD / "apps/perch-echo", *other[2:], env={"PERCH_REPLAY": f"rx=0:{rec}"}, status=2)
    check("mtu was the default, and is 1400 now" in r.stderr, r.stderr)
    r = lab.replay(rec, app=(*ECHO, "--seed", "9"), status=2)
    r = run(BUILD / "apps/perch-echo", *ECHO[2:], "--seed", "9", status=2,
            env={"PERCH_REPLAY": f"rx=0:{rec}"})
    check("seed was 1, and is 9 now" in r.stderr, r.stderr)
    for options, text in ((("--seed", "3"), "--seed"), (("--lcores", "2"), "--lcores"),
                          (("--loop", "2"), "--loop"), (("--rx", source), "stands alone"),
                          (("--tx", rec), "read and written at once")):
        r = lab.replay(rec, *options, status=2)
        check(text in r.stderr and r.stderr.count("\n") == 1, f"{options}: {r.stderr}")
    r = run(REPLAY, "--rx", rec, status=2, env={"PERCH_RECORD": str(rec)})
    check("is what is being replayed" in r.stderr, r.stderr)
    check(rec.read_bytes() == before, "the recording was written over")
    check("Usage" not in run(REPLAY, "--rx", source, status=2).stdout, "a capture knows no app")


def checksum_marks(lab):
    """What the device said of checksums is said again: wrong ones that it called good are taken,
    right ones that it called bad are dropped, by name."""
    rec = lab.file("day.pcapng")
    frames = echo_frames(1) + [(T + 5000, f.udp(5005, 7, b"bad!", bad=True)), (T + 6000, f.ether(
        f.ip4(17, b"\x13\x8e\0\7\0\x0c\0\0ipv4", bad=True)))]
    want = sent(lab.replay(lab.file("bad.pcapng", f.pcapng(frames)), "--checksums", "ignore",
                           env={"PERCH_RECORD": str(rec)}))
    check(sent(lab.replay(rec)) == want and payloads(lab) == ["0000", "bad!", "ipv4"],
          payloads(lab))
    crowd = run(BUILD / "tests/replay/vouched", rec)
    r = run(REPLAY, "--rx", rec)
    check(counter(r, "tcp_accepted") == counter(crowd, "tcp_accepted") == 16, r.stdout)
    lab.replay(lab.file("good.pcapng", f.pcapng(echo_frames(3))), env={"PERCH_RECORD": str(rec)})
    whole = bytearray(rec.read_bytes())
    turns = [at for at, kind, _ in blocks(whole) if kind == 0x80706302 and
             struct.unpack_from("<II", whole, at + 8) == (0, 0) and
             struct.unpack_from("<I", whole, at + 16)[0] == 1]
    for at, mark in zip(turns[2:], (72, 88)):  # ip_bad of the second echo, l4_bad of the third
        struct.pack_into("<Q", whole, at + mark, 1)
    r = lab.replay(lab.file("marked.pcapng", bytes(whole)))
    check(payloads(lab) == ["0000"], payloads(lab))
    check(counter(r, "drop_udp_bad_checksum") == counter(r, "drop_ip4_bad_checksum") == 1, r.stdout)


def odd_words(lab):
    """Arguments come back as they were, whatever is in them; too many are told."""
    rec = lab.file("day.pcapng")
    words = ("--", str(BUILD / "tests/replay/joiner"), "a b", "back\\slash", "line\nbreak", "",
             "\\n")
    want = sent(lab.replay(lab.scene("igmp"), "--mac", f.OUR_MAC, app=words,
                           env={"PERCH_RECORD": str(rec)}))
    check(sent(lab.replay(rec, app=words)) == want, "the same words are not the same")
    lab.replay(rec, app=(*words[:-1], "\n"), status=2)
    check(sent(run(REPLAY, "--rx", rec)) == want, "alone")
    lab.replay(lab.scene("igmp"), "--mac", f.OUR_MAC, app=(*words[:2], *["word"] * 4000),
               env={"PERCH_RECORD": str(rec)})
    r = run(REPLAY, "--rx", rec, status=2)
    check("does not say how its app was started" in r.stderr, r.stderr)
    check(sent(lab.replay(rec, app=words)) == want, "given again")


def controlled(lab):
    """Wakes, starts, mute and stop of another thread are had again in their turns, although that
    thread takes its own time in every run."""
    source = lab.file("in.pcap", f.pcap([(T, f.arp(1, target=f.OURS)), (T + 1000, f.udp(
        5000, 7, b"go", to=PCAP_MAC))], nano=False))
    rec, out = lab.file("day.pcapng"), lab.file("live.pcap")
    r = run(BUILD / "tests/replay/controlled", f"net_pcap0,rx_pcap={source},tx_pcap={out}", rec)
    muted = int(re.search(r"(\d+) muted", r.stdout).group(1))
    lived = [p for _, p in read_pcap(out)]
    check(muted > 5 and sum(b"wake" in p for p in lived) > 10 and sum(
        b"start" in p for p in lived) > 3, f"{muted} muted, {len(lived)} sent")
    for _ in range(3):
        r = lab.replay(rec, app=("--", BUILD / "tests/replay/controlled"))
        check([p for _, p in lab.out()] == lived, "not as it was")
        check(f"{muted} muted" in r.stdout, r.stdout)


def crossing_scene(lab):
    """What crossing receives, and the vdev that it is received from and sent to live.pcap by."""
    source = lab.file("in.pcap", f.pcap([(T, f.arp(1, target=f.OURS, dst=PCAP_MAC))] + [
        (T + 1000 + i, f.udp(5000 + i % 500, 7, b"%06d" % i, to=PCAP_MAC)) for i in range(5000)],
        nano=False))
    return f"net_pcap0,rx_pcap={source},tx_pcap={lab.file('live.pcap')}"


def crossing_killed(lab):
    """Several lcores until they are killed, in the middle of whatever they were at: the recording
    has all that had left by then, in its order. Of the last burst of each lcore the order may be
    missing, for it is written down after the port took it."""
    rec, live_pcap = lab.file("day.pcapng"), lab.file("live.pcap")
    crosser = BUILD / "tests/replay/crossing"
    with subprocess.Popen([crosser, crossing_scene(lab), rec]) as p:
        for _ in range(5000):  # it is at it when so much has been written down
            if live_pcap.exists() and live_pcap.stat().st_size > 500000 or p.poll() is not None:
                break
            time.sleep(0.001)
        p.kill()
    check(p.returncode == -9, "it was not killed in time")
    lived = [p for _, p in read_pcap(live_pcap, cut=True)]
    lab.replay(rec, app=("--", crosser))
    again = [p for _, p in lab.out()]
    sure = len(lived) - 3 * 32
    check(len(lived) > 4000 and again[:sure] == lived[:sure], f"{len(again)} for {len(lived)}")
    check(set(lived) <= set(again), "packets are missing")


def crossing(lab):
    """Three lcores under load that wake and start coroutines of each other and share groups, and
    messages of two threads to all of them at once: whatever overlapped, all packets come again in
    the order in which they left."""
    rec, out = lab.file("day.pcapng"), lab.file("live.pcap")
    crosser = BUILD / "tests/replay/crossing"
    run(crosser, crossing_scene(lab), rec)
    lived = [p for _, p in read_pcap(out)]
    said = [p[42:].split(b" says ")[0] for p in lived if b" says " in p]
    check(len(said) > 500 and len(set(said)) == 3, f"{len(said)} of {len(lived)} by {set(said)}")
    switches = sum(a != b for a, b in zip(said, said[1:]))
    check(sum(p[23] == 2 for p in lived) > 5, "lcore 0 joined hardly a group")
    check(switches > 20, f"of {len(said)} packets, {switches} followed one of another lcore")
    for _ in range(3):
        lab.replay(rec, app=("--", crosser))
        again = [p for _, p in lab.out()]
        check(sorted(again) == sorted(lived), f"other packets: {len(again)} for {len(lived)}")
        check(again == lived, "not in the same order")


def read_pcap(path, cut=False):
    """(time, frame) of each packet of a classic microsecond capture; cut: that may lack its end."""
    data, at, out = pathlib.Path(path).read_bytes(), 24, []
    while at < len(data):
        if cut and at + 16 > len(data):
            break
        sec, micro, length, _ = struct.unpack_from("<IIII", data, at)
        if cut and at + 16 + length > len(data):
            break
        out.append((sec * 10**9 + micro * 1000, data[at + 16:at + 16 + length]))
        at += 16 + length
    return out


def live(lab, *ping, lcores="0", app="perch-ping"):
    """perch-ping (or that app) and perch-echo over shared memory, both recorded: what one received
    is what the other sent. Returns the output of the echo's replay, what the ping received, and
    what it said."""
    common = ("--no-huge", "-m", "192", "--no-pci")
    vdev = f"net_memif0,id=0,socket-abstract=no,socket={lab.file('memif')}"
    echo_rec, ping_rec = lab.file("echo.rec"), lab.file("ping.rec")
    with open(lab.file("echo.out"), "w+", encoding="utf-8") as out, subprocess.Popen(
            [BUILD / "apps/perch-echo", *common, "--lcores", lcores,
             f"--file-prefix=re{os.getpid()}", "--vdev", vdev + ",role=server", "--",
             "--ip", f.OURS + "/24", "--idle", "backoff", "--record", echo_rec],
            stdout=out, stderr=out) as echo:
        try:
            wait_for(lab.file("echo.out"), "serving")
            said = run(BUILD / "apps" / app, *common, "-l", "0", f"--file-prefix=rp{os.getpid()}",
                "--vdev", vdev + ",role=client,mac=02:00:00:00:99:01", "--", "--ip",
                f.PEER + "/24", "--idle", "backoff", "--record", ping_rec, *ping, f.OURS, "7")
        finally:
            echo.send_signal(2)
        check(echo.wait(30) == 0, "perch-echo failed")
    lab.replay(echo_rec, app=())  # as it was: with its vdev, which is not looked at now
    return [p for _, p in lab.out()], [p for _, p in read(ping_rec)], said


def wait_for(path, text, seconds=20):
    for _ in range(seconds * 50):
        if text in path.read_text(encoding="utf-8"):
            return
        time.sleep(0.02)
    raise Fault(f"'{text}' does not come: {path.read_text(encoding='utf-8')}")


def records_live(lab):
    """Real threads, real time, TCP both ways: the replay of the recording sends the same bytes."""
    for ping in (("--count", "300"), ("--bulk", "3000000")):
        replayed, received, _ = live(lab, *ping)
        common = min(len(replayed), len(received))  # after the ping has gone nobody records
        check(common > 300 and replayed[:common] == received[:common],
              f"{ping}: {len(replayed)} packets replayed, {len(received)} received")


def records_lcores(lab):
    """Lcores of a virtual run, which take turns; and of a live one, which overlap."""
    rec = lab.file("day.pcapng")
    for name in ("udp", "tcp_client_closes"):
        lab.replay(lab.scene(name), "--peers", "ours", "--lcores", "3",
                   env={"PERCH_RECORD": str(rec)})
        want = lab.out()
        r = lab.replay(rec)
        check(len({t for t, _ in want}) > 5 and lab.out() == want,
              f"{name}: the recording gives something else")
        check("summary over 3 lcores" in r.stdout, r.stdout)
    replayed, received, said = live(
        lab, "--conns", "24", "--depth", "1", "--check", "--duration", "1", "--rate", "3000",
        "--udp", lcores="(0-1)@0", app="perch-load")
    flows = [{}, {}]
    for flow, packets in zip(flows, (replayed, received)):
        for p in packets:  # an lcore has a flow for itself; between lcores live order is chance
            if p[12:14] == b"\x08\0" and p[23] == 17:
                flow.setdefault(p[34:38], []).append(p)
    check(len(flows[1]) >= 24 and sum(map(len, flows[1].values())) > 1000,
          f"{len(flows[1])} flows, {sum(map(len, flows[1].values()))} packets")
    gaps = counter(said, "record_lost")  # an open loop never parks: every turn is recorded
    for key, packets in flows[1].items():
        check(is_within(packets, flows[0].get(key, [])) if gaps else
              flows[0].get(key, [])[:len(packets)] == packets, f"flow {key.hex()} differs")
    out = [t for t, _ in lab.out()]
    check(out == sorted(out), "times go backwards in the output")


def is_within(part, whole):
    """All of part, in its order."""
    at = iter(whole)
    return all(p in at for p in part)


def full_ring(lab):
    """The disk takes no more: what the ring has no room for is counted, said, and told again by
    the replay of what is left."""
    big = lab.file("big.pcapng", f.pcapng(
        echo_frames(1) + [(T + 5000 + i * 20000, f.udp(5000, 7, bytes(1400)))
                          for i in range(300)]))
    rec = lab.file("day.pcapng")
    r = lab.replay(big, "--loop", "10", "--speed", "1x",  # in no time, nothing would be written
                   "--tx", "/dev/null", file_limit=1200000, app=(*ECHO, "--record-mb", "1"),
                   env={"PERCH_RECORD": str(rec)})
    check(counter(r, "record_lost") > 100 and counter(r, "record_errno") == 27, r.stdout)
    r = lab.replay(rec, status=1, app=())
    check(re.search(r"the recording (lacks \d+ blocks|has a hole)", r.stderr), r.stderr)
    check(600 < counter(r, "rx_packets") < 3010, r.stdout)  # a megabyte of them at least


def holes(lab):
    """A hole in the middle is told where it is: what came after would be another run."""
    rec = lab.file("day.pcapng")
    lab.replay(lab.scene("udp"), env={"PERCH_RECORD": str(rec)})
    whole, turns = rec.read_bytes(), []
    for at, kind, _ in blocks(whole):
        if kind == 0x80706302:
            turns.append(at)
    at = turns[10]
    hole = lab.file("hole.pcapng", whole[:at + 8] + b"\3\0\0\0" + whole[at + 12:])
    r = lab.replay(hole, status=1)
    check(f"has a hole (its ring was too small: see --record-mb) at offset {at}" in r.stderr,
          r.stderr)
    check(0 < counter(r, "rx_packets") < 15, r.stdout)
    gone = next(a for a, kind, _ in blocks(whole) if kind == 6 and a > at)
    r = lab.replay(lab.file("gap.pcapng", b"".join(
        whole[a:a + n] for a, _, n in blocks(whole) if a != gone)), status=1)
    check("is damaged at offset" in r.stderr, r.stderr)
    gone = turns[12]
    r = lab.replay(lab.file("gone.pcapng", b"".join(
        whole[a:a + n] for a, _, n in blocks(whole) if a != gone)), status=1)
    check("lacks what was before it at offset" in r.stderr, r.stderr)


def blocks(data):
    """(offset, type, length) of each block of a pcapng file."""
    at = 0
    while at < len(data):
        kind, total = struct.unpack_from("<II", data, at)
        yield at, kind, total
        at += total


def crash(lab, orders, *more):
    """Let the crasher receive these from a file, and crash. Returns its recording."""
    source = lab.file("in.pcap", f.pcap([(T, f.arp(1, target="10.99.0.2"))] + [
        (T + i * 1000, f.udp(5000, 7, text.encode(), to=PCAP_MAC)) for i, text
        in enumerate(orders)], nano=False))
    rec = lab.file("crash.rec")
    r = run(CRASHER, f"net_pcap0,rx_pcap={source},tx_pcap={lab.file('live.pcap')}", rec, *more,
            status=None)
    check(r.returncode == -11, f"exit status {r.returncode}: {r.stdout}{r.stderr}")
    return rec


def crash_leaves_a_recording(lab):
    """The replay crashes as well, after the same packets; without the last one it does not."""
    orders = ["add"] * 3 + ["cancel"] * 3 + ["query"] * 20 + ["cancel", "never seen"]
    rec = crash(lab, orders)
    check(pathlib.Path(f"{rec}.ring").exists(), "the ring is gone")
    r = lab.replay(rec, app=("--", str(CRASHER)), status=1)
    check("died of Segmentation fault" in r.stderr, r.stderr)
    with open(lab.file("gdb.cmd"), "w", encoding="utf-8") as cmd:
        cmd.write("run\nbt 2\nprint b->orders\nkill\nquit\n")
    r = lab.replay(rec, app=("--", "gdb", "-q", "-batch", "-x", str(lab.file("gdb.cmd")),
                             str(CRASHER)), status=None)
    check(re.search(r'handle \(.*text=\w+ "cancel"', r.stdout) and "$1 = 0" in r.stdout,
          f"{r.stdout}{r.stderr}")


def crash_leaves_the_last(lab):
    """The ring alone, of 1 MB, when it has gone round: the newest packets are in it."""
    orders = [f"xxxx{i:05}" for i in range(14000)] + ["cancel"]
    rec = crash(lab, orders, "last")
    r = lab.replay(f"{rec}.ring", app=("--", str(CRASHER)), status=1)
    check("died of Segmentation fault" in r.stderr, r.stdout + r.stderr)


def crash_of_a_long_day(lab):
    """The ring has gone round many times, its beginning is in the file, its end is not."""
    orders = ["add"] * 3 + ["cancel"] * 3 + ["query"] * 14000 + ["sum", "cancel"]
    source = lab.file("in.pcap", f.pcap([(T, f.arp(1, target=f.OURS))] + [
        (T + i // 3 * 90000, f.udp(5000 + i % 7, 7, text.encode()))
        for i, text in enumerate(orders)]))
    for attempt in range(10):  # until its writer was behind when it died
        rec = lab.file(f"day{attempt}.pcapng")
        r = lab.replay(source, "--speed", "1x", app=("--", CRASHER),
                       env={"PERCH_RECORD": str(rec)}, status=1)
        begun = half_a_turn(pathlib.Path(f"{rec}.ring").read_bytes())
        if begun:
            break
    check(begun, "ten times, no turn in the ring had several packets")
    lived, heard = lab.out(), re.search("has heard .*", r.stderr).group(0)
    check(rec.stat().st_size > 1500000, f"{rec.stat().st_size} bytes are in the file")
    r = run(REPLAY, "--rx", rec, "--tx", lab.file("again.pcapng"), status=1)
    check("died of Segmentation fault" in r.stderr and heard in r.stderr, r.stdout + r.stderr)
    check(len(lived) > 10000 and [p for _, p in read(lab.file("again.pcapng"))] ==
          [p for _, p in lived], f"not those {len(lived)} packets")
    # What was being written when it died is in the ring, too, and counts once: half a turn of it.
    in_file = rec.read_bytes()
    rec.write_bytes(in_file + begun)
    r = run(REPLAY, "--rx", rec, "--tx", lab.file("again.pcapng"), status=1)
    check("died of Segmentation fault" in r.stderr, r.stdout + r.stderr)
    check(heard in r.stderr, f"not what {heard}, but {r.stderr}")
    # A file that lost its end cannot be gone on with from the ring.
    cut = next(at for at, kind, _ in blocks(in_file) if kind == 0x80706302 and at > 1000000)
    rec.write_bytes(in_file[:cut + 3])
    r = run(REPLAY, "--rx", rec, status=1)
    check("lacks what was before it at offset" in r.stderr and "died" not in r.stderr, r.stderr)


def half_a_turn(ring, head=16384, page=4096):
    """The ring's bytes from its tail to behind the first packet of a turn of several, if one is in
    what the file has not."""
    end, tail = (struct.unpack_from("<Q", ring, head + at)[0] for at in (0, 64))
    size = struct.unpack_from("<Q", ring, 16)[0]
    data = ring[head + page:head + page + size]
    data = (data[tail % size:] + data[:tail % size])[:end - tail]
    for at, kind, total in blocks(data):
        if kind == 0x80706302 and struct.unpack_from("<I", data, at + 16)[0] > 1:
            return data[:at + total + struct.unpack_from("<I", data, at + total + 4)[0]]
    return b""


def damaged_recordings(lab):
    rec = lab.file("a.rec")
    lab.replay(lab.scene("udp"), env={"PERCH_RECORD": str(rec)})
    whole = rec.read_bytes()
    half = lab.file("half.rec", whole[:len(whole) // 2 + 3])
    r = lab.replay(half, status=1)
    check(0 < counter(r, "rx_packets") < 33, r.stdout)
    check(re.search(r"cut or damaged at offset 1\d{4}:", r.stderr), r.stderr)
    lab.replay(half, "--truncated", "skip")
    r = lab.replay(lab.file("ring.rec", b"perchrc3" + b"\xff" * 9000), status=2)
    check("no recording that can be read" in r.stderr, r.stderr)
    r = lab.replay(rec, "--fault", "drop:p=1", status=2)
    check("stands alone" in r.stderr, r.stderr)
    for seed in range(15):
        dice = random.Random(seed)
        bad = bytearray(whole)
        for _ in range(20):
            bad[dice.randrange(len(bad))] = dice.randrange(256)
        r = lab.replay(lab.file("bad.rec", bytes(bad)), status=None)
        check(r.returncode in (0, 1, 2) and "died" not in r.stderr, f"seed {seed}: {r.stderr}")


def mutants(lab):
    """Captures and recordings with bytes changed, cut out, doubled: each is read to its end, or to
    a sentence with the offset. The fuzz target holds that; --runs N tries more of them."""
    rec = lab.file("day.pcapng")
    lab.replay(lab.file("few.pcapng", f.pcapng(echo_frames(5))), env={"PERCH_RECORD": str(rec)})
    kinds = ((0, f.pcapng(echo_frames(5))), (0, f.pcap(echo_frames(5), nano=False)),
             (1, f.pcapng(echo_frames(5))), (4, f.pcap(echo_frames(5))), (0x80, rec.read_bytes()))
    folder = lab.file("mutants")
    folder.mkdir()
    for seed in range(25 * lab.runs):
        dice = random.Random(seed)
        kind, data = dice.choice(kinds)
        data = bytearray(data)
        for _ in range(dice.randrange(1, 8)):
            at = dice.randrange(len(data))
            what = dice.randrange(5)
            if what == 0:
                data[at] = dice.randrange(256)
            elif what == 1:
                data[at // 4 * 4:at // 4 * 4 + 4] = dice.choice(
                    (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\x80", b"\xff\xff\xff\x7f"))
            elif what == 2:
                del data[at:at + dice.randrange(64)]
            elif what == 3:
                data[at:at] = data[at:at + 92]
            elif len(data) > 200:
                del data[at:]
            data = data or bytearray(1)
        (folder / str(seed)).write_bytes(bytes([kind]) + data)
    r = run(BUILD / "tests/fuzz/fuzz_recording", folder)
    check(f"{25 * lab.runs} inputs replayed" in r.stdout, r.stdout[-500:])


# ---- net_pcap ------------------------------------------------------------------------------------

def net_pcap(lab, *vdev, signal_at=None, app=(), status=0):
    """perch-echo behind DPDK's own capture driver, which has no times and tells no end."""
    source = lab.file("in.pcap", f.pcap([(T, f.arp(1, dst=PCAP_MAC))] + [
        (T + i, f.udp(5000 + i, 7, b"%04d" % i, to=PCAP_MAC)) for i in range(500)], nano=False))
    args = ("--no-huge", "-m", "192", "--no-pci", "-l", "0", f"--file-prefix=rn{os.getpid()}",
            "--vdev", ",".join((f"net_pcap0,rx_pcap={source}", f"tx_pcap={lab.file('out.pcap')}",
                                *vdev)), "--", "--ip", f.OURS + "/24")
    if signal_at is None:
        return run(BUILD / "apps/perch-echo", *args, "--until-idle", "200", *app, status=status)
    r = run("timeout", "-s", "INT", signal_at, BUILD / "apps/perch-echo", *args, status=None)
    check(r.returncode in (0, 124), f"exit status {r.returncode}: {r.stderr}")
    return r


def net_pcap_ends(lab):
    """All is answered, then the end is noticed and perch-echo stops by itself."""
    r = net_pcap(lab)
    check(counter(r, "rx_packets") == 501 and counter(r, "tx_taken") >= 501, r.stdout)
    out = lab.file("out.pcap").read_bytes()
    check(all(b"%04d" % i in out for i in range(500)), "echoes are missing in tx_pcap")


def unanswered(r):
    """Packets that came in, were neither answered nor dropped by name."""
    drops = sum(int(n) for n in re.findall(r"^\s+drop_\w+\s+(\d+)\s", r.stdout, re.M))
    return counter(r, "rx_packets") - counter(r, "tx_taken") - drops


def net_pcap_endless(lab):
    """infinite_rx has no end: a signal stops it, drained."""
    r = net_pcap(lab, "infinite_rx=1", signal_at="2")
    check(counter(r, "rx_packets") > 501, r.stdout + r.stderr)
    check(-5 <= unanswered(r) <= 0,  # RFC 5227: three probes and two announcements are our own
          f"{unanswered(r)} are neither answered nor dropped: {r.stdout}")


def net_pcap_lacks(lab):
    """What the driver cannot do (MTU, multicast filters, flow control) is done without, or told."""
    r = net_pcap(lab, app=("--mtu", "1400", "--join", "239.1.1.1"))
    check(counter(r, "rx_packets") == 501, r.stdout)
    r = net_pcap(lab, app=("--mtu", "9000"), status=None)
    check(r.returncode in (1, 2) and "does not take an MTU of 9000" in r.stderr and
          r.stderr.count("\n") == 1, f"{r.returncode}: {r.stderr}")


def net_pcap_iface(lab):
    """On an interface: what has come before the signal is answered before the end."""
    if os.geteuid() != 0 or not shutil.which("ip"):
        raise Skip("an interface of its own needs root, and ip(8)")
    ours, theirs = f"pr{os.getpid()}a", f"pr{os.getpid()}b"
    if subprocess.run(["ip", "link", "add", ours, "type", "veth", "peer", "name", theirs],
                      check=False, capture_output=True).returncode:
        raise Skip("no veth can be made here")
    try:
        for name in (ours, theirs):
            run("sysctl", "-q", "-w", f"net.ipv6.conf.{name}.disable_ipv6=1", status=None)
            run("ip", "link", "set", name, "up")
        answers_drained(lab, ours, theirs)
    finally:
        run("ip", "link", "del", ours)


def answers_drained(lab, ours, theirs):
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) as wire, open(
            lab.file("echo.out"), "w+", encoding="utf-8") as out, subprocess.Popen(
            [BUILD / "apps/perch-echo", "--no-huge", "-m", "192", "--no-pci", "-l", "0",
             f"--file-prefix=rn{os.getpid()}", "--vdev", f"net_pcap0,iface={ours}", "--", "--ip",
             f.OURS + "/24"], stdout=out, stderr=out) as echo:
        try:
            wire.bind((theirs, 0))
            wire.setsockopt(socket.SOL_SOCKET, 33, 1 << 22)  # SO_RCVBUFFORCE
            wait_for(lab.file("echo.out"), "serving")
            wire.send(f.arp(1))
            mac = answer(wire, b"\x08\x06")[6:12].hex(":")
            for i in range(300):
                wire.send(f.udp(5000 + i, 7, b"%04d" % i, to=mac))
            answer(wire, b"\x08\0")  # it has begun with them
        finally:
            echo.send_signal(2)
        seen = 1
        while echo.poll() is None or seen < 300:
            try:
                answer(wire, b"\x08\0")
                seen += 1
            except Fault:
                break
        check(echo.wait(30) == 0, "perch-echo failed")
    said = lab.file("echo.out").read_text(encoding="utf-8")
    missed = re.search(r"port_rx_missed +(\d+)", said)  # the machine paused, and the ring was full
    check(seen == 300 - int(missed[1] if missed else 0), f"{seen} of 300 echoes: {said}")


def answer(wire, kind):
    """The next frame from perch-echo of that EtherType."""
    wire.settimeout(5)
    while True:
        try:
            frame, where = wire.recvfrom(2048)
        except TimeoutError as e:
            raise Fault("no answer comes") from e
        if where[2] != socket.PACKET_OUTGOING and frame[12:14] == kind and (
                kind != b"\x08\0" or frame[23] == 17):
            return frame


# ---- perch-pcapdiff ------------------------------------------------------------------------------

def pcapdiff(lab):
    packets = echo_frames(10)
    a = lab.file("a.pcapng", f.pcapng(packets))
    check("11 packets equal" in run(DIFF, a, lab.file("b.pcap", f.pcap(packets))).stdout, "same")
    late = lab.file("late.pcapng", f.pcapng([(t + 40, p) for t, p in packets]))
    run(DIFF, a, late, status=1)
    run(DIFF, "--time", "39", a, late, status=1)
    run(DIFF, "--time", "40", a, late)
    run(DIFF, "--any-time", a, late)
    gap = lab.file("gap.pcapng", f.pcapng(packets[:4] + packets[5:]))
    r = run(DIFF, a, gap, status=1)
    check("10 packets equal, 0 changed, 1 only in" in r.stdout and "packet 5: UDP" in r.stdout,
          r.stdout)
    port = packets[:]
    port[3] = (port[3][0], f.udp(5002, 8, b"0002"))
    b = lab.file("port.pcapng", f.pcapng(port))
    r = run(DIFF, a, b, status=1)
    check("packet 4" in r.stdout and re.search(r"udp\.dport +7\n +8\n", r.stdout), r.stdout)
    run(DIFF, "--ignore", "udp.dport,udp.checksum", a, b)
    check("sha256" in r.stdout, r.stdout)


def pcapdiff_feed(lab):
    one = [(T, f.udp(26400, 7, f.mold("000010059B", 5, [b"Axx", b"Dyy"])))]
    two = [(T, f.udp(26400, 7, f.mold("000010059B", 5, [b"Axx", b"Dyz"])))]
    r = run(DIFF, lab.file("1.pcapng", f.pcapng(one)), lab.file("2.pcapng", f.pcapng(two)),
            status=1)
    check("MoldUDP64" in r.stdout and "mold.msg.6" in r.stdout and "mold.msg.5" not in r.stdout,
          r.stdout)


def pcapdiff_errors(lab):
    a = lab.file("a.pcapng", f.pcapng(echo_frames(1)))
    for argv in ((a,), (a, lab.folder / "none"), ("--time", "x", a, a), ("--what", a, a)):
        check(run(DIFF, *argv, status=2).stderr, argv)
    run(DIFF, a, lab.file("cut.pcap", f.pcap(echo_frames(3), short=7)), status=2)


CASES = {**{f"golden {name}": lambda lab, n=name: golden(lab, n) for name in scenes.SCENES},
         **{f"told {name}": lambda lab, n=name: events_are_told(lab, n) for name in feeds.FEEDS},
         **{fn.__name__: fn for fn in (
             golden_notices, golden_is_made, orders, rehearsed_orders, strangers_are_counted,
             two_ports, books_are_mended,
             same_under_load, seed_matters, paced, idle_hours, lcores, tx_cost,
             backwards, merged, microseconds, checksums, damaged, unreadable, filtered, vlan, loops,
             full_bursts, faults, faults_by_chance, faults_of_each_kind,
             faults_by_sequence, peers_captured_isn,
             peers_one_side, peers_as_is, records_replays, from_recording_alone, checksum_marks,
             odd_words,
             controlled, crossing, crossing_killed, records_live, records_lcores, full_ring, holes,
             net_pcap_ends, net_pcap_endless, net_pcap_lacks, net_pcap_iface,
             crash_leaves_a_recording, crash_leaves_the_last,
             crash_of_a_long_day, damaged_recordings, mutants, pcapdiff,
             pcapdiff_feed, pcapdiff_errors)}}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regen", action="store_true")
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("--exact", action="store_true", help="a case runs when it is named")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("case", nargs="*")
    args = parser.parse_args()
    if args.list:
        print("\n".join(CASES))
        return
    if args.runs > 100:  # hours, on a machine that may have other things to do
        globals()["patience_s"] = 3600
    failed = passed = skipped = 0
    for name, case in CASES.items():
        if args.case and not any(word == name if args.exact else word in name
                                 for word in args.case):
            continue
        with tempfile.TemporaryDirectory(prefix="perch-replay-") as folder:
            try:
                case(Lab(folder, args.regen, args.runs))
                passed += 1
            except Skip as e:
                skipped += 1
                print(f"  SKIP {name}: {e}")
            except Fault as e:
                failed += 1
                print(f"  FAIL {name}: {e}")
    print(f"replay: {passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not passed + skipped else 0)


if __name__ == "__main__":
    main()
