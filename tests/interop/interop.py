#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""perch against Linux, over virtual links in network namespaces."""
import argparse
import concurrent.futures
import glob
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback

from lab import BUILD, LINUX4, LINUX6, PERCH4, PERCH6, Lab, Skip, app, memory_args, wait_until
from peer import checksum

CLIENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "client.py")
BAD_LINK = {"loss": 0.01, "reorder": 0.02, "dup": 0.005, "corrupt": 0.002, "seed": 7}
SIZE, SIZE_BAD = 100_000_000, 10_000_000
WHOLE, SEED = False, 11
CASES = {}


def case(f):
    CASES[f.__name__] = f
    return f


def client(lab, *args, timeout=120):
    r = lab.run("linux", sys.executable, CLIENT, *map(str, args), check=False, timeout=timeout)
    assert r.returncode == 0, f"client {args}: {r.stdout}{r.stderr}"
    return r.stdout


def stop_clean(echo):
    status = echo.stop()
    assert status == 0, f"exit status {status}:\n{echo.text()}"
    assert "summary" in echo.text()
    return echo.counters()


# ---- Linux calls perch --------------------------------------------------------------------------

def services(lab):
    """Everything that perch-echo offers, over both families."""
    for host, own in ((PERCH4, LINUX4), (PERCH6, LINUX6)):
        lab.run("linux", "ping", "-c", "3", "-i", "0.2", "-W", "2", "-s", "1000", host)
        client(lab, "half_close", host, 7)
        client(lab, "oneshot", host, 8)
        client(lab, "dialled", host, 9, own)
        client(lab, "udp", host, 7)
        client(lab, "refused", host, 1000)
        client(lab, "reset", host, 7)
        client(lab, "many", host, 7, 200)


EXTRA = ("--oneshot-port", "8", "--connect-port", "9")


def stock_clients(lab):
    """What a system engineer has at hand."""
    for host, name in ((PERCH4, PERCH4), (PERCH6, f"[{PERCH6}]")):
        for argv in (["socat", "-t", "5", "-", f"TCP:{name}:7"], ["nc", "-N", host, "7"],
                     ["curl", "-sS", "-m", "10", f"telnet://{name}:8"],  # it waits for our FIN
                     ["socat", "-t", "1", "-", f"UDP:{name}:7"]):
            if not shutil.which(argv[0]):
                print(f"  {argv[0]} is not installed")
                continue
            text = f"hello from {argv[0]} over {name}\n"
            r = lab.run("linux", *argv, input=text, check=False)
            assert r.returncode == 0 and r.stdout == text, (argv, r)


@case
def af_packet_stock_clients():
    with Lab() as lab:
        lab.join()
        echo = lab.echo(extra=EXTRA)
        stock_clients(lab)
        stop_clean(echo)


@case
def af_packet_services():
    with Lab() as lab:
        lab.join()
        echo = lab.echo(extra=EXTRA)
        services(lab)
        counters = stop_clean(echo)
        assert counters["tcp_accepted"] >= 400, counters


def tap(lab, extra=EXTRA):
    lab.names.remove("linux")  # the kernel's side of a tap is in the namespace of its maker
    subprocess.run(["ip", "netns", "del", lab.ns("linux")], check=True)
    echo = lab.echo(vdev="net_tap0,iface=l0", extra=extra)
    lab.address_linux("perch", "l0")
    run = lab.run
    lab.run = lambda ns, *a, **kw: run("perch" if ns == "linux" else ns, *a, **kw)
    return echo


def status(pid):
    return pathlib.Path(f"/proc/{pid}/status").read_text()


def tap_flags(pid):
    """The file status flags of a process's taps."""
    return [int(re.search(r"flags:\s+0(\d+)", text).group(1), 8)
            for text in (f.read_text() for f in pathlib.Path(f"/proc/{pid}/fdinfo").iterdir())
            if "\niff:" in text]


@case
def tap_services():
    with Lab() as lab:
        echo = tap(lab)
        flags = tap_flags(echo.p.pid)  # the driver's signal is off: the tap is polled
        assert flags and not any(f & os.O_ASYNC for f in flags), [oct(f) for f in flags]
        # Once it has heard its signal, the driver reads nothing more before the next one.
        caught = int(re.search(r"SigCgt:\s+(\w+)", status(echo.p.pid)).group(1), 16)
        for sig in range(signal.SIGRTMIN, signal.SIGRTMAX + 1):
            if caught >> (sig - 1) & 1:
                os.kill(echo.p.pid, sig)
        services(lab)
        stop_clean(echo)


@case
def tap_bulk():
    with Lab() as lab:
        echo = tap(lab)
        client(lab, "bulk", PERCH4, 7, SIZE)
        client(lab, "bulk", PERCH6, 7, SIZE)
        stop_clean(echo)


def super_echo(lab, iface):
    """Echo through net_tap's TSO, which is DPDK's own library in software, and for IPv4 only."""
    p = lab.perch("perch-echo", f"net_tap0,iface={iface}",
                  ["--ip", PERCH4 + "/24", "--idle", "backoff", "--offloads", "soft"])
    p.wait_for("perch-echo: serving")
    return p


@case
def tap_super_segments():
    """What a NIC is asked to cut: each frame that comes of it is looked at, each byte compared."""
    with Lab() as lab:
        echo = super_echo(lab, "l0")
        lab.run("perch", "ip", "addr", "add", LINUX4 + "/24", "dev", "l0")
        sniffer = lab.start("perch", sys.executable, CLIENT, "sniff", "l0", PERCH4)
        sniffer.wait_for("sniffing")
        r = lab.run("perch", sys.executable, CLIENT, "bulk", PERCH4, "7", str(SIZE_BAD),
                    check=False)
        assert r.returncode == 0, r.stdout + r.stderr
        time.sleep(0.2)
        assert sniffer.stop() == 0, sniffer.text()
        counters = stop_clean(echo)
        assert counters["tcp_supers"] > 100, counters
        seen = dict(re.findall(r"(\w+)=(\d+)", sniffer.text()))
        assert int(seen["payload"]) >= SIZE_BAD and int(seen["wrong"]) == 0, sniffer.text()
        # Segments cut out of one packet are numbered from 0 on (RFC 6864 lets them).
        assert int(seen["numbered"]) > 100, sniffer.text()


@case
def bad_link_super_segments():
    """Parts of super-segments are lost, SACKed and sent again."""
    with Lab() as lab:
        lab.veth("perch", "wl", "linux", "l0")
        echo = super_echo(lab, "t0")
        for dev in ("wl", "t0"):
            lab.run("perch", "sysctl", "-qw", f"net.ipv6.conf.{dev}.disable_ipv6=1", check=False)
        habits = [x for k, v in BAD_LINK.items() for x in (f"--{k}", str(v))]
        lab.start("perch", os.path.join(BUILD, "tests/interop/wire"), "--a", "t0", "--b", "wl",
                  "--for", "300", *habits).wait_for("joined")
        lab.address_linux("linux", "l0")
        client(lab, "bulk", PERCH4, 7, SIZE_BAD)
        counters = stop_clean(echo)
        assert counters["tcp_supers"] > 50 and counters["tcp_retransmits"] > 10, counters


@case
def af_packet_bulk():
    with Lab() as lab:
        lab.join()
        echo = lab.echo()
        client(lab, "bulk", PERCH4, 7, SIZE)
        client(lab, "bulk", PERCH6, 7, SIZE)
        assert stop_clean(echo)["tcp_bytes_in"] == 2 * SIZE


@case
def af_xdp_services():
    with Lab() as lab:
        lab.join()
        p = lab.perch("perch-echo", "net_af_xdp0,iface=p0,start_queue=0,queue_count=1",
                      ["--ip", PERCH4 + "/24", "--ip6", PERCH6 + "/64", "--idle", "backoff", *EXTRA])
        try:
            p.wait_for("perch-echo: serving")
        except AssertionError as e:
            raise Skip(f"net_af_xdp does not start here: {str(e).splitlines()[-1]}") from None
        services(lab)
        stop_clean(p)


@case
def bad_link_bulk():
    with Lab() as lab:
        lab.join(**BAD_LINK)
        echo = lab.echo()
        client(lab, "bulk", PERCH4, 7, SIZE)
        client(lab, "bulk", PERCH6, 7, SIZE)
        counters = stop_clean(echo)
        assert counters["tcp_retransmits"] > 50, counters


@case
def bad_link_delay():
    with Lab() as lab:
        lab.join(delay_us=5000, jitter_us=2000, **BAD_LINK)
        echo = lab.echo()
        client(lab, "bulk", PERCH4, 7, SIZE_BAD // 10)
        stop_clean(echo)


# ---- the matrix of bad links: loss, delay, and what else happens to frames -----------------------
# Through the same wire with the same seed, tests/bench/impaired.py measures the goodput.

LOSSES, DELAYS_US = (0, 0.001, 0.01, 0.05), (0, 1000, 50000)
DISORDERS = (
    {}, {"reorder": 0.05}, {"dup": 0.02}, {"corrupt": 0.01},
    {"reorder": 0.05, "dup": 0.02, "corrupt": 0.01, "truncate": 0.002, "jitter_us": 500})
CELLS_AT_ONCE = 3  # most of them wait for the wire


def linux_asks(lab, host, size):
    """Linux sends, perch-echo sends it back, both at once."""
    echo = lab.echo()
    client(lab, "bulk", host, 7, size)
    counters = stop_clean(echo)
    assert counters["tcp_bytes_in"] == size, counters


def perch_asks(lab, host, size):
    """The same the other way round. perch-ping waits for no byte longer than ten seconds."""
    linux_server(lab)
    lab.ping_from_perch("--bulk", str(size), "--profile", "wan",
                        LINUX6 if host == PERCH6 else LINUX4, "7")


def perch_pours(lab, host, size):
    """One way: all that comes back are ACKs."""
    sink = lab.start("linux", sys.executable, CLIENT, "sink", "9", "check")
    sink.wait_for("serving")
    lab.start("perch", os.path.join(BUILD, "tests/bench/pour"), "--no-pci",
              *memory_args(f"pour-{lab.id}"), "-l", "0", "--vdev", "net_af_packet0,iface=p0", "--",
              "--ip", PERCH4 + "/24", "--ip6", PERCH6 + "/64", "--idle", "backoff", "--bytes",
              str(size), LINUX6 if host == PERCH6 else LINUX4, "9")
    sink.wait_for(f"{size} bytes in", 120)
    assert "all of them right" in sink.text(), sink.text()


def cell(habits, host, how, seed):
    """Byte for byte, and never silent for ten seconds. What went wrong, or None."""
    size = 400_000 if habits["delay_us"] > 10000 else 3_000_000
    try:
        with Lab() as lab:
            lab.join(seed=seed, **habits)
            how(lab, host, size)
    except (AssertionError, subprocess.SubprocessError) as e:
        return f"{how.__name__} over {host}, wire {habits} seed {seed}: {e}"
    return None


def impaired(cells):
    """Each cell by each way of using a link; a part of them by one way each."""
    ways = (linux_asks, perch_asks, perch_pours)
    every = [(habits, (PERCH4, PERCH6)[(i + j) % 2], how, SEED)
             for i, habits in enumerate(cells) for j, how in enumerate(ways)
             if WHOLE or i % 3 == j]
    with concurrent.futures.ThreadPoolExecutor(CELLS_AT_ONCE) as pool:
        faults = [f for f in pool.map(lambda c: cell(*c), every) if f]
    print(f"  {len(every)} cells, {len(faults)} failed")
    assert not faults, "\n".join(faults)


@case
def impaired_links():
    """Whatever the wire does. --whole: all there is; else each pair of loss and delay, and the
    worst."""
    cells = [({"loss": loss, "delay_us": delay, **more}, k == (i + 2 * j) % len(DISORDERS))
             for i, loss in enumerate(LOSSES) for j, delay in enumerate(DELAYS_US)
             for k, more in enumerate(DISORDERS)]
    impaired([c for n, (c, chosen) in enumerate(cells) if WHOLE or chosen or n == len(cells) - 1])


def lcores(layout):
    with Lab() as lab:
        lab.join()
        echo = lab.echo(extra=EXTRA, lcores=layout)
        services(lab)
        client(lab, "bulk", PERCH4, 7, SIZE_BAD)
        counters = stop_clean(echo)
        assert "over 2 lcores" in echo.text()
        assert counters["co_spawned"] >= 400, counters


@case
def two_lcores():
    if os.cpu_count() < 2:
        raise Skip("needs two CPUs")
    lcores("0-1")


@case
def two_lcores_on_one_cpu():
    lcores("(0-1)@0")


# ---- a peer that keeps to a script --------------------------------------------------------------

@case
def scripts():
    program = os.path.join(os.path.dirname(CLIENT), "scripts.py")
    with Lab() as lab:
        lab.veth("perch", "p0", "linux", "l0")
        for ns, dev in (("perch", "p0"), ("linux", "l0")):  # no kernel says a word
            lab.run(ns, "sysctl", "-qw", f"net.ipv6.conf.{dev}.disable_ipv6=1", check=False)
        echo = lab.echo(extra=EXTRA)
        r = lab.run("linux", sys.executable, program, "l0", os.environ.get("SCRIPT", ""), LINUX4,
                    LINUX6, PERCH4, PERCH6, check=False, timeout=120)
        assert r.returncode == 0, r.stdout + r.stderr
        print(f"  {r.stdout.strip()}")
        stop_clean(echo)


# ---- perch calls Linux --------------------------------------------------------------------------

def linux_server(lab):
    for family, kind in (("TCP4", "4"), ("TCP6", "6")):
        listen = f"{family}-LISTEN:7,reuseaddr,fork" + (",ipv6only=1" if kind == "6" else "")
        # With blocks beyond PIPE_BUF socat can fall asleep in a write to a pipe that only it reads.
        lab.start("linux", "socat", "-b", "4096", listen, "PIPE")
    lab.start("linux", "socat", "UDP4-LISTEN:7,reuseaddr,fork", "PIPE")
    for _ in range(100):
        r = lab.run("linux", "ss", "-Hltn", "sport = :7")
        if len(r.stdout.splitlines()) == 2:
            return
    raise AssertionError("socat did not start")


@case
def dial_linux():
    with Lab() as lab:
        lab.join()
        linux_server(lab)
        for host in (LINUX4, LINUX6):
            text = lab.ping_from_perch("--count", "500", host, "7").text()
            assert "answered 500, wrong 0" in text, text
            lab.ping_from_perch("--bulk", str(SIZE), host, "7")
        lab.ping_from_perch("--udp", "--count", "100", LINUX4, "7")


@case
def dial_linux_over_bad_link():
    with Lab() as lab:
        lab.join(**BAD_LINK)
        linux_server(lab)
        for host in (LINUX4, LINUX6):
            p = lab.ping_from_perch("--bulk", str(SIZE), "--timeout", "60", host, "7")
            assert p.counters()["tcp_retransmits"] > 0, p.text()


@case
def dial_nobody():
    with Lab() as lab:
        lab.join()
        p = lab.perch("perch-ping", "net_af_packet0,iface=p0",
                      ["--ip", "10.99.0.3/24", "--idle", "backoff", LINUX4, "7"])
        assert p.p.wait(30) == 1
        assert "Connection refused" in p.text(), p.text()


# ---- captures -----------------------------------------------------------------------------------

CLIENT_MAC, PERCH_MAC = bytes.fromhex("020000009901"), bytes.fromhex("020000009902")
BROADCAST = b"\xff" * 6


def ip4(text):
    return bytes(map(int, text.split(".")))


def arp_request():
    return (BROADCAST + CLIENT_MAC + b"\x08\x06" + struct.pack("!HHBBH", 1, 0x800, 6, 4, 1) +
            CLIENT_MAC + ip4(LINUX4) + bytes(6) + ip4(PERCH4))


def ipv4(proto, payload):
    head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0, 64, proto, 0)
    head += ip4(LINUX4) + ip4(PERCH4)
    head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
    return PERCH_MAC + CLIENT_MAC + b"\x08\x00" + head + payload


def icmp_echo():
    body = struct.pack("!BBHHH", 8, 0, 0, 42, 1) + b"ping in a capture"
    return ipv4(1, body[:2] + struct.pack("!H", checksum(body)) + body[4:])


def udp_echo(port=7):
    return ipv4(17, struct.pack("!HHHH", 5000, port, 8 + 11, 0) + b"udp payload")


def write_pcap(path, frames):
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 1))
        for i, frame in enumerate(frames):
            f.write(struct.pack("<IIII", 1, i, len(frame), len(frame)) + frame)


def read_pcap(path):
    with open(path, "rb") as f:
        data = f.read()
    frames, at = [], 24
    while at + 16 <= len(data):
        n = struct.unpack_from("<I", data, at + 8)[0]
        frames.append(data[at + 16:at + 16 + n])
        at += 16 + n
    return frames


@case
def pcap():
    """net_pcap: the right replies to ARP, ping and UDP echo, and none to damaged ones."""
    with tempfile.TemporaryDirectory(prefix="perch-pcap-") as tmp:
        rx, tx = os.path.join(tmp, "rx.pcap"), os.path.join(tmp, "tx.pcap")
        broken = bytearray(udp_echo())
        broken[24] ^= 1  # the IPv4 header's checksum
        write_pcap(rx, [arp_request(), icmp_echo(), udp_echo(), bytes(broken), udp_echo()[:30]])
        argv = [app("perch-echo"), "--no-pci", "--no-huge", "-m", "256",
                f"--file-prefix=perch-pcap-{os.getpid()}", "-l", "0", "--vdev",
                f"net_pcap0,rx_pcap={rx},tx_pcap={tx}", "--", "--ip", PERCH4 + "/24",
                "--idle", "backoff"]
        with open(os.path.join(tmp, "out"), "w+", encoding="utf-8") as out:
            p = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT)
            wait_until(lambda: "serving" in open(out.name, encoding="utf-8").read())
            p.send_signal(signal.SIGINT)  # what lies there to be received is answered first
            status = p.wait(15)
            out.seek(0)
            text = out.read()
        assert status == 0, text
        frames = read_pcap(tx)
    arp = [f for f in frames if f[12:14] == b"\x08\x06" and f[20:22] == b"\0\2"]
    assert len(arp) == 1 and arp[0][22:28] == arp[0][6:12] and arp[0][:6] == CLIENT_MAC, frames
    ips = [f for f in frames if f[12:14] == b"\x08\x00"]
    assert len(ips) == 2, ips
    for f in ips:
        assert f[:6] == CLIENT_MAC and checksum(f[14:34]) == 0
        assert f[26:30] == ip4(PERCH4) and f[30:34] == ip4(LINUX4)
    ping, udp = (ips[0], ips[1]) if ips[0][23] == 1 else (ips[1], ips[0])
    assert ping[34] == 0 and checksum(ping[34:]) == 0 and ping[42:] == b"ping in a capture"
    assert udp[34:38] == struct.pack("!HH", 7, 5000) and udp[42:] == b"udp payload"
    assert "drop_ip4_bad_checksum" in text and "drop_ip4_truncated" in text, text


# ---- mistakes -----------------------------------------------------------------------------------

def said(argv):
    r = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=30)
    return r.returncode, r.stdout, r.stderr


BARE = ["--no-huge", "-m", "64", "--no-pci"]


@case
def bad_command_lines():
    ip = ["--ip", "10.99.0.2/24"]
    for name, args in (
            ("perch-echo", []), ("perch-ping", []), ("perch-idle", []), ("perch-idle", ["x"]),
            ("perch-echo", ip),
            ("perch-echo", ["--"]),
            ("perch-echo", [*BARE, "--"]),
            ("perch-echo", [*BARE, "--", *ip, "--port"]),
            ("perch-echo", [*BARE, "--", *ip, "--port", "0"]),
            ("perch-echo", [*BARE, "--", *ip, "--port", "70000"]),
            ("perch-echo", [*BARE, "--", *ip, "--port", "7x"]),
            ("perch-echo", [*BARE, "--", *ip, "--oneshot-port", "7"]),
            ("perch-echo", [*BARE, "--", *ip, "--profile", "fast"]),
            ("perch-echo", [*BARE, "--", *ip, "--cc", "vegas"]),
            ("perch-echo", [*BARE, "--", *ip, "--frobnicate", "1"]),
            ("perch-echo", [*BARE, "--", *ip, "surplus"]),
            ("perch-echo", [*BARE, "--", "--ip", "10.99.0.2"]),
            ("perch-echo", [*BARE, "--", "--ip", "10.99.0.300/24"]),
            ("perch-echo", [*BARE, "--", *ip, "--gw", "nowhere"]),
            ("perch-echo", ["--no-such-eal-option", *BARE, "--", *ip]),
            ("perch-echo", ["--no-huge", "--in-memory", "--no-pci", "--", *ip]),
            ("perch-ping", [*BARE, "--", *ip]),
            ("perch-ping", [*BARE, "--", *ip, "10.99.0.1", "0"]),
            ("perch-ping", [*BARE, "--", *ip, "--udp", "--bulk", "5", "10.99.0.1", "7"])):
        status, out, err = said([app(name), *args])
        assert status == 2, (name, args, status, out, err)
        assert len(err.splitlines()) == 1 and not out, (name, args, out, err)


@case
def start_failures():
    """A sentence that says what to do, and exit status 1."""
    prefix = f"--file-prefix=perch-fail-{os.getpid()}"
    ip = ["--", "--ip", "10.99.0.2/24"]
    for args, words in (
            ([*BARE, prefix, "--vdev", "net_af_packet0,iface=nosuch0", *ip], "interface"),
            ([*BARE, prefix, "--vdev", "net_pcap0,rx_pcap=/no/such.pcap", *ip], "net_pcap0"),
            ([*BARE, prefix, *ip], "--vdev")):
        status, out, err = said([app("perch-echo"), *args])
        assert status == 1 and words in err, (args, status, out, err)
        assert len(err.splitlines()) == 1, err


@case
def start_failures_panic():
    """EAL aborts where a driver is there twice: what it says last is not lost."""
    drivers = glob.glob("/usr/lib/*/dpdk/pmds-*/librte_bus_pci.so.*.*")
    if not drivers:
        raise Skip("no driver of EAL's to load twice")
    with tempfile.TemporaryDirectory(prefix="perch-panic-", dir=BUILD) as tmp:
        twin = shutil.copy(drivers[0], tmp)
        status, out, err = said(["prlimit", "--core=0", app("perch-echo"), *BARE,
                                 f"--file-prefix=perch-panic-{os.getpid()}", "-d", twin, "--",
                                 "--ip", "10.99.0.2/24"])
    if "Cannot init plugins" in err:
        raise Skip("the build folder lies in one that everybody may write to")
    assert status == -signal.SIGABRT and "PANIC in" in err and not out, (status, out, err)


@case
def no_hugepages():
    path = "/sys/kernel/mm/hugepages"
    if os.geteuid() != 0 or not os.path.exists(path):
        raise Skip("needs root and huge pages")
    argv = " ".join([app("perch-echo"), "--no-pci --in-memory -l 0 -- --ip 10.99.0.2/24"])
    # A machine without any, as this one program sees it: others may need theirs.
    r = subprocess.run(["unshare", "--mount", "sh", "-c", f"mount -t tmpfs none {path} && exec {argv}"],
                       check=False, capture_output=True, text=True, timeout=30)
    if "unshare failed" in r.stderr or "mount:" in r.stderr:
        raise Skip("no mount namespaces here")
    assert r.returncode == 1 and "nr_hugepages" in r.stderr, (r.returncode, r.stderr)
    assert len(r.stderr.splitlines()) == 1 and "--no-huge" in r.stderr, r.stderr


@case
def no_permission():
    if os.geteuid() != 0:
        raise Skip("needs root, to become somebody who may not")
    argv = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups",
            os.path.abspath(app("perch-echo")), *BARE, f"--file-prefix=perch-perm-{os.getpid()}",
            "--vdev", "net_af_packet0,iface=lo", "--", "--ip", "10.99.0.2/24"]
    r = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=30, cwd="/",
                       env={**os.environ, "XDG_RUNTIME_DIR": "/tmp"})
    if "Permission denied" in r.stderr and "setpriv" in r.stderr:
        raise Skip("the build folder is not open to other users")
    assert r.returncode == 1 and len(r.stderr.splitlines()) == 1, (r.returncode, r.stderr)


# ---- the first command of the README ------------------------------------------------------------

def demo(*args):
    return subprocess.Popen(["./perch", "demo", *args], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, start_new_session=True,
                            env={**os.environ, "PERCH_BUILD": BUILD})


def traces():
    """What a demo could leave behind, in the whole machine."""
    links = subprocess.run(["ip", "-o", "link"], check=False, capture_output=True, text=True).stdout
    spaces = subprocess.run(["ip", "netns"], check=False, capture_output=True, text=True).stdout
    left = {f"link {w}" for w in re.findall(r"\b(pe\d+)@?", links)}
    left |= {f"namespace {w}" for w in re.findall(r"perch-demo-\d+", spaces)}
    left |= {f"folder {f}" for f in os.listdir(tempfile.gettempdir()) if f.startswith("perch-demo")}
    return left


def processes_of(session):
    out = subprocess.run(["ps", "-o", "pid=,args=", "-s", str(session)], check=False,
                         capture_output=True, text=True).stdout
    return out.strip()


def demo_succeeds(*args):
    p = demo(*args)
    out, _ = p.communicate(timeout=120)
    assert p.returncode == 0 and "all bytes came back right" in out, out
    assert not processes_of(p.pid), processes_of(p.pid)
    assert not {t for t in traces() if t.endswith(str(p.pid))}, traces()
    return out


@case
def demo_without_root():
    out = demo_succeeds("--no-root")
    assert "mode: no root" in out and "round trip: p50" in out and "summary" in out, out


@case
def demo_with_root():
    if os.geteuid() != 0:
        raise Skip("needs root")
    out = demo_succeeds()
    assert "mode: root" in out or "no network namespaces here" in out, out
    assert "round trip" in out and "summary" in out, out


def demo_interrupted(sig, moment, *args):
    """Everything in the foreground gets the signal, as from a terminal."""
    before = hugepages()
    p = demo(*args)
    out = ""
    for line in p.stdout:
        out += line
        if re.search(moment, line):
            break
    os.killpg(p.pid, sig)
    rest, _ = p.communicate(timeout=30)
    out += rest
    assert p.returncode == 128 + sig, (p.returncode, out)
    assert "came back right\nall" not in out
    assert not processes_of(p.pid), processes_of(p.pid)
    assert not {t for t in traces() if str(p.pid) in t}, traces()
    wait_until(lambda: hugepages() == before, 5)


def hugepages():
    try:
        with open("/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages", encoding="ascii") as f:
            return f.read()
    except OSError:
        return ""


@case
def demo_interrupted_early():
    demo_interrupted(signal.SIGINT, "mode:")


@case
def demo_interrupted_late():
    demo_interrupted(signal.SIGINT, "round trip|rtt")


@case
def demo_interrupted_without_root():
    demo_interrupted(signal.SIGINT, "round trip", "--no-root")


@case
def demo_terminated():
    demo_interrupted(signal.SIGTERM, "mode:")


@case
def demo_bad_option():
    for args in (["demo", "--frobnicate"], ["frobnicate"]):
        r = subprocess.run(["./perch", *args], check=False, capture_output=True, text=True,
                           timeout=30)
        assert r.returncode == 2 and "usage" in r.stderr and not r.stdout, (args, r)


# ---- run ----------------------------------------------------------------------------------------

def main(only):
    tally = {"passed": 0, "failed": 0, "skipped": 0}
    for name, f in CASES.items():
        if only not in name:
            continue
        try:
            f()
            tally["passed"] += 1
        except Skip as reason:
            print(f"  SKIP {name}: {reason}")
            tally["skipped"] += 1
        except Exception:  # a test that breaks is a failure, and the others go on
            print(f"  FAIL {name}\n{traceback.format_exc()}")
            tally["failed"] += 1
        sys.stdout.flush()
    print("interop: {passed} passed, {failed} failed, {skipped} skipped".format(**tally))
    return 1 if tally["failed"] else 0 if tally["passed"] else 77


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("only", nargs="?", default="", help="part of a name")
    options.add_argument("--whole", action="store_true", help="every cell of the bad links")
    options.add_argument("--seed", type=int, default=SEED, help="of their wires")
    chosen = options.parse_args()
    WHOLE, SEED = chosen.whole, chosen.seed
    sys.exit(main(chosen.only))
