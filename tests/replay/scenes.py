# SPDX-License-Identifier: BSD-3-Clause
"""Scenes: what arrives at a perch-echo with the address 10.99.0.2/24, drawn from a seed."""
import random
import struct

import frames as f

START = 1_700_000_000_000_000_000
US, MS, S = 1_000, 1_000_000, 1_000_000_000


class Scene:
    """Frames in time, and dice that are the same every time."""

    def __init__(self, name):
        self.dice = random.Random(f"perch {name}")
        self.now, self.packets = START, []

    def wait(self, ns):
        self.now += ns
        return self

    def add(self, frame, after=10 * US):
        self.packets.append((self.now, frame))
        self.now += after

    def meet(self):
        """The peer asks for our address, so that its own is known."""
        self.add(f.arp(1))

    def stay(self):
        """The peer says that it is still there, when it is asked: ARP here goes by RFC 4861
        section 7.3, too."""
        self.add(f.arp(2, target_mac=f.OUR_MAC, dst=f.OUR_MAC))


def arp(s):
    s.add(f.arp(1))
    s.add(f.arp(1, target="10.99.0.3"))                 # not ours
    s.add(f.arp(1, sender="0.0.0.0"))                   # a probe (RFC 5227)
    s.add(f.arp(2, sender="10.99.0.9", sender_mac="02:00:00:00:00:09", target="10.99.0.9"))
    s.add(f.arp(1, sender="10.99.0.9", sender_mac="02:00:00:00:00:09", dst=f.OUR_MAC))
    s.wait(3 * S)
    s.add(f.arp(2, sender=f.OURS, sender_mac="02:00:00:00:00:66", target=f.OURS))  # a conflict
    s.add(f.ether(b"\0\1\x08\0\6\4", 0x0806))           # truncated
    s.add(f.arp(1)[:-18])                               # not padded


def icmp(s):
    s.meet()
    for i in range(8):
        s.add(f.icmp_echo(7, i, s.dice.randbytes(s.dice.randrange(0, 1400))))
    s.add(f.icmp_echo(7, 9, b"not for us", dst="10.99.0.7"))
    s.add(f.udp(4000, 9, b"no such port"))              # answered by an ICMP error
    s.add(f.ether(f.ip4(99, b"no such protocol")))
    s.add(f.ether(f.ip4(1, b"\x08\0\x12\x34\0\1\0\1wrong checksum")))


def udp(s):
    s.meet()
    for _ in range(30):
        s.add(f.udp(s.dice.randrange(1024, 65536), 7, s.dice.randbytes(s.dice.randrange(1, 1400))),
              s.dice.randrange(1, 200) * US)
    s.add(f.udp(4000, 7, b"wrong checksum", bad=True))
    s.add(f.udp(4000, 7, b""))


def igmp(s):
    """A router asks for members; a feed comes to both groups, and to one that nobody joined."""
    s.meet()
    s.wait(3 * S)
    # RFC 3376 section 4.1: answer within 1 s
    query = b"\x11\x0a\0\0" + f.ip("0.0.0.0") + b"\2\x7d\0\0"
    query = query[:2] + struct.pack("!H", f.checksum(query)) + query[4:]
    s.add(f.ether(f.ip4(2, query, dst="224.0.0.1", ttl=1, options=b"\x94\4\0\0"),
                  dst=f.group_mac("224.0.0.1")))
    s.wait(2 * S)
    for seq, (group, source) in enumerate((
            ("233.54.12.111", f.PEER), ("232.1.2.3", f.PEER), ("232.1.2.3", "10.99.0.9"),
            ("233.54.12.112", f.PEER), ("233.54.12.111", "10.99.0.9")), 1):
        s.add(f.udp(26400, 26400, f.mold("000010059B", seq, [b"S"]), source, group,
                    to=f.group_mac(group)))


def ip6(s):
    for i in range(4):
        s.add(f.icmp6_echo(8, i, s.dice.randbytes(56)))
        s.add(f.udp(4000 + i, 7, s.dice.randbytes(100), f.PEER6, f.OURS6))
    s.add(f.udp(4000, 9, b"no such port", f.PEER6, f.OURS6))
    s.add(f.udp(4000, 7, b"wrong checksum", f.PEER6, f.OURS6, bad=True))


LINES = (("233.54.12.111", 26477), ("233.54.12.112", 26478))
REREQUEST = 7001
ASKED_FROM = 49347  # where perch-feed asks from, under perch-replay's default seed


def itch_add(number):
    """An order of its own, a second after midnight and so many microseconds; better than all before
    it, so that the top of the book moves with each."""
    side, away = (b"B", 100 * (number - 20)) if number % 2 else (b"S", 100 * (20 - number))
    return struct.pack("!cHH6sQcI8sI", b"A", 1, 0, (S + number * US).to_bytes(6, "big"), number,
                       side, 100 * number, b"PERCH   ", 1_000_000 + away)


def market_data(s):
    """A day with all of it: ten orders on two lines, of which some are lost on A, on B, on both,
    and some come late; what both have lost is asked for, and comes in part. Then a heartbeat, and
    the end of the session. For one thing at a time, see feeds.py."""
    def send(seq, *numbers, lines=(0, 1), count=None):
        for line in lines:
            group, port = LINES[line]
            packet = f.mold("000010059B", seq, [itch_add(n) for n in numbers], count)
            s.add(f.udp(26400, port, packet, f.PEER, group, to=f.group_mac(group)))

    def answer(seq, *numbers):
        s.wait(2 * MS)
        s.add(f.udp(REREQUEST, ASKED_FROM, f.mold("000010059B", seq,
                                                  [itch_add(n) for n in numbers])))

    s.meet()
    s.wait(3 * S)
    send(1, 1, 2)
    send(3, 3, lines=[0])
    send(4, 4, lines=[1])
    send(7, 7)
    s.wait(5 * MS)
    answer(5, 5)
    answer(6, 6)
    send(9, 9)
    send(8, 8)
    send(10, 10)
    send(10, 10, lines=[1])
    s.wait(1 * S)
    send(11)
    send(11, count=0xffff)


LOGON, BEAT, TEST = 116, 78, 96  # bytes of those that perch-gateway sends in silent_venue


class Exchange:
    """The other side of a session that is dialled: the port that it is dialled from and the ISN are
    those of a rehearsal (see replay.py), what a gateway sends has the lengths of OUCH 5.0."""
    PORT = 9000
    LOGIN, ENTER = 3 + 46, 3 + 47  # SoupBinTCP 3.00; OUCH 5.0 without an appendage

    def __init__(self, scene, port, isn, own=PORT):
        self.s, self.port, self.heard, self.seq, self.own = scene, port, isn + 1, 700, own

    def send(self, flags, data=b"", options=b""):
        self.s.add(f.tcp(self.own, self.port, self.seq, self.heard, flags, data, options=options))
        self.seq += len(data) + bool(flags & (f.SYN | f.FIN))

    def packet(self, kind, body=b""):
        return struct.pack("!Hc", 1 + len(body), kind) + body

    def report(self, *bodies, heard=0):
        """Sequenced messages in one segment, which acknowledges so many bytes more."""
        self.heard += heard
        self.send(f.PSH | f.ACK, b"".join(self.packet(b"S", b) for b in bodies))

    def accepted(self, ref, side, price):
        return struct.pack("!cQIcI8sQccQcccc14sH", b"A", self.s.now % S, ref, side, 100,
                           b"PERCH   ", price, b"3", b"Y", 1000 + ref, b"P", b"N", b"N", b"L",
                           b"", 0)

    def executed(self, ref, price):
        return struct.pack("!cQIIQcQH", b"E", self.s.now % S, ref, 100, price, b"R", 5000 + ref, 0)

    def canceled(self, ref):
        return struct.pack("!cQIIc", b"C", self.s.now % S, ref, 100, b"I")


def gateway(s, port=0, isn=0):
    """Tick in, order out: a better offer is bought, a better bid is sold to; one order is filled,
    one comes too late. A tick that came on one line only counts, and counts once."""
    def tick(seq, *messages, lines=(0, 1)):
        for line in lines:
            group, to = LINES[line]
            s.add(f.udp(26400, to, f.mold("PERCH001", seq, messages), f.PEER, group,
                        to=f.group_mac(group)))
        s.wait(200 * US)

    def add(ref, side, price):
        return struct.pack("!cHH6sQcI8sI", b"A", 1, 0, bytes(6), ref, side, 100, b"PERCH   ", price)

    s.meet()
    if not port:
        return
    x = Exchange(s, port, isn)
    x.send(f.SYN | f.ACK, options=b"\2\4\5\xb4\4\2")
    x.heard += x.LOGIN
    x.send(f.PSH | f.ACK, x.packet(b"A", b"PERCH001  " + b"1".rjust(20)))
    s.wait(MS)
    directory = struct.pack("!cHH6s8sccI", b"R", 1, 0, bytes(6), b"PERCH   ", b"Q", b"N", 100)
    tick(1, directory.ljust(39, b" "), add(1, b"S", 1001000), add(2, b"B", 999000))
    tick(4, add(3, b"S", 1000500))
    x.report(x.accepted(1, b"B", 1000500), x.executed(1, 1000500), heard=x.ENTER)
    tick(5, add(4, b"B", 999500), lines=[1])
    x.report(x.accepted(2, b"S", 999500), heard=x.ENTER)
    x.report(x.canceled(2))
    tick(6, add(5, b"S", 1002000))
    x.send(f.PSH | f.ACK, x.packet(b"Z"))
    x.heard += 1  # it has closed; a while later it dials again, and nobody answers
    x.send(f.FIN | f.ACK)


def silent_exchange(s, port=0, isn=0):
    """It lets perch-gateway in and says nothing more: a heartbeat in every second of the gateway's,
    the end after fifteen of the exchange's, and then it is dialled again."""
    s.meet()
    if not port:
        return
    x = Exchange(s, port, isn)
    x.send(f.SYN | f.ACK, options=b"\2\4\5\xb4\4\2")
    x.heard += x.LOGIN + 5  # of SoupBinTCP 4.x, with a heartbeat timeout
    x.send(f.PSH | f.ACK, x.packet(b"A", b"PERCH001  " + b"1".rjust(20)))
    for second in range(1, 16):
        s.now = START + second * S + MS
        s.stay()
        x.heard += 3
        x.send(f.ACK)
    x.heard += 1  # it has given up
    x.send(f.FIN | f.ACK)
    s.wait(500 * MS)


def fix(fields):
    """A FIX 4.4 message of these fields, '|' for SOH."""
    body = fields.replace("|", "\1").encode()
    whole = b"8=FIX.4.4\x019=%d\1" % len(body) + body
    return whole + b"10=%03d\1" % (sum(whole) % 256)


def silent_venue(s, port=0, isn=0):
    """The same by FIX 4.4: a heartbeat after 30 s of the gateway's silence, a TestRequest after 36
    of the venue's, the end after 72, and then it is dialled again."""
    s.meet()
    if not port:
        return
    x = Exchange(s, port, isn)
    x.send(f.SYN | f.ACK, options=b"\2\4\5\xb4\4\2")
    x.heard += LOGON
    x.send(f.PSH | f.ACK, fix("35=A|49=PERCH001|56=perch|34=1|52=20231114-22:13:20.000|98=0|"
                              "108=30|"))
    for second, sent in ((30, BEAT), (36, TEST), (66, BEAT), (72, 1)):
        s.now = START + second * S + MS
        s.stay()
        x.heard += sent
        x.send(f.ACK if sent > 1 else f.FIN | f.ACK)
    s.wait(S)


def ouch_enter(ref, side, shares, price, tif=b"0"):
    return struct.pack("!cIcI8sQccccc14sH", b"O", ref, side, shares, b"PERCH   ", price, tif, b"Y",
                       b"P", b"N", b"N", b"", 0)


class Session:
    """Both sides of a TCP session, as a capture between them would have it. The server's ISN is
    the capture's own: perch has another."""

    def __init__(self, scene, sport, port=7, options=b"\2\4\5\xb4\4\2"):
        self.s, self.sport, self.port = scene, sport, port
        self.isn, self.their_isn = scene.dice.getrandbits(32), scene.dice.getrandbits(32)
        self.seq, self.ack, self.options = self.isn, self.their_isn, options

    def client(self, flags, data=b"", seq=None, options=b"", ack=None):
        self.s.add(f.tcp(self.sport, self.port, self.seq if seq is None else seq,
                         (self.ack if ack is None else ack) if flags & f.ACK else 0, flags, data,
                         options=options))
        if seq is None:
            self.seq += len(data) + bool(flags & f.SYN) + bool(flags & f.FIN)

    def server(self, flags, data=b"", options=b""):
        """Not delivered: it is what was there when the capture was made."""
        self.s.add(f.tcp(self.port, self.sport, self.ack, self.seq if flags & f.ACK else 0, flags,
                         data, options=options, src=f.OURS, dst=f.PEER, to=f.PEER_MAC,
                         by=f.OUR_MAC), 5 * US)
        self.ack += len(data) + bool(flags & f.SYN) + bool(flags & f.FIN)

    def open(self):
        self.client(f.SYN, options=self.options)
        self.server(f.SYN | f.ACK, options=self.options)
        self.client(f.ACK)

    def echo(self, data):
        self.client(f.PSH | f.ACK, data)
        self.server(f.PSH | f.ACK, data)
        self.client(f.ACK)

    def client_closes(self):
        self.client(f.FIN | f.ACK)
        self.server(f.FIN | f.ACK)
        self.client(f.ACK)


def tcp_client_closes(s):
    s.meet()
    for i in range(3):
        c = Session(s, 40000 + i)
        c.open()
        for _ in range(4):
            c.echo(s.dice.randbytes(s.dice.randrange(1, 1400)))
        c.client_closes()


def tcp_server_closes(s):
    """The one-shot service closes first: FIN-WAIT-1, FIN-WAIT-2, TIME-WAIT."""
    s.meet()
    c = Session(s, 41000, port=8)
    c.open()
    c.echo(b"once")
    c.server(f.FIN | f.ACK)
    c.client(f.ACK)
    s.wait(5 * MS)
    c.client(f.FIN | f.ACK)
    c.server(f.ACK)
    s.wait(S)
    c.seq -= 1
    c.client(f.FIN | f.ACK)  # the last ACK was lost: TIME-WAIT acknowledges again


def tcp_both_close(s):
    """Simultaneous close: FINs cross, CLOSING."""
    s.meet()
    c = Session(s, 42000, port=8)
    c.open()
    c.client(f.PSH | f.ACK, b"bye")
    c.server(f.PSH | f.ACK, b"bye")
    c.server(f.FIN | f.ACK)
    before = c.ack - 1
    c.client(f.FIN | f.ACK, ack=before)  # sent before the other FIN came
    c.client(f.ACK)


def tcp_half_close(s):
    """FIN with data; the echo of it comes before the other FIN."""
    s.meet()
    c = Session(s, 43000)
    c.open()
    c.client(f.FIN | f.PSH | f.ACK, b"all that I had to say")
    c.server(f.FIN | f.PSH | f.ACK, b"all that I had to say")
    c.client(f.ACK)


def tcp_reset(s):
    s.meet()
    c = Session(s, 44000)
    c.open()
    c.echo(b"soon gone")
    c.client(f.RST | f.ACK)
    d = Session(s, 44001)
    d.client(f.SYN, options=d.options)
    d.server(f.SYN | f.ACK, options=d.options)
    d.client(f.RST)
    s.add(f.tcp(44002, 9, 1, 0, f.SYN))   # refused
    s.add(f.tcp(44003, 7, 5, 6, f.ACK))   # of no connection


def tcp_loss(s):
    """Our data is lost: the peer's ACKs stand still, and the timer sends again."""
    s.meet()
    c = Session(s, 45000)
    c.open()
    c.client(f.PSH | f.ACK, b"lost on the way back")
    s.wait(700 * MS)
    c.server(f.PSH | f.ACK, b"lost on the way back")
    c.client(f.ACK)
    c.client_closes()


def tcp_reordering(s):
    """The peer's segments arrive out of order, twice, and in overlapping pieces."""
    s.meet()
    c = Session(s, 46000)
    c.open()
    base, data = c.seq, s.dice.randbytes(6000)
    pieces = [(at, data[at:at + 1000]) for at in range(0, 6000, 1000)]
    for at, piece in s.dice.sample(pieces, len(pieces)):
        c.client(f.PSH | f.ACK, piece, seq=base + at)
    c.client(f.PSH | f.ACK, data[500:1500], seq=base + 500)
    c.seq = base + len(data)
    c.server(f.PSH | f.ACK, data)
    c.client(f.ACK)
    c.client_closes()


class Account(Session):
    """The client's side of a SoupBinTCP session with perch-exchange."""

    def __init__(self, scene, sport):
        super().__init__(scene, sport, 9000)
        self.open()

    def says(self, kind, body=b""):
        self.client(f.PSH | f.ACK, struct.pack("!Hc", 1 + len(body), kind) + body)

    def hears(self, *lens):
        """What came of it, of which only the lengths matter."""
        for n in lens:
            self.server(f.PSH | f.ACK, bytes(3 + n))
        self.client(f.ACK)
        self.s.wait(MS)

    def login(self, number, password="perch", session=""):
        self.says(b"L", b"perch ".ljust(6) + password.encode().ljust(10) +
                  session.encode().rjust(10) + str(number).rjust(20).encode())

    def is_left(self):
        self.server(f.FIN | f.ACK)
        self.client(f.FIN | f.ACK)


def exchange(s):
    """An account of perch-exchange: a login, an order that rests, one that trades with it, a
    cancel. It comes by a second connection, which ends the first one, and hears from its third
    report on. Then silence: a heartbeat in every second of ours, and the end after fifteen of the
    peer's."""
    s.meet()
    c = Account(s, 40000)
    c.login(1)
    c.hears(30, 10)  # and that the market is open
    c.says(b"U", ouch_enter(1, b"S", 300, 1000000))
    c.hears(64)
    c.says(b"U", ouch_enter(2, b"B", 100, 1000100, tif=b"3"))
    c.hears(64, 36, 36)
    c.says(b"U", struct.pack("!cII", b"X", 1, 0))
    c.hears(18)
    d = Account(s, 40001)
    d.login(3, session="PERCH001")
    d.hears(30, 64, 36, 36, 18)
    c.is_left()
    for _ in range(14):
        s.wait(999 * MS)
        s.stay()
        d.hears(0)
    s.wait(999 * MS)
    s.stay()
    d.is_left()


def strangers(s):
    """Whom perch-exchange does not let in: a wrong password, another session, an order before a
    login, what is no packet; and re-requests that are none, or for another session. One is for
    this."""
    s.meet()
    for sport, login in ((40000, {"password": "wrong"}), (40001, {"session": "PERCH002"})):
        c = Account(s, sport)
        c.login(1, **login)
        c.hears(1)
        c.is_left()
    for sport, kind in ((40002, b"U"), (40003, b"S"), (40004, b"")):
        c = Account(s, sport)
        if kind:
            c.says(kind, ouch_enter(1, b"B", 1, 1000000))
        else:
            c.client(f.PSH | f.ACK, bytes(3))
        c.client(f.ACK)
        c.is_left()
    for request in (b"what?", f.mold("  PERCH002", 1, [], 3), f.mold("  PERCH001", 2, [], 2)):
        s.add(f.udp(7000, 9001, request))


def feed(s):
    """MoldUDP64 towards the echo service: what a feed looks like to the tools."""
    s.meet()
    seq = 14764496
    for _ in range(20):
        messages = [struct.pack("!cHHHIQ", b"D", 1, 0, 0, s.dice.getrandbits(32),
                                s.dice.getrandbits(64)) for _ in range(s.dice.randrange(1, 5))]
        s.add(f.udp(26400, 7, f.mold("000010059B", seq, messages)))
        seq += len(messages)
    s.add(f.udp(26400, 7, f.mold("000010059B", seq, [], 0)))
    s.add(f.udp(26400, 7, f.mold("000010059B", seq, [], 0xffff)))


SCENES = {fn.__name__: fn for fn in (
    arp, icmp, udp, ip6, feed, igmp, market_data, gateway, silent_exchange,
    silent_venue, exchange, strangers,
    tcp_client_closes, tcp_server_closes, tcp_both_close, tcp_half_close,
    tcp_reset, tcp_loss, tcp_reordering)}


def packets(name, *args):
    scene = Scene(name)
    SCENES[name](scene, *args)
    return scene.packets
