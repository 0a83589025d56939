#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What a peer may do to a running perch-echo, segment by segment; each script over IPv4 and IPv6.

usage: scripts.py INTERFACE PART-OF-A-NAME OWN4 OWN6 PEER4 PEER6
Each has a bug that it must notice: tests/bench/script_mutants.txt, mutants.py --scripts.
Ports of the service: 7 echoes, 8 echoes once and closes first, 9 dials whom it is told to.
"""
import socket
import sys

from peer import ANY, main

SCRIPTS = {}
LONG = bytes(i % 251 for i in range(8000))


def script(f):
    SCRIPTS[f.__name__] = f
    return f


# ---- handshake, RFC 9293 section 3.5 ------------------------------------------------------------

@script
def handshake(conn):
    c = conn()
    c.tx("S", mss=1460, ws=7, sackok=True, ts=1000)
    c.ts = 1000
    s = c.rx("SA", seq=0, ack=1, mss=ANY, sackok=True, ecr=1000)
    assert 1200 <= s.options["mss"] <= 1460 and s.options["ws"] is not None, s.options
    c.tx("A", seq=1, ack=1)
    c.say(b"hello")


@script
def handshake_offers_only_what_was_offered(conn):
    c = conn()
    c.tx("S")
    c.rx("SA", ack=1, sackok=False, ws=None, ts=None)
    c.tx("A", seq=1, ack=1)
    c.say(b"hello")


@script
def handshake_syn_again(conn):
    """Our SYN comes twice: the same answer comes twice, before it would come by itself."""
    c = conn()
    c.tx("S", mss=1000)
    c.rx("SA", ack=1)
    c.tx("S", mss=1000)
    c.rx("SA", seq=0, ack=1, seconds=0.6)
    c.tx("A", seq=1, ack=1)
    c.say(b"hello")


@script
def handshake_answer_is_repeated(conn):
    c = conn()
    c.tx("S", mss=1000)
    c.rx("SA", ack=1)
    c.rx("SA", seq=0, ack=1, seconds=5)  # RFC 6298 section 2: after a second
    c.tx("A", seq=1, ack=1)
    c.say(b"hello")


@script
def handshake_wrong_ack_is_reset(conn):
    c = conn()
    c.tx("S", mss=1000)
    c.rx("SA", ack=1)
    c.tx("A", seq=1, ack=77)
    c.rx("R", seq=77)
    c.tx("A", seq=1, ack=1)  # and the connection is still to be had
    c.say(b"hello")


@script
def closed_port(conn):
    """RFC 9293 section 3.10.7.1."""
    c = conn(port=1)
    c.tx("S", seq=5)
    s = c.next(3)
    assert s and set(s.flags) == {"R", "A"} and s.ack == 6, c.lines
    c = conn(port=1)
    c.irs = 0
    c.tx("A", seq=5, ack=1234)
    s = c.next(3)
    assert s and s.flags == "R" and s.seq == 1234, c.lines
    c.tx("R", seq=5)
    c.silence()


@script
def simultaneous_open(conn):
    """RFC 9293 figure 7: the service dials us, and our SYN crosses its own."""
    ask, them = conn(port=9), None
    ask.open()
    lport = next(ask.link.ports)
    own = ask.link.own[ask.family]
    text = socket.inet_ntop(socket.AF_INET if len(own) == 4 else socket.AF_INET6, own)
    ask.tx("PA", seq=1, ack=1, data=f"{text} {lport}\n".encode())
    c = conn(lport=lport)
    while them is None:  # its SYN comes from a port of its choice
        c.port = None
        family, raw = c.link.receive(c.start + 5) or c.fail("no SYN came")
        if raw[13] == 2 and int.from_bytes(raw[2:4], "big") == lport:
            them = raw
    c.port, c.irs = int.from_bytes(them[:2], "big"), int.from_bytes(them[4:8], "big")
    assert family == c.family
    c.tx("S", mss=1000)
    c.rx("SA", seq=0, ack=1)
    c.tx("SA", seq=0, ack=1, mss=1000)
    c.tx("PA", seq=1, ack=1, data=b"hello")
    assert c.rx_data(5) == b"hello"


# ---- options ------------------------------------------------------------------------------------

@script
def options_mss_is_kept(conn):
    c = conn()
    c.open(mss=536)
    c.tx("PA", seq=1, ack=1, data=LONG[:1200])
    got = b""
    while len(got) < 1200:
        s = c.next(3) or c.fail("not all of it came")
        assert len(s.data) <= 536, c.lines
        got += s.data
    assert got == LONG[:1200]


@script
def options_absurd(conn):
    """What cannot be understood is skipped (RFC 9293 section 3.1), or the segment is dropped; the
    service lives either way."""
    for raw in (b"\x02\x04\x00\x00", b"\x03\x03\xff\x01", b"\x05\x02\x01\x01", b"\xfe\x04ab",
                b"\x08\x02\x01\x01", b"\x02\x00\x01\x01", b"\x02\xff\x01\x01", b"\x01\x01\x01\xfd",
                b"\x1e\x28" + bytes(34), b"\x05\x0b" + bytes(10)):
        c = conn()
        c.tx("S", raw=raw)
        c.next(0.05)
    c = conn()
    c.open(mss=1000, raw=b"\xfd\x04ab")
    c.say(b"hello")


@script
def options_timestamps_are_echoed(conn):
    c = conn()
    c.open(mss=1000, ts=5000)
    c.ts = 5007
    c.tx("PA", seq=1, ack=1, data=b"hello")
    s = c.next(3)
    assert s and s.options["ecr"] == 5007 and s.options["ts"], c.lines


@script
def options_paws(conn):
    """RFC 7323 section 5: an old timestamp is acknowledged and dropped."""
    c = conn()
    c.open(mss=1000, ts=5000)
    c.say(b"hello")
    c.tx("A", seq=6, ack=6)
    c.tx("PA", seq=6, ack=6, data=b"stale", ts=4000, ecr=0)
    c.rx("A", ack=6, data=b"")
    c.is_alive(6, 6)


# ---- data, acknowledgements and recovery --------------------------------------------------------

@script
def data_out_of_order(conn):
    c = conn()
    c.open(mss=1000, sackok=True)
    c.tx("PA", seq=6, ack=1, data=b"world")
    c.rx("A", ack=1, sack=[(6, 11)], data=b"")
    c.tx("PA", seq=16, ack=1, data=b"again")
    s = c.rx("A", ack=1, data=b"")
    assert s.options["sack"] == [(16, 21), (6, 11)], c.lines  # RFC 2018 section 4: latest first
    c.tx("PA", seq=1, ack=1, data=b"hello")
    assert c.rx_data(10) == b"helloworld"
    c.tx("PA", seq=11, ack=11, data=b"never")
    assert c.rx_data(10, seq=11) == b"neveragain"


@script
def data_overlapping(conn):
    c = conn()
    c.open(mss=1000)
    c.tx("PA", seq=1, ack=1, data=b"hello")
    assert c.rx_data(5) == b"hello"
    c.tx("A", seq=6, ack=6)
    c.tx("PA", seq=3, ack=6, data=b"llo, you")
    assert c.rx_data(5, seq=6) == b", you"


@script
def data_old_is_acknowledged(conn):
    c = conn()
    c.open(mss=1000)
    c.say(b"hello")
    c.tx("PA", seq=1, ack=6, data=b"hello")
    c.rx("A", ack=6, data=b"")


@script
def data_with_bad_checksum(conn):
    c = conn()
    c.open(mss=1000)
    c.tx("PA", seq=1, ack=1, data=b"hello", bad_checksum=True)
    c.silence()
    c.say(b"hello")


@script
def data_urgent_is_in_band(conn):
    c = conn()
    c.open(mss=1000)
    c.tx("PAU", seq=1, ack=1, data=b"hello")
    assert c.rx_data(5) == b"hello"


@script
def data_beyond_the_window(conn):
    c = conn()
    c.open(mss=1000)
    c.tx("PA", seq=100_000_000, ack=1, data=b"hello")
    c.rx("A", ack=1, data=b"")
    c.is_alive(1)


@script
def data_old_is_told(conn):
    """RFC 2883 section 4.1: what came twice, first and once; then the hole, if there is one."""
    c = conn()
    c.open(mss=1000, sackok=True)
    c.say(b"hello")
    c.tx("A", seq=6, ack=6)
    c.tx("PA", seq=1, ack=6, data=b"hello")
    c.rx("A", ack=6, sack=[(1, 6)], data=b"")
    c.tx("PA", seq=16, ack=6, data=b"again")
    c.rx("A", ack=6, sack=[(16, 21)], data=b"")
    c.tx("PA", seq=2, ack=6, data=b"ell")
    c.rx("A", ack=6, sack=[(2, 5), (16, 21)], data=b"")


@script
def retransmission_backs_off(conn):
    """RFC 6298 section 5.5: what is not acknowledged comes again, ever more slowly: from 5 ms on
    nine times in 1.3 s, and no pause of ours makes that more."""
    c = conn()
    c.open(mss=1000)
    c.tx("PA", seq=1, ack=1, data=b"hello")
    at = [c.rx("PA", seq=1, data=b"hello").at]
    while at[-1] - at[0] < 1.3:
        at.append(c.rx("PA", seq=1, data=b"hello").at)
    assert len(at) <= 11, at
    c.tx("A", seq=6, ack=6)
    c.silence(2 * (at[-1] - at[-2]))


def eight_segments(conn, **opts):
    c = conn()
    c.open(mss=1000, **opts)
    c.tx("PA", seq=1, ack=1, data=LONG[:1000])
    c.rx_data(1000)
    for i in range(1, 8):
        c.tx("PA", seq=1 + 1000 * i, ack=1001, data=LONG[1000 * i:1000 * i + 1000])
    c.rx_data(7000, seq=1001)
    return c


def again(c, *wanted, also=()):
    """What comes again, until nothing does for a while: those, in this order. Timeouts may repeat
    what they like of it, in pieces at last, and our slowness may draw what else is in `also`."""
    seen = []
    while s := c.next(0.05 if len(seen) >= len(wanted) else 3):
        begin = s.seq - (s.seq - 1) % 1000
        if not s.data:
            continue
        if begin not in (*wanted, *also) or not LONG.startswith(s.data, s.seq - 1):
            c.fail(f"{wanted} were wanted again, {s.seq} came")
        if s.seq in wanted and s.seq not in seen:
            seen.append(s.seq)
    if seen != list(wanted):
        c.fail(f"{wanted} were wanted again, {seen} came")


@script
def recovery_by_sack(conn):
    """RFC 8985: the holes are sent again, and nothing else but a probe of the tail (section 7) that
    may have left before they were told."""
    c = eight_segments(conn, sackok=True)
    c.tx("A", seq=8001, ack=1001, sack=[(2001, 3001)])
    c.tx("A", seq=8001, ack=1001, sack=[(2001, 4001)])
    c.tx("A", seq=8001, ack=1001, sack=[(5001, 8001), (2001, 4001)])
    again(c, 1001, 4001, also=(7001,))
    c.tx("A", seq=8001, ack=4001, sack=[(5001, 8001)])
    again(c, 4001)
    c.tx("A", seq=8001, ack=8001)
    c.silence(0.5)


@script
def recovery_by_duplicate_acks(conn):
    """RFC 6582, without SACK: three of them, and a partial ACK shows the next hole. After a timeout
    what follows it counts as lost, too."""
    c = eight_segments(conn)
    for _ in range(5):
        c.tx("A", seq=8001, ack=1001)
    again(c, 1001)
    c.tx("A", seq=8001, ack=3001)
    again(c, 3001, also=(4001, 5001, 6001, 7001))
    c.tx("A", seq=8001, ack=8001)
    c.silence(0.5)


@script
def recovery_of_the_tail(conn):
    """RFC 8985 section 7, or RFC 6298: the last segment is lost, and nothing comes after it."""
    c = eight_segments(conn, sackok=True)
    c.tx("A", seq=8001, ack=7001)
    again(c, 7001, also=(1001,))
    c.tx("A", seq=8001, ack=8001)
    c.silence(0.5)


@script
def window_zero(conn):
    """RFC 9293 section 3.8.6.1: no data, but probes; and data as soon as it opens."""
    c = conn()
    c.tx("S", mss=1000)
    c.rx("SA", ack=1)
    c.tx("A", seq=1, ack=1, wnd=0)
    c.tx("PA", seq=1, ack=1, wnd=0, data=b"hello")
    c.rx("A", ack=6, data=b"")
    s = c.next(5) or c.fail("no probe came")
    assert len(s.data) <= 1, c.lines
    c.tx("A", seq=6, ack=1, wnd=0)
    c.tx("A", seq=6, ack=1, wnd=5000)
    while not (s := c.next(3) or c.fail("no data came")).data:
        pass
    assert s.seq == 1 and s.data == b"hello", c.lines


@script
def window_is_kept(conn):
    c = conn()
    c.open(mss=1000)
    c.tx("PA", seq=1, ack=1, wnd=2000, data=LONG[:1000])
    c.rx_data(1000)
    for i in range(1, 5):
        c.tx("A", seq=1 + 1000 * i, ack=1001, wnd=2000, data=LONG[1000 * i:1000 * i + 1000])
    c.rx_data(2000, seq=1001)
    while s := c.next(0.05):
        assert s.seq + len(s.data) <= 3001, c.lines


# ---- RFC 5961 -----------------------------------------------------------------------------------

@script
def rst_exact(conn):
    c = conn()
    c.open(mss=1000)
    c.say(b"hello")
    c.tx("R", seq=6)
    c.tx("PA", seq=6, ack=6, data=b"alive?")
    while (s := c.next(3) or c.fail("no RST came")).data:
        pass
    assert "R" in s.flags and s.seq == 6, c.lines


@script
def rst_in_window_is_challenged(conn):
    """Section 3.2."""
    c = conn()
    c.open(mss=1000)
    c.say(b"hello")
    c.tx("A", seq=6, ack=6)
    c.tx("R", seq=100)
    c.rx("A", seq=6, ack=6, data=b"")
    c.is_alive(6, 6)


@script
def rst_out_of_window_is_ignored(conn):
    c = conn()
    c.open(mss=1000)
    c.say(b"hello")
    c.tx("A", seq=6, ack=6)
    c.tx("R", seq=200_000_000)
    c.silence()
    c.is_alive(6, 6)


@script
def syn_is_challenged(conn):
    """Section 4.2: whatever its number."""
    for seq in (0, 6, 50, 200_000_000):
        c = conn()
        c.open(mss=1000)
        c.say(b"hello")
        c.tx("A", seq=6, ack=6)
        c.tx("S", seq=seq)
        c.rx("A", seq=6, ack=6, data=b"")
        c.is_alive(6, 6)


@script
def ack_of_what_was_not_sent(conn):
    """Section 5.2."""
    for ack in (1000, 0x7fffffff, -200_000_000):
        c = conn()
        c.open(mss=1000)
        c.say(b"hello")
        c.tx("A", seq=6, ack=6)
        c.tx("PA", seq=6, ack=ack, data=b"blind")
        c.rx("A", seq=6, ack=6, data=b"")
        c.is_alive(6, 6)


# ---- closing, RFC 9293 section 3.6 --------------------------------------------------------------

def closed_by_them(conn, **opts):
    """The one-shot service closes first; leaves it in TIME-WAIT."""
    c = conn(port=8)
    c.open(mss=1000, **opts)
    c.tx("PA", seq=1, ack=1, data=b"once")
    got, fin = b"", False
    while not fin:
        s = c.next(3) or c.fail("no FIN came")
        got, fin = got + s.data, "F" in s.flags
    assert got == b"once" and s.seq + len(s.data) == 5, c.lines
    c.tx("A", seq=5, ack=6)
    c.tx("FA", seq=5, ack=6)
    while (s := c.next(3) or c.fail("our FIN was not acknowledged")).ack != 6:
        pass
    return c


@script
def close_half(conn):
    """Our FIN first: what is left is echoed, then theirs comes."""
    c = conn()
    c.open(mss=1000)
    c.tx("PA", seq=1, ack=1, data=b"hello")
    c.tx("FA", seq=6, ack=1)
    assert c.rx_data(5) == b"hello"
    while "F" not in (s := c.next(3) or c.fail("no FIN came")).flags:
        pass
    assert s.seq + len(s.data) == 6 and s.ack == 7, c.lines
    c.tx("A", seq=7, ack=7)
    c.silence()


@script
def close_fin_again(conn):
    """Their FIN is not acknowledged: it comes again (LAST-ACK)."""
    c = conn()
    c.open(mss=1000)
    c.tx("FA", seq=1, ack=1)
    for _ in range(3):
        while "F" not in (s := c.next(5) or c.fail("no FIN came")).flags:
            pass
        assert s.seq == 1, c.lines
    c.tx("A", seq=2, ack=2)
    c.silence(0.2)


@script
def time_wait_answers_a_fin(conn):
    """RFC 9293 section 3.6.1: our ACK may have been lost."""
    c = closed_by_them(conn)
    c.tx("FA", seq=5, ack=6)
    c.rx("A", seq=6, ack=6)


@script
def time_wait_is_not_assassinated(conn):
    """RFC 1337."""
    c = closed_by_them(conn)
    c.tx("R", seq=6)
    c.silence(0.05)
    c.tx("FA", seq=5, ack=6)
    c.rx("A", seq=6, ack=6)


@script
def time_wait_is_reopened(conn):
    """RFC 6191 section 2: by a SYN with a later timestamp, whatever its number."""
    c = closed_by_them(conn, ts=1000)
    again = conn(port=8, lport=c.lport)
    again.open(mss=1000, ts=2000)
    again.tx("PA", seq=1, ack=1, data=b"twice")
    assert again.rx_data(5) == b"twice"


@script
def time_wait_is_not_reopened_by_the_past(conn):
    c = closed_by_them(conn, ts=1000)
    c.ts = None
    c.tx("S", seq=3, mss=1000, ts=900)
    s = c.next(3) or c.fail("silence")
    assert "S" not in s.flags and s.ack == 6, c.lines


if __name__ == "__main__":
    sys.exit(main(SCRIPTS, sys.argv))
