# SPDX-License-Identifier: BSD-3-Clause
"""Hosts for interop tests: network namespaces, veth pairs, the wire, and the programs in them.

Everything made here has a name of its own and goes when the Lab does, also after a failure.
"""
import itertools
import os
import re
import signal
import subprocess
import tempfile
import time

BUILD = os.environ.get("PERCH_BUILD_DIR", "build")
PERCH4, PERCH6 = "10.99.0.2", "fd00:99::2"
LINUX4, LINUX6 = "10.99.0.1", "fd00:99::1"
NUMBERS = itertools.count()
FEATURES = "tx off rx off gso off gro off tso off".split()


class Skip(Exception):
    """This test cannot run here; the text says why."""


def app(name):
    return os.path.join(BUILD, "apps", name)


def free_hugepages():
    try:
        with open("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", encoding="ascii") as f:
            return int(f.read())
    except OSError:
        return 0


def memory_args(name):
    if free_hugepages() >= 150:
        return ["--in-memory", "-m", "200"]
    return ["--no-huge", "-m", "256", f"--file-prefix={name}"]


def wait_until(done, seconds=15):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


class Program:
    """A program in a namespace; its output goes to a file, for it may be long."""

    def __init__(self, lab, ns, argv, stdin=subprocess.DEVNULL):
        self.out = tempfile.NamedTemporaryFile("w+", dir=lab.dir, suffix=".out", delete=False)
        self.argv = argv
        self.p = subprocess.Popen(lab.in_ns(ns, argv), stdout=self.out, stderr=subprocess.STDOUT,
                                  stdin=stdin)

    def text(self):
        with open(self.out.name, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_for(self, text, seconds=15):
        end = time.monotonic() + seconds
        while text not in self.text():
            if self.p.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{self.argv[0]} did not say '{text}':\n{self.text()}")
            time.sleep(0.02)

    def stop(self, sig=signal.SIGINT):
        if self.p.poll() is None:
            self.p.send_signal(sig)
        try:
            return self.p.wait(15)
        except subprocess.TimeoutExpired:
            self.p.kill()
            self.p.wait()
            raise AssertionError(f"{self.argv[0]} did not stop") from None

    def counters(self):
        text = self.text()
        assert "runtime error" not in text, text  # UBSan says so and goes on
        return {name: int(value) for name, value in re.findall(r"^  (\w+) +(\d+)  ", text, re.M)}


class Lab:
    """Namespaces `perch` and `linux`; `join` makes a network of them."""

    def __init__(self):
        if os.geteuid() != 0:
            raise Skip("needs root")
        self.id = f"{os.getpid():x}-{next(NUMBERS)}"
        self.tmp = tempfile.TemporaryDirectory(prefix="perch-lab-")
        self.dir = self.tmp.name
        self.names, self.programs = [], []
        for ns in ("perch", "linux"):
            self.add_ns(ns)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in reversed(self.programs):
            if p.p.poll() is None:
                p.p.kill()
            p.p.wait()
        for ns in self.names:
            subprocess.run(["ip", "netns", "del", self.ns(ns)], check=False, capture_output=True)
        self.tmp.cleanup()

    def ns(self, name):
        return f"{name}-{self.id}"

    def in_ns(self, ns, argv):
        return ["ip", "netns", "exec", self.ns(ns), *argv] if ns else list(argv)

    def run(self, ns, *argv, check=True, timeout=60, **kw):
        return subprocess.run(self.in_ns(ns, argv), check=check, timeout=timeout, text=True,
                              capture_output=True, **kw)

    def start(self, ns, *argv):
        program = Program(self, ns, argv)
        self.programs.append(program)
        return program

    def add_ns(self, name):
        r = subprocess.run(["ip", "netns", "add", self.ns(name)], check=False, capture_output=True)
        if r.returncode:
            raise Skip("no network namespaces here")
        self.names.append(name)
        self.run(name, "ip", "link", "set", "lo", "up")

    def veth(self, ns_a, a, ns_b, b):
        self.run(ns_a, "ip", "link", "add", a, "type", "veth", "peer", "name", b,
                 "netns", self.ns(ns_b))
        for ns, dev in ((ns_a, a), (ns_b, b)):
            self.run(ns, "sysctl", "-qw", f"net.ipv6.conf.{dev}.accept_ra=0", check=False)
            self.run(ns, "ip", "link", "set", dev, "up")
            self.run(ns, "ethtool", "-K", dev, *FEATURES, check=False)

    def address_linux(self, ns, dev):
        self.run(ns, "ip", "addr", "add", LINUX4 + "/24", "dev", dev)
        self.run(ns, "ip", "addr", "add", LINUX6 + "/64", "dev", dev, "nodad")

    def join(self, **wire):
        """A veth from perch to linux, with the wire between them if it has any habits."""
        if not wire:
            self.veth("perch", "p0", "linux", "l0")
        else:
            self.add_ns("wire")
            self.veth("perch", "p0", "wire", "wp")
            self.veth("wire", "wl", "linux", "l0")
            args = [x for k, v in wire.items() for x in (f"--{k.replace('_', '-')}", str(v))]
            self.start("wire", os.path.join(BUILD, "tests/interop/wire"), "--a", "wp", "--b", "wl",
                       "--for", "300", *args).wait_for("joined")
        # The kernel must not answer for perch on its own end of the link.
        self.run("perch", "sysctl", "-qw", "net.ipv6.conf.p0.disable_ipv6=1", check=False)
        self.address_linux("linux", "l0")

    def perch(self, name, vdev, app_args, lcores="0"):
        argv = [app(name), "--no-pci", *memory_args(f"{name}-{self.id}"), *lcores_arg(lcores),
                "--vdev", vdev, "--", *app_args]
        return self.start("perch", *argv)

    def echo(self, vdev="net_af_packet0,iface=p0", extra=(), lcores="0", profile="latency"):
        p = self.perch("perch-echo", vdev, ["--ip", PERCH4 + "/24", "--ip6", PERCH6 + "/64",
                                            "--idle", "backoff", "--profile", profile, *extra],
                       lcores)
        p.wait_for("perch-echo: serving")
        return p

    def ping_from_perch(self, *args, vdev="net_af_packet0,iface=p0"):
        p = self.perch("perch-ping", vdev, ["--ip", LINUX4.replace(".1", ".3") + "/24", "--ip6",
                                            "fd00:99::3/64", "--idle", "backoff", *args])
        status = p.p.wait(120)
        assert status == 0, p.text()
        return p


def lcores_arg(lcores):
    return ["--lcores", lcores] if "@" in lcores else ["-l", lcores]
