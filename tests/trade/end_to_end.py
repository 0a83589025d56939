#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""perch-gateway and perch-exchange, two processes over memif: end_to_end.py [PART OF A NAME]."""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import traceback

BUILD = os.environ.get("PERCH_BUILD_DIR", "build")
COMMON = ["--no-huge", "-m", "256", "--no-pci", "-l", "0"]
CASES = []


def case(f):
    CASES.append(f)
    return f


class Program:
    def __init__(self, name, tmp, argv):
        self.out = tempfile.NamedTemporaryFile("w+", dir=tmp, suffix=f".{name}", delete=False)
        self.p = subprocess.Popen([os.path.join(BUILD, "apps", name), *argv], stdout=self.out,
                                  stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)

    def text(self):
        with open(self.out.name, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_for(self, what, seconds=20):
        end = time.monotonic() + seconds
        while not re.search(what, self.text()):
            assert self.p.poll() is None and time.monotonic() < end, f"no '{what}':\n{self.text()}"
            time.sleep(0.02)

    def end(self, sig=signal.SIGINT, status=0):
        if self.p.poll() is None:
            self.p.send_signal(sig)
        assert self.p.wait(20) == status, self.text()
        return self.text()

    def kill(self):
        if self.p.poll() is None:
            self.p.kill()
        self.p.wait()


class Floor:
    """An exchange and the gateways that come and go."""

    def __init__(self, *exchange):
        self.tmp = tempfile.TemporaryDirectory(prefix="perch-trade-")
        self.dir = self.tmp.name
        self.programs = []
        self.exchange = self.open_exchange(*exchange)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for p in reversed(self.programs):
            p.kill()
        self.tmp.cleanup()

    def start(self, name, role, extra, argv):
        vdev = f"net_memif0,role={role},id=0,socket-abstract=no,socket={self.dir}/memif{extra}"
        prefix = f"--file-prefix=perch-{name}-{os.getpid()}-{len(self.programs)}"
        p = Program(name, self.dir,
                    [*COMMON, prefix, "--vdev", vdev, "--", "--idle", "backoff", *argv])
        self.programs.append(p)
        return p

    def open_exchange(self, *argv):
        p = self.start("perch-exchange", "server", "",
                       ["--ip", "10.99.0.2/24", "--line-a", "10.99.0.1:5001", "--line-b",
                        "10.99.0.1:5002", *argv])
        p.wait_for("serving")
        return p

    def gateway(self, *argv):
        p = self.start("perch-gateway", "client", ",mac=02:00:00:00:99:01",
                       ["--ip", "10.99.0.1/24", "--exchange", "10.99.0.2:9000", "--line-a",
                        "10.99.0.1:5001", "--line-b", "10.99.0.1:5002", "--rerequest",
                        "10.99.0.2:9001", "--store", self.dir + "/store", *argv])
        p.wait_for("trading")
        return p


def number(text, what):
    """The number behind `what` in a summary line."""
    m = re.search(rf"\b{re.escape(what)} (-?\d+)", text)
    assert m, f"no '{what}' in:\n{text}"
    return int(m.group(1))


def column(text, name):
    m = re.search(rf"^  {name} +(\d+)", text, re.M)
    return int(m.group(1)) if m else 0


@case
def ticks_become_orders():
    for ouch in ("5.0", "4.2"):
        with Floor("--house", "2000", "--ouch", ouch) as floor:
            text = floor.gateway("--ouch", ouch, "--for", "2").end(signal.SIGCONT)
            at_exchange = floor.exchange.end()
            sent = number(text, "orders sent")
            assert sent > 0 and number(at_exchange, "orders") == sent, text + at_exchange
            assert number(text, "accepted") == sent, text
            assert number(text, "unknown") == number(text, "malformed") == 0, text
            assert number(text, "open to buy") == number(text, "to sell") == 0, text
            assert column(text, "lost_units") == 0, text


@case
def a_killed_gateway_comes_back():
    """Positions are what they were, no reference is used twice."""
    with Floor("--house", "2000") as floor:
        first = floor.gateway()
        time.sleep(1.5)
        first.kill()
        time.sleep(0.2)
        again = floor.gateway("--strategy", "none")
        time.sleep(1.0)
        text = again.end()
        at_exchange = floor.exchange.end()
        orders = number(at_exchange, "orders")
        assert orders > 0 and number(text, "orders adopted") == orders, text + at_exchange
        assert number(text, "next reference") > orders, text
        assert number(text, "reports heard again") > 0, text
        assert number(at_exchange, "sent again") == 0, at_exchange
        assert number(text, "open to buy") == number(text, "to sell") == 0, text


@case
def a_lost_connection_comes_back():
    """The session goes on with the report that was not heard yet."""
    with Floor("--house", "2000") as floor:
        gateway = floor.gateway()
        gateway.wait_for("logged in to session PERCH001")
        time.sleep(0.5)
        os.kill(floor.exchange.p.pid, signal.SIGHUP)
        gateway.wait_for(r"(?s)logged in.*logged in to session PERCH001")
        time.sleep(0.5)
        text = gateway.end()
        at_exchange = floor.exchange.end()
        assert number(text, "logins") == 2 and number(text, "sessions lost") == 1, text
        sent = number(text, "orders sent")
        assert number(at_exchange, "orders") <= sent, text + at_exchange
        assert number(text, "accepted") == number(at_exchange, "orders") > 0, text + at_exchange
        assert number(text, "reports heard again") == number(text, "unknown") == 0, text


@case
def the_kill_switch_cancels():
    with Floor("--house", "2000") as floor:
        gateway = floor.gateway("--strategy", "every")
        time.sleep(1.0)
        os.kill(gateway.p.pid, signal.SIGUSR1)
        time.sleep(0.5)
        text = gateway.end()
        assert column(text, "order_killed") > 0, text
        assert number(text, "open to buy") == number(text, "to sell") == 0, text


@case
def the_kill_switch_mutes():
    with Floor("--house", "2000") as floor:
        gateway = floor.gateway("--strategy", "every", "--kill", "mute")
        time.sleep(1.0)
        os.kill(gateway.p.pid, signal.SIGUSR1)
        time.sleep(0.5)
        text = gateway.end()
        assert column(text, "drop_tx_stopped") > 0, text


@case
def limits_hold():
    with Floor("--house", "2000") as floor:
        gateway = floor.gateway("--strategy", "every", "--max-position", "300", "--max-rate", "50")
        time.sleep(2.0)
        text = gateway.end()
        assert column(text, "order_rate") > 0, text
        assert number(text, "orders sent") <= 50 + 50 * 3, text
        assert abs(number(text, "PERCH position")) <= 300, text


@case
def a_wrong_password_is_said():
    with Floor() as floor:
        gateway = floor.gateway("--login", "perch:wrong")
        text = gateway.end(signal.SIGCONT, 1)
        assert "does not know this user and password" in text, text


@case
def mistakes():
    ip = ["--ip", "10.99.0.1/24"]
    full = [*ip, "--exchange", "10.99.0.2:9000", "--line-a", "10.99.0.1:5001"]
    for name, argv in (
            ("perch-gateway", ip), ("perch-gateway", [*full, "surplus"]),
            ("perch-gateway", [*full, "--strategy", "win"]),
            ("perch-gateway", [*full, "--kill", "x"]),
            ("perch-gateway", [*full, "--symbols", "TOOLONGNAME"]),
            ("perch-gateway", [*full, "--login", "nobody"]),
            ("perch-gateway", [*full, "--line-b", "10.99.0.1"]),
            ("perch-exchange", [*ip, "--ouch", "6"]), ("perch-exchange", [*ip, "--symbols", ","]),
            ("perch-exchange", [*ip, "--accounts", "x"]),
            ("perch-exchange", [*ip, "--line-a", "x:1"]),
            ("perch-exchange", [*ip, "--session", "much too long"])):
        r = subprocess.run([os.path.join(BUILD, "apps", name), *COMMON, "--", *argv], check=False,
                           capture_output=True, text=True, timeout=20)
        assert r.returncode == 2 and len(r.stderr.splitlines()) == 1, (name, argv, r)
    for argv in (["--rate"], ["--rate", "x"], ["--frobnicate", "1"], ["--times", "0"]):
        r = subprocess.run([os.path.join(BUILD, "apps/perch-trade-sim"), *argv], check=False,
                           capture_output=True, text=True, timeout=20)
        assert r.returncode == 2 and r.stderr, (argv, r)


@case
def a_broken_store_is_refused():
    with Floor() as floor:
        with open(floor.dir + "/store", "w", encoding="ascii") as f:
            f.write("not a store" * 100)
        p = floor.start("perch-gateway", "client", "",
                        ["--ip", "10.99.0.1/24", "--exchange", "10.99.0.2:9000", "--line-a",
                         "10.99.0.1:5001", "--store", floor.dir + "/store"])
        text = p.end(signal.SIGCONT, 1)
        assert "not a whole sequence store" in text, text


@case
def tick_to_trade():
    """The table adds up; how fast it is says the machine."""
    r = subprocess.run([os.path.join(BUILD, "apps/perch-trade-sim"), "--ticks", "500", "--rate",
                        "500", "--times", "1,2"], check=False, capture_output=True, text=True,
                       timeout=60)
    assert r.returncode == 0, r
    for times in ("1", "2"):
        row = rf"^ +{times}x  tick due -> order at the exchange +(\d+) "
        orders = re.search(row, r.stdout, re.M)
        unanswered = re.search(rf"^ +{times}x  (\d+) of 500 ticks had no order", r.stdout, re.M)
        assert orders and int(orders.group(1)) > 0, r.stdout
        assert int(orders.group(1)) + int(unanswered.group(1) if unanswered else 0) == 500, r.stdout


def main(only):
    passed = failed = 0
    for f in CASES:
        if only not in f.__name__:
            continue
        try:
            f()
            passed += 1
        except Exception:  # a test that breaks is a failure, and the others go on
            print(f"  FAIL {f.__name__}\n{traceback.format_exc()}")
            failed += 1
        sys.stdout.flush()
    print(f"trade end to end: {passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
