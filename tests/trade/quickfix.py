#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""perch-gateway trades with a venue made of QuickFIX: two processes, a veth between them, and the
kernel's TCP at the venue's end. Logon, orders upon ticks, a connection that is cut with messages
missing on both sides, kill -9, logout. Needs root: quickfix.py [BUILD]."""
import os
import re
import signal
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "interop"))
from lab import BUILD, LINUX4, PERCH4, Lab, Skip  # noqa: E402

PORT, FEED_PORT = 9876, 5001


class Venue:
    def __init__(self, lab, version):
        self.p = subprocess.Popen(
            lab.in_ns("linux", [os.path.join(BUILD, "tests/trade/quickfix_venue"), version,
                                str(PORT), PERCH4, str(FEED_PORT)]),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert "open" in self.p.stdout.readline()

    def tell(self, line):
        self.p.stdin.write(line + "\n")
        self.p.stdin.flush()

    def state(self):
        self.tell("say")
        line = self.p.stdout.readline()
        return {k.replace(" ", "_"): int(v) for k, v in re.findall(r"([a-z ]+?) (\d+)", line)}

    def until(self, seconds=20, **wanted):
        """At least so much of each. Returns how things are then."""
        end = time.monotonic() + seconds
        while True:
            now = {k.strip("_"): v for k, v in self.state().items()}
            if all(now[k] >= n for k, n in wanted.items()):
                return now
            assert time.monotonic() < end, f"wanted {wanted}, got {now}"
            time.sleep(0.05)

    def end(self):
        self.p.stdin.close()
        self.p.wait(20)


def gateway(lab, version):
    p = lab.perch("perch-gateway", "net_af_packet0,iface=p0", [
        "--ip", PERCH4 + "/24", "--idle", "backoff", "--fix", version[-3:], "--exchange",
        f"{LINUX4}:{PORT}", "--target", "VENUE", "--line-a", f"{PERCH4}:{FEED_PORT}",
        "--strategy", "every", "--store", lab.dir + "/store"])
    p.wait_for("logged on by FIX", 20)
    return p


def number(text, what):
    return int(re.findall(rf"\b{what} (-?\d+)", text)[-1])


def gateway_until(p, seconds=20, **wanted):
    """Ask how things are (SIGUSR2) until each is as wanted."""
    end = time.monotonic() + seconds
    while True:
        p.p.send_signal(signal.SIGUSR2)
        time.sleep(0.1)
        text = p.text()
        if "sends failed" in text:
            got = {k: number(text, k.replace("_", " ")) for k in wanted}
            if got == wanted:
                return
            assert time.monotonic() < end, f"wanted {wanted}, got {got}:\n{text}"


def trade(version):
    with Lab() as lab:
        lab.join()
        venue = Venue(lab, version)
        try:
            converse(lab, venue, version)
        finally:
            venue.p.kill()


def converse(lab, venue, version):
    first = gateway(lab, version)
    venue.tell("ticks 20")
    assert venue.until(orders=20)["orders"] == 20
    gateway_until(first, orders_sent=20, accepted=20)

    # Cut: QuickFIX misses three of our messages, and we miss two fills.
    venue.tell("drop 3 2")
    now = venue.until(logons=2, again=1)
    gateway_until(first, logins=2, sessions_lost=1, shares_filled=200, unknown=0, malformed=0)
    assert now["again"] <= 3 and now["orders"] == 20 and now["asked"] >= 1, now
    venue.tell("ticks 5")
    venue.until(orders=25)
    gateway_until(first, orders_sent=25, accepted=25)

    # A new process: what got lost is gap-filled, and all reports are heard again.
    first.p.kill()
    first.p.wait()
    venue.tell("drop 0 0")  # no FIN has come: QuickFIX would hold on for two heartbeats
    again = gateway(lab, version)
    now = venue.until(logons=3, gap_fills=1, asked=2)
    assert now["orders"] == 25, now
    gateway_until(again, orders_adopted=25, shares_filled=200, unknown=0, malformed=0)
    venue.tell("ticks 5")
    venue.until(orders=30)
    gateway_until(again, orders_sent=5, accepted=30)

    assert again.stop() == 0, again.text()
    now = venue.until(logouts=1)
    assert now["rejects"] == 0 and now["orders"] == 30, now
    venue.end()


def main():
    try:
        for version in ("FIX.4.2", "FIX.4.4"):
            trade(version)
    except Skip as why:
        print(f"  SKIP gateway with quickfix: {why}")
        sys.exit(77)
    print("gateway with quickfix: 2 passed, 0 failed, 0 skipped")


if __name__ == "__main__":
    main()
