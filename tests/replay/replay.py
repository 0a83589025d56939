#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Replays scenes through perch-echo and holds the bytes that come out against golden captures.

    replay.py [--regen] [--runs N] [CASE...]    a case runs when its name holds one of the words

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
import struct
import subprocess
import sys
import tempfile
import time

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
APPS["market_data"] = APPS["market_data_whole"] = FEED
T = scenes.START


class Fault(Exception):
    """What a case found wrong."""


def run(*argv, status=0, env=None):
    try:
        r = subprocess.run([str(a) for a in argv], check=False, text=True, capture_output=True,
                           timeout=60, env={**os.environ, **(env or {})})
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
        return self.file(f"{name}.pcapng", f.pcapng(scenes.packets(name)))

    def replay(self, capture, *options, status=0, app=ECHO, env=None):
        return run(REPLAY, "--rx", capture, "--tx", self.file("out.pcapng"), *options, *app,
                   status=status, env=env)

    def out(self):
        return read(self.file("out.pcapng"))


# ---- goldens -------------------------------------------------------------------------------------

def golden(lab, name):
    """Byte for byte, times included; the scene has an ISN of its own for the server. A host with
    IPv6 tells its groups at random times in the first second: that is not waited for."""
    v6 = name == "ip6"
    r = lab.replay(lab.scene(name), "--peers", "ours", "--expect", HERE / f"golden/{name}.pcapng",
                   *(["--linger", "1000000"] if v6 else []), *(["--regen"] if lab.regen else []),
                   app=APPS.get(name, ECHO), status=None)
    check(r.returncode == 0, f"{r.stdout[-1500:]}{r.stderr}If that is meant: "
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


def books_are_mended(lab):
    """After losses on either line, on both, and a late message, the books are those of a whole
    day, byte for byte."""
    for name in ("market_data", "market_data_whole"):
        r = lab.replay(lab.scene(name), "--peers", "ours",
                       app=(*FEED, "--dump", lab.file(f"{name}.books")))
        check((counter(r, "requests") > 0) == (name == "market_data"), r.stdout)
    whole = lab.file("market_data_whole.books").read_bytes()
    mended = lab.file("market_data.books").read_bytes()
    check(len(whole) > 100 and mended == whole, "books differ")


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
    check("packet 4 is 1000 ns earlier" in r.stderr, r.stderr)


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


def faults_by_sequence(lab):
    """The packet of the feed that has the message, whichever packet that is."""
    scene = lab.scene("feed")
    lab.replay(scene)
    whole = [p for _, p in lab.out() if p[23] == 17 and len(p) > 62]
    r = lab.replay(scene, "--fault", "drop:seq=14764500")
    left = [p for _, p in lab.out() if p[23] == 17 and len(p) > 62]
    gone = [p for p in whole if p not in left]
    check(len(gone) == 1 and "1 dropped_by_faults" in r.stdout, f"{len(gone)} are gone")
    first, count = struct.unpack_from("!QH", gone[0], 42 + 10)
    check(first <= 14764500 < first + count, f"{first} + {count}")


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
    r = lab.replay(lab.scene("tcp_client_closes"))
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


def live(lab, *ping, lcores="0"):
    """perch-ping and perch-echo over shared memory, both recorded: what one received is what the
    other sent. Returns the output of the echo's replay, and what the ping received."""
    common = ("--no-huge", "-m", "192", "--no-pci")
    vdev = f"net_memif0,id=0,socket-abstract=no,socket={lab.file('memif')}"
    echo_rec, ping_rec = lab.file("echo.rec"), lab.file("ping.rec")
    with open(lab.file("echo.out"), "w+", encoding="utf-8") as out, subprocess.Popen(
            [BUILD / "apps/perch-echo", *common, "-l", lcores, f"--file-prefix=re{os.getpid()}",
             "--vdev", vdev + ",role=server", "--", "--ip", f.OURS + "/24", "--idle", "backoff",
             "--record", echo_rec], stdout=out, stderr=out) as echo:
        try:
            wait_for(lab.file("echo.out"), "serving")
            run(BUILD / "apps/perch-ping", *common, "-l", "0", f"--file-prefix=rp{os.getpid()}",
                "--vdev", vdev + ",role=client,mac=02:00:00:00:99:01", "--", "--ip",
                f.PEER + "/24", "--idle", "backoff", "--record", ping_rec, *ping, f.OURS, "7")
        finally:
            echo.send_signal(2)
        check(echo.wait(30) == 0, "perch-echo failed")
    lab.replay(echo_rec, app=("--", "perch-echo", "--", "--ip", f.OURS + "/24"))
    return [p for _, p in lab.out()], [p for _, p in read(ping_rec)]


def wait_for(path, text, seconds=20):
    for _ in range(seconds * 50):
        if text in path.read_text(encoding="utf-8"):
            return
        time.sleep(0.02)
    raise Fault(f"'{text}' does not come: {path.read_text(encoding='utf-8')}")


def records_live(lab):
    """Real threads, real time, TCP both ways: the replay of the recording sends the same bytes."""
    for ping in (("--count", "300"), ("--bulk", "3000000")):
        replayed, received = live(lab, *ping)
        common = min(len(replayed), len(received))  # after the ping has gone nobody records
        check(common > 300 and replayed[:common] == received[:common],
              f"{ping}: {len(replayed)} packets replayed, {len(received)} received")


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
    check(re.search(r'handle \(text=\w+ "cancel"', r.stdout) and "$1 = 0" in r.stdout,
          f"{r.stdout}{r.stderr}")


def crash_leaves_the_last(lab):
    """The ring alone, of 1 MB, when it has gone round: the newest packets are in it."""
    orders = [f"xxxx{i:05}" for i in range(14000)] + ["cancel"]
    rec = crash(lab, orders, "last")
    r = lab.replay(f"{rec}.ring", app=("--", str(CRASHER)), status=1)
    check("died of Segmentation fault" in r.stderr, r.stdout + r.stderr)


def damaged_recordings(lab):
    rec = lab.file("a.rec")
    lab.replay(lab.scene("udp"), env={"PERCH_RECORD": str(rec)})
    whole = rec.read_bytes()
    half = lab.file("half.rec", whole[:len(whole) // 2 + 3])
    r = lab.replay(half)
    check(0 < counter(r, "rx_packets") < 33, r.stdout)
    r = lab.replay(lab.file("ring.rec", b"perchrc1" + b"\xff" * 9000), status=2)
    check("no recording that can be read" in r.stderr, r.stderr)
    r = lab.replay(rec, "--fault", "drop:p=1", status=2)
    check("stands alone" in r.stderr, r.stderr)
    for seed in range(60):
        dice = random.Random(seed)
        bad = bytearray(whole)
        for _ in range(20):
            bad[dice.randrange(len(bad))] = dice.randrange(256)
        r = lab.replay(lab.file("bad.rec", bytes(bad)), status=None)
        check(r.returncode in (0, 1, 2) and "died" not in r.stderr, f"seed {seed}: {r.stderr}")


# ---- net_pcap ------------------------------------------------------------------------------------

def net_pcap(lab, *vdev, signal_at=None):
    """perch-echo behind DPDK's own capture driver, which has no times and tells no end."""
    source = lab.file("in.pcap", f.pcap([(T, f.arp(1, dst=PCAP_MAC))] + [
        (T + i, f.udp(5000 + i, 7, b"%04d" % i, to=PCAP_MAC)) for i in range(500)], nano=False))
    args = ("--no-huge", "-m", "192", "--no-pci", "-l", "0", f"--file-prefix=rn{os.getpid()}",
            "--vdev", ",".join((f"net_pcap0,rx_pcap={source}", f"tx_pcap={lab.file('out.pcap')}",
                                *vdev)), "--", "--ip", f.OURS + "/24")
    if signal_at is None:
        return run(BUILD / "apps/perch-echo", *args, "--until-idle", "200")
    r = run("timeout", "-s", "INT", signal_at, BUILD / "apps/perch-echo", *args, status=None)
    check(r.returncode in (0, 124), f"exit status {r.returncode}: {r.stderr}")
    return r


def net_pcap_ends(lab):
    """All is answered, then the end is noticed and perch-echo stops by itself."""
    r = net_pcap(lab)
    check(counter(r, "rx_packets") == 501 and counter(r, "tx_taken") >= 501, r.stdout)
    out = lab.file("out.pcap").read_bytes()
    check(all(b"%04d" % i in out for i in range(500)), "echoes are missing in tx_pcap")


def net_pcap_endless(lab):
    """infinite_rx has no end: a signal stops it, drained."""
    r = net_pcap(lab, "infinite_rx=1", signal_at="2")
    check(counter(r, "rx_packets") > 501, r.stdout + r.stderr)


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
         **{fn.__name__: fn for fn in (
             golden_notices, books_are_mended,
             same_under_load, seed_matters, paced, idle_hours, lcores, tx_cost,
             backwards, merged, microseconds, checksums, damaged, unreadable, filtered, vlan, loops,
             full_bursts, faults, faults_by_chance, faults_by_sequence, peers_captured_isn,
             peers_one_side, peers_as_is, records_replays, records_live,
             net_pcap_ends, net_pcap_endless, crash_leaves_a_recording, crash_leaves_the_last,
             damaged_recordings, pcapdiff,
             pcapdiff_feed, pcapdiff_errors)}}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--regen", action="store_true")
    parser.add_argument("--runs", type=int, default=12)
    parser.add_argument("case", nargs="*")
    args = parser.parse_args()
    (HERE / "golden").mkdir(exist_ok=True)
    failed = passed = 0
    for name, case in CASES.items():
        if args.case and not any(word in name for word in args.case):
            continue
        with tempfile.TemporaryDirectory(prefix="perch-replay-") as folder:
            try:
                case(Lab(folder, args.regen, args.runs))
                passed += 1
            except Fault as e:
                failed += 1
                print(f"  FAIL {name}: {e}")
    print(f"replay: {passed} passed, {failed} failed, 0 skipped")
    sys.exit(1 if failed or not passed else 0)


if __name__ == "__main__":
    main()
