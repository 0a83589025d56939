#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tshark's dissectors read what a gateway and an exchange said to each other, from recordings of
both: SoupBinTCP, OUCH 4.2 (which is the one it knows) and MoldUDP64. tshark.py"""
import collections
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from end_to_end import Floor, column, number, settled


def dissect(path, protocol, *fields):
    """The fields of all packets of that protocol, packet after packet, as lists of values."""
    r = subprocess.run(
        ["tshark", "-n", "-r", path, "-d", "tcp.port==9000,soupbintcp", "-d",
         "udp.port==5001,moldudp64", "-Y", protocol, "-T", "fields", "-E", "occurrence=a",
         *(a for f in (*fields, "_ws.malformed") for a in ("-e", f))],
        capture_output=True, text=True, check=False, timeout=60)
    assert r.returncode == 0, r.stderr
    rows = [row.split("\t") for row in r.stdout.splitlines()]
    assert not [row for row in rows if row[-1]], f"tshark finds {path} malformed"
    return [[v for row in rows for v in row[i].split(",") if v] for i in range(len(fields))]


def kinds(values):
    """How often each type: tshark shows a character as itself or as its number, by version."""
    plain = (v.strip("'") for v in values)
    return collections.Counter(chr(int(v, 0)) if len(v) > 1 else v for v in plain)


def trade(folder):
    """Orders that trade and orders that rest until the kill switch. Returns both summaries."""
    with Floor("--house", "2000", "--ouch", "4.2", "--record", folder + "/exchange") as floor:
        gateway = floor.gateway("--ouch", "4.2", "--strategy", "every", "--record",
                                folder + "/gateway")
        gateway.until(lambda text: number(text, "shares filled") and number(text, "accepted") > 30)
        os.kill(gateway.p.pid, signal.SIGUSR1)
        gateway.until(settled)
        return gateway.end(), floor.exchange.end()


def check(folder):
    text, _ = trade(folder)
    sent, accepted = number(text, "orders sent"), number(text, "accepted")
    # What the exchange received: a login, orders, heartbeats.
    soup = kinds(dissect(folder + "/exchange", "soupbintcp", "soupbintcp.packet_type")[0])
    assert soup["L"] == 1 and soup["U"] >= sent and not set(soup) - set("LUR"), soup
    types, tokens, stocks, firms = dissect(
        folder + "/exchange", "ouch", "ouch.packet_type", "ouch.order_token", "ouch.stock",
        "ouch.firm")
    ouch = kinds(types)
    assert ouch["O"] == sent and sum(ouch.values()) == soup["U"], (ouch, soup)
    assert tokens[:sent] == [f"{i:014}" for i in range(1, sent + 1)], tokens
    assert {s.strip() for s in stocks} == {"PERCH"} and set(firms) == {"PRCH"}, (stocks, firms)
    # What the gateway received: reports, and the feed.
    soup = kinds(dissect(folder + "/gateway", "soupbintcp", "soupbintcp.packet_type")[0])
    assert soup["A"] == 1 and soup["S"] == number(text, "reports"), (soup, text)
    types, states, shares = dissect(folder + "/gateway", "ouch", "ouch.packet_type",
                                    "ouch.order_state", "ouch.executed_shares")
    ouch = kinds(types)
    assert ouch["A"] == accepted == len(states) and kinds(states)["L"] == accepted, ouch
    assert ouch["C"] == number(text, "canceled"), (ouch, text)
    assert sum(map(int, shares)) == number(text, "shares filled"), (shares, text)
    assert sum(ouch.values()) == soup["S"], (ouch, soup)
    messages, sessions = dissect(folder + "/gateway", "moldudp64 && udp.dstport == 5001",
                                 "moldudp64.msgseq", "moldudp64.session")
    assert {s.strip() for s in sessions} == {"PERCH001"}, set(sessions)
    told = {int(m) for m in messages}
    assert len(told) >= column(text, "delivered_messages") * 0.99, (len(told), text)


def main():
    if not shutil.which("tshark"):
        print("  SKIP trade tshark: it is not installed")
        print("trade tshark: 0 passed, 0 failed, 1 skipped")
        sys.exit(77)
    with tempfile.TemporaryDirectory(prefix="perch-tshark-") as folder:
        check(folder)
    print("trade tshark: 1 passed, 0 failed, 0 skipped")


main()
