#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""perch-gateway and perch-exchange, two processes over memif: end_to_end.py [PART OF A NAME]."""
import os
import re
import shutil
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

    def until(self, what, seconds=30):
        """Ask how things are (SIGUSR2) until `what` likes the answer."""
        end = time.monotonic() + seconds
        while True:
            seen = len(self.text())
            self.p.send_signal(signal.SIGUSR2)
            while len(self.text()) == seen and self.p.poll() is None and time.monotonic() < end:
                time.sleep(0.01)
            text = self.text()[seen:]
            if self.p.poll() is None and "sends failed" in text and what(text):
                return
            assert self.p.poll() is None and time.monotonic() < end, self.text()
            time.sleep(0.05)

    def end(self, sig=signal.SIGINT, status=0):
        if self.p.poll() is None:
            self.p.send_signal(sig)
        got = self.p.wait(20)
        assert got == status, f"exit status {got}: {self.text()}"
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

    def end(self, gateway):
        """The gateway and, before its port is closed, the exchange: DPDK 22.11 may crash whoever
        sends to a net_memif whose other end goes. Returns what both said."""
        gateway.p.send_signal(signal.SIGINT)
        gateway.wait_for("summary over")
        at_exchange = self.exchange.end()
        return gateway.end(), at_exchange


def number(text, what):
    """The number behind `what` in the last summary."""
    m = re.search(rf"\b{re.escape(what)} (-?\d+)", text[max(text.rfind(": ticks "), 0):])
    assert m, f"no '{what}' in:\n{text}"
    return int(m.group(1))


def column(text, name):
    found = re.findall(rf"^  {name} +(\d+)", text, re.M)
    return int(found[-1]) if found else 0


def settled(text):
    """Every order that was sent has come to its end."""
    return number(text, "open to buy") == number(text, "to sell") == 0


# The ways in which orders go, as (what the exchange is told, what the gateway is told).
OUCH_50, OUCH_42 = ((), ()), (("--ouch", "4.2"), ("--ouch", "4.2"))
FIX_42, FIX_44 = (((*ouch, "--fix", v), ("--fix", v, "--exchange", "10.99.0.2:9002"))
                  for ouch, v in (((), "4.2"), (("--ouch", "4.2"), "4.4")))
WAYS = (OUCH_50, OUCH_42, FIX_42, FIX_44)


@case
def ticks_become_orders():
    for exchange, own in WAYS:
        with Floor("--house", "2000", *exchange) as floor:
            gateway = floor.gateway(*own)
            gateway.until(lambda text: number(text, "orders sent") > 20)
            os.kill(gateway.p.pid, signal.SIGUSR1)
            gateway.until(settled)
            text, at_exchange = floor.end(gateway)
            sent = number(text, "orders sent")
            assert sent > 0 and number(at_exchange, "orders") == sent, text + at_exchange
            assert number(text, "accepted") == sent, text
            assert number(text, "unknown") == number(text, "malformed") == 0, text
            assert number(text, "shares filled") > 0, text
            assert column(text, "lost_units") == 0, text
            assert number(at_exchange, "malformed") == 0, at_exchange


@case
def a_killed_gateway_comes_back():
    """Positions are what they were, no reference is used twice."""
    for exchange, own in (OUCH_50, FIX_44):
        with Floor("--house", "2000", *exchange) as floor:
            first = floor.gateway(*own)
            first.until(lambda text: number(text, "shares filled") > 500)
            first.kill()
            again = floor.gateway("--strategy", "none", *own)
            again.until(lambda text: number(text, "orders adopted") > 5 and settled(text))
            text, at_exchange = floor.end(again)
            orders = number(at_exchange, "orders")
            assert orders > 0 and number(text, "orders adopted") == orders, text + at_exchange
            assert number(text, "next reference") >= 100000 > orders, text  # the store's
            assert number(text, "reports heard again") > 0, text
            assert number(at_exchange, "sent again") == 0, at_exchange
            if own is FIX_44[1]:
                assert number(at_exchange, "fix logons") == 2, at_exchange
                assert number(at_exchange, "resent") > 0, at_exchange
                assert number(at_exchange, "gaps") == 1, at_exchange


@case
def a_lost_connection_comes_back():
    """The session goes on with the report that was not heard yet."""
    for exchange, own in (OUCH_50, FIX_42, FIX_44):
        with Floor("--house", "2000", *exchange) as floor:
            gateway = floor.gateway(*own)
            gateway.until(lambda text: number(text, "accepted") > 5)
            os.kill(floor.exchange.p.pid, signal.SIGHUP)
            gateway.until(lambda text: number(text, "logins") == 2)
            before = number(gateway.text(), "accepted")
            gateway.until(lambda text, n=before: number(text, "accepted") > n + 5)
            os.kill(gateway.p.pid, signal.SIGUSR1)
            gateway.until(lambda text: column(text, "order_killed") > 0)
            text, at_exchange = floor.end(gateway)
            assert number(text, "logins") == 2 and number(text, "sessions lost") == 1, text
            sent = number(text, "orders sent")
            assert number(at_exchange, "orders") <= sent, text + at_exchange
            assert number(text, "accepted") == number(at_exchange, "orders") > 0, \
                text + at_exchange
            assert number(text, "unknown") == 0, text
            if own is OUCH_50[1]:
                assert number(text, "reports heard again") == 0, text


@case
def the_kill_switch_cancels():
    """What rests is cancelled: in one message where the protocol has it."""
    for exchange, own in WAYS:
        with Floor("--house", "2000", *exchange) as floor:
            gateway = floor.gateway("--strategy", "rest", *own)
            gateway.until(lambda text: number(text, "open to buy") > 0)
            os.kill(gateway.p.pid, signal.SIGUSR1)
            gateway.until(lambda text: settled(text) and column(text, "order_killed") > 0)
            text, at_exchange = floor.end(gateway)
            assert number(text, "canceled") > 0, text
            at_once = exchange in (OUCH_50[0], FIX_44[0])
            assert (number(at_exchange, "mass cancels") > 0) == at_once, at_exchange


@case
def the_kill_switch_mutes():
    with Floor("--house", "2000") as floor:
        gateway = floor.gateway("--strategy", "every", "--kill", "mute")
        gateway.until(lambda text: number(text, "orders sent") > 0)
        os.kill(gateway.p.pid, signal.SIGUSR1)
        gateway.until(lambda text: column(text, "order_killed") > 0)
        text = gateway.end()
        assert column(text, "drop_tx_stopped") > 0, text


@case
def rehearsals_stay_inside():
    """With --warm the exchange sees the orders that are, and no others; the kill switch and limits
    end rehearsals, too."""
    for exchange, own in WAYS:
        with Floor("--house", "200", *exchange) as floor:
            gateway = floor.gateway("--warm", "200", *own)
            gateway.until(lambda text: number(text, "orders rehearsed") > 200 and
                          number(text, "orders sent") > 5)
            os.kill(gateway.p.pid, signal.SIGUSR1)
            gateway.until(settled)
            still = number(gateway.text(), "orders rehearsed")
            time.sleep(0.3)
            gateway.until(lambda text, n=still: number(text, "orders rehearsed") == n)
            text, at_exchange = floor.end(gateway)
            sent = number(text, "orders sent")
            assert number(at_exchange, "orders") == number(text, "accepted") == sent > 5, \
                text + at_exchange
            assert column(text, "tcp_warmed") == number(text, "orders rehearsed"), text
            assert number(at_exchange, "malformed") == number(at_exchange, "sent again") == 0, \
                at_exchange
    with Floor("--house", "200") as floor:
        gateway = floor.gateway("--warm", "200", "--max-shares", "1")
        gateway.until(lambda text: number(text, "cut short") > 200)
        text, at_exchange = floor.end(gateway)
        assert number(text, "orders rehearsed") == column(text, "tcp_warmed") == 0, text
        assert number(at_exchange, "orders") == 0, at_exchange


@case
def limits_hold():
    with Floor("--house", "2000") as floor:
        began = time.monotonic()
        gateway = floor.gateway("--strategy", "every", "--max-position", "300", "--max-rate", "50")
        gateway.until(lambda text: column(text, "order_rate") > 0)
        text = gateway.end()
        assert number(text, "orders sent") <= 50 + 50 * (time.monotonic() - began), text
        assert abs(number(text, "PERCH position")) <= 300, text


@case
def every_limit():
    """Each of those that are not in limits_hold, alone. Orders of 100 shares at about 100.00."""
    with Floor("--house", "2000") as floor:
        for option, value, verdict in (("--max-shares", 99, "order_shares"),
                                       ("--max-notional", 90_000_000, "order_notional"),
                                       ("--collar-bp", 1, "order_collar"),
                                       ("--max-gross", 350_000_000, "order_gross"),
                                       ("--max-open", 1, "order_open")):
            gateway = floor.gateway("--strategy", "rest" if option == "--max-open" else "every",
                                    "--for", "20", option, str(value))
            gateway.until(lambda text, v=verdict: column(text, v) > 0)
            text = gateway.end()
            refused = set(re.findall(r"^  (order_\w+) ", text, re.M))
            assert refused - {"order_ok", "order_no_session"} == {verdict}, (option, text)


@case
def a_short_day():
    """--for ends it by itself."""
    with Floor("--house", "200") as floor:
        gateway = floor.gateway("--for", "1")
        assert gateway.p.wait(20) == 0, gateway.text()
        assert "summary over" in gateway.text(), gateway.text()


@case
def canceled_when_disconnected():
    """Whatever is open when a connection is lost, if the exchange says so; not, if it does not."""
    for way, (exchange, own) in zip((True, True, False), (OUCH_50, FIX_44, OUCH_50)):
        with Floor("--house", "2000", *(["--cancel-on-disconnect"] if way else []),
                   *exchange) as floor:
            gateway = floor.gateway("--strategy", "rest", "--max-open", "20", *own)
            gateway.until(lambda text: number(text, "open to buy") == 2000)
            os.kill(floor.exchange.p.pid, signal.SIGHUP)
            gateway.until(lambda text: number(text, "logins") == 2)
            if way:
                gateway.until(lambda text: number(text, "canceled") >= 20)
            else:
                time.sleep(0.3)
            text, _ = floor.end(gateway)
            assert (number(text, "canceled") > 0) == way, text


@case
def late_with_a_snapshot():
    """From a snapshot on, no order of the feed is unknown and nothing is missing."""
    with Floor("--house", "500", "--glimpse-port", "9003") as floor:
        late = ("--glimpse", "10.99.0.2:9003", "--snapshot-over", "50", "--strategy", "none")
        gateway = floor.gateway(*late)
        gateway.until(lambda text: column(text, "delivered_messages") > 1000)
        gateway.end()
        gateway = floor.gateway(*late)
        gateway.until(lambda text: column(text, "delivered_messages") > 500)
        text, at_exchange = floor.end(gateway)
        assert column(text, "filled_by_snapshot_units") > 50, text
        assert column(text, "lost_units") == column(text, "unknown_order") == 0, text
        assert number(at_exchange, "snapshots") >= 1, at_exchange


@case
def groups_and_rerequests():
    """Two groups with one port; what was before the gateway came is asked for again."""
    lines = ("--line-a", "233.54.12.111:5001", "--line-b", "233.54.12.112:5001")
    with Floor("--house", "1000", "--glimpse-port", "9003", *lines) as floor:
        gateway = floor.gateway(*lines, "--glimpse", "10.99.0.2:9003", "--strategy", "none")
        gateway.until(lambda text: column(text, "delivered_messages") > 2000)
        text, at_exchange = floor.end(gateway)
        assert column(text, "filled_by_request_units") > 10, text
        assert column(text, "lost_units") == column(text, "unknown_order") == 0, text
        assert column(text, "drop_duplicate") > 500, text  # both lines are there
        assert number(at_exchange, "re-requests") > 0, at_exchange


@case
def a_wrong_password_is_said():
    for exchange, own in WAYS:
        with Floor(*exchange) as floor:
            gateway = floor.gateway("--login", "perch:wrong", *own)
            text = gateway.end(signal.SIGCONT, 1)
            assert ("unknown user or password" if "--fix" in own else
                    "does not know this user and password") in text, text


@case
def a_session_that_lost_count():
    """The exchange expects more than we have: it says so, and that is the end."""
    with Floor("--fix", "4.4") as floor:
        first = floor.gateway(*FIX_44[1])
        first.until(lambda text: number(text, "logins") == 1)
        first.end()
        with open(floor.dir + "/store", "rb") as f:
            stored = f.read()
        again = floor.gateway(*FIX_44[1])
        again.until(lambda text: number(text, "logins") == 1)
        again.end()
        with open(floor.dir + "/store", "wb") as f:
            f.write(stored)
        text = floor.gateway(*FIX_44[1]).end(signal.SIGCONT, 1)
        assert "MsgSeqNum too low" in text, text


@case
def mistakes():
    ip = ["--ip", "10.99.0.1/24"]
    full = [*ip, "--exchange", "10.99.0.2:9000", "--line-a", "10.99.0.1:5001"]
    for name, argv in (
            ("perch-gateway", ip), ("perch-gateway", [*full, "surplus"]),
            ("perch-gateway", [*full, "--strategy", "win"]),
            ("perch-gateway", [*full, "--kill", "x"]),
            ("perch-gateway", [*full, "--warm", "0"]),
            ("perch-gateway", [*full, "--fix", "5.0"]),
            ("perch-gateway", [*full, "--fix", "4.4", "--ouch", "5.0"]),
            ("perch-gateway", [*full, "--fix", "4.4", "--target", "x" * 32]),
            ("perch-exchange", [*ip, "--fix", "4.3"]),
            ("perch-gateway", [*full, "--symbols", "TOOLONGNAME"]),
            ("perch-gateway", [*full, "--login", "nobody"]),
            ("perch-gateway", [*full, "--line-b", "10.99.0.1"]),
            ("perch-gateway", [*full, "--glimpse", "10.99.0.1"]),
            ("perch-exchange", [*ip, "--ouch", "6"]), ("perch-exchange", [*ip, "--symbols", ","]),
            ("perch-exchange", [*ip, "--accounts", "x"]),
            ("perch-exchange", [*ip, "--line-a", "x:1"]),
            ("perch-exchange", [*ip, "--session", "much too long"])):
        r = subprocess.run([os.path.join(BUILD, "apps", name), *COMMON, "--", *argv], check=False,
                           capture_output=True, text=True, timeout=20)
        assert r.returncode == 2 and len(r.stderr.splitlines()) == 1, (name, argv, r)
    for argv in (["--rate"], ["--warm", "0"], ["--times", "1,2,3,4,5", "--warm", "9"],
                 ["--rate", "x"], ["--frobnicate", "1"], ["--times", "0"]):
        r = subprocess.run([os.path.join(BUILD, "apps/perch-trade-sim"), *argv], check=False,
                           capture_output=True, text=True, timeout=20)
        assert r.returncode == 2 and r.stderr, (argv, r)


@case
def a_line_that_cannot_be_had():
    """One clear line, and exit status 1."""
    with Floor() as floor:
        p = floor.start("perch-gateway", "client", "",
                        ["--ip", "10.99.0.1/24", "--exchange", "10.99.0.2:9000", "--line-a",
                         "10.99.0.1:5001", "--line-b", "10.99.0.1:5001"])
        text = p.end(signal.SIGCONT, 1)
        assert "perch-gateway: line B cannot be listened to: Address already in use" in text, text


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
                        "500", "--times", "1,2", "--stages", "--warm", "200"], check=False,
                       capture_output=True, text=True, timeout=60)
    assert r.returncode == 0, r
    for times in ("1x ", "1xw", "2x ", "2xw"):
        counts = {}
        for what in ("tick due -> order at the exchange", "rx burst back -> order's tx burst back",
                     "  transmit burst (net_memif)", "for comparison: a bare loop of 0.6"):
            row = re.search(rf"^ +{times} {re.escape(what)} +(\d+)" + 5 * r" +([0-9.]+)" + "$",
                            r.stdout, re.M)
            assert row, (times, what, r.stdout)
            counts[what], mean, p50, p99, p999, most = map(float, row.groups())
            assert 0 < p50 <= p99 <= p999 <= most and 0 < mean <= most, row.group(0)
        unanswered = re.search(rf"^ +{times} (\d+) of 500 ticks had no order", r.stdout, re.M)
        answered = 500 - int(unanswered.group(1) if unanswered else 0)
        orders, inside, stages, _ = counts.values()
        assert orders == answered > 0 and inside == stages, r.stdout
        rehearsed = re.search(rf"^ +{times} (\d+) orders rehearsed, (\d+) cut short$", r.stdout,
                              re.M)
        assert bool(rehearsed) == ("w" in times), r.stdout
        assert not rehearsed or sum(map(int, rehearsed.groups())) > 10, r.stdout


@case
def a_plot():
    """It is drawn, or said why not."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "plot.svg")
        r = subprocess.run([os.path.join(BUILD, "apps/perch-trade-sim"), "--ticks", "50", "--rate",
                            "5000", "--times", "1", "--plot", path], check=False,
                           capture_output=True, text=True, timeout=60)
        if shutil.which("gnuplot"):
            with open(path, encoding="utf-8") as f:
                assert r.returncode == 0 and "tick to order" in f.read(), r
        else:
            assert r.returncode == 1 and "is it installed?" in r.stderr, r


@case
def both_ends_close():
    """Of a net_memif in one process: one after the other, as soon as they can."""
    for _ in range(5):
        r = subprocess.run([os.path.join(BUILD, "apps/perch-trade-sim"), "--ticks", "20", "--rate",
                            "5000", "--times", "1"], check=False, capture_output=True, text=True,
                           timeout=60)
        assert r.returncode == 0, r


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
