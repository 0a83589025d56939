# SPDX-License-Identifier: BSD-3-Clause
"""A TCP peer that does what its script says, and nothing of its own accord: raw frames on one
interface, so that no kernel answers for it. It answers ARP and NDP, or nobody would talk to it.

Sequence numbers in scripts count from 0 at each side's SYN, as in packetdrill.
"""
import os
import pathlib
import random
import socket
import struct
import sys
import time

sys.path.append(str(pathlib.Path(__file__).resolve().parents[1] / "replay"))
from frames import checksum  # noqa: E402

FLAGS = {"F": 1, "S": 2, "R": 4, "P": 8, "A": 16, "U": 32}
ANY = object()


def mac_of(interface):
    with open(f"/sys/class/net/{interface}/address", encoding="ascii") as f:
        return bytes.fromhex(f.read().strip().replace(":", ""))


def options(mss=None, ws=None, sackok=False, ts=None, ecr=0, sack=(), raw=b"", **_):
    out = raw
    if mss is not None:
        out += struct.pack("!BBH", 2, 4, mss)
    if ws is not None:
        out += struct.pack("!BBBB", 3, 3, ws, 1)
    if sackok:
        out += bytes((4, 2, 1, 1))
    if ts is not None:
        out += struct.pack("!BBBBII", 1, 1, 8, 10, ts & 0xffffffff, ecr & 0xffffffff)
    if sack:
        out += struct.pack("!BBBB", 1, 1, 5, 2 + 8 * len(sack))
        out += b"".join(struct.pack("!II", *b) for b in sack)
    return out + b"\0" * (-len(out) % 4)


def parse_options(data):
    got = {"mss": None, "ws": None, "sackok": False, "ts": None, "ecr": None, "sack": []}
    while data and data[0] != 0:
        if data[0] == 1:
            data = data[1:]
            continue
        kind, n = data[0], data[1]
        body, data = data[2:n], data[n:]
        if kind == 2:
            got["mss"] = struct.unpack("!H", body)[0]
        elif kind == 3:
            got["ws"] = body[0]
        elif kind == 4:
            got["sackok"] = True
        elif kind == 8:
            got["ts"], got["ecr"] = struct.unpack("!II", body)
        elif kind == 5:
            got["sack"] = list(struct.iter_unpack("!II", body))
    return got


class Link:
    """Frames to and from the one station at the other end."""

    def __init__(self, interface, own4, own6, peer4, peer6):
        self.own = {4: socket.inet_aton(own4), 6: socket.inet_pton(socket.AF_INET6, own6)}
        self.peer = {4: socket.inet_aton(peer4), 6: socket.inet_pton(socket.AF_INET6, peer6)}
        self.mac, self.peer_mac = mac_of(interface), None
        self.ports = iter(random.sample(range(1024, 65536), 2000))  # no conversation meets another
        self.s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
        self.s.bind((interface, 0))
        self.resolve()

    def resolve(self):
        ask = struct.pack("!HHBBH", 1, 0x800, 6, 4, 1) + self.mac + self.own[4] + bytes(6)
        for _ in range(50):
            self.s.send(b"\xff" * 6 + self.mac + b"\x08\x06" + ask + self.peer[4])
            end = time.monotonic() + 0.1
            while self.peer_mac is None and time.monotonic() < end:
                self.receive(end)
            if self.peer_mac:
                return
        raise AssertionError("nobody answers ARP")

    def send(self, family, proto, payload):
        src, dst = self.own[family], self.peer[family]
        if family == 4:
            head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(payload), 1, 0x4000, 64, proto, 0)
            head += src + dst
            head = head[:10] + struct.pack("!H", checksum(head)) + head[12:]
        else:
            head = struct.pack("!IHBB", 6 << 28, len(payload), proto, 64) + src + dst
        kind = b"\x08\x00" if family == 4 else b"\x86\xdd"
        self.s.send(self.peer_mac + self.mac + kind + head + payload)

    def pseudo(self, family, proto, n, outgoing=True):
        src, dst = self.own[family], self.peer[family]
        both = src + dst if outgoing else dst + src
        return both + (struct.pack("!HH", proto, n) if family == 4 else
                       struct.pack("!II", n, proto))

    def receive(self, end):
        """The next (family, TCP segment) of the peer, or None at that time."""
        while True:
            left = end - time.monotonic()
            if left <= 0:
                return None
            self.s.settimeout(left)
            try:
                frame, who = self.s.recvfrom(65536)
            except TimeoutError:
                return None
            if who[2] == socket.PACKET_OUTGOING:
                continue
            kind = frame[12:14]
            if kind == b"\x08\x06":
                self.hear_arp(frame)
                if self.peer_mac and frame[20:22] == b"\0\2":
                    return None
            elif kind == b"\x08\x00" and frame[23] == 6 and frame[30:34] == self.own[4]:
                n = struct.unpack("!H", frame[16:18])[0]
                return 4, frame[34:14 + n]
            elif kind == b"\x86\xdd" and frame[20] == 58 and frame[54] == 135:
                self.advertise(frame)
            elif kind == b"\x86\xdd" and frame[20] == 6 and frame[38:54] == self.own[6]:
                return 6, frame[54:54 + struct.unpack("!H", frame[18:20])[0]]

    def hear_arp(self, frame):
        op, sender, target = frame[20:22], frame[28:32], frame[38:42]
        if sender == self.peer[4]:
            self.peer_mac = frame[22:28]
        if op == b"\0\1" and target == self.own[4]:
            self.s.send(frame[6:12] + self.mac + b"\x08\x06" +
                        struct.pack("!HHBBH", 1, 0x800, 6, 4, 2) + self.mac + target +
                        frame[22:28] + sender)

    def advertise(self, frame):
        if frame[62:78] != self.own[6]:
            return
        dst = frame[22:38]
        body = struct.pack("!BBHI", 136, 0, 0, 0x60000000) + self.own[6] + b"\2\1" + self.mac
        whole = self.own[6] + dst + struct.pack("!II", len(body), 58) + body
        body = body[:2] + struct.pack("!H", checksum(whole)) + body[4:]
        self.s.send(frame[6:12] + self.mac + b"\x86\xdd" +
                    struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + self.own[6] + dst + body)


class Segment:
    def __init__(self, raw, at):
        (self.sport, self.dport, self.seq, self.ack, offset, flags, self.wnd) = \
            struct.unpack("!HHIIBBH", raw[:16])
        self.at, offset = at, (offset >> 4) * 4
        self.flags = "".join(c for c, bit in FLAGS.items() if flags & bit)
        self.data = raw[offset:]
        self.options = parse_options(raw[20:offset])


class Conn:
    """One conversation. tx() sends what it is told; rx() says what must come next."""

    def __init__(self, link, family=4, port=7, lport=None):
        self.link, self.family, self.port = link, family, port
        self.lport = lport or next(link.ports)
        self.isn, self.irs = random.getrandbits(32), None
        self.ts, self.ecr = None, 0  # once tx() has had a ts: in every segment
        self.lines, self.start = [], time.monotonic()

    def note(self, arrow, s, what):
        self.lines.append(f"  {1000 * (time.monotonic() - self.start):8.2f} ms {arrow} {s} {what}")

    def fail(self, why):
        raise AssertionError("\n".join([why, *self.lines]))

    def tx(self, flags, seq=0, ack=0, wnd=65535, data=b"", bad_checksum=False, **opts):
        if self.ts is not None and "ts" not in opts and opts.pop("no_ts", None) is None:
            opts.update(ts=self.ts, ecr=self.ecr)
        opts["sack"] = [((self.irs + a) & 0xffffffff, (self.irs + b) & 0xffffffff)
                        for a, b in opts.get("sack", ())]
        bits = sum(FLAGS[c] for c in flags)
        tail = options(**opts)
        number = ((self.irs or 0) + ack) & 0xffffffff if "A" in flags else 0
        head = struct.pack("!HHIIBBHHH", self.lport, self.port, (self.isn + seq) & 0xffffffff,
                           number, (20 + len(tail)) << 2, bits, wnd, 0, 0) + tail + data
        total = checksum(self.link.pseudo(self.family, 6, len(head)) + head)
        head = head[:16] + struct.pack("!H", total ^ bad_checksum) + head[18:]
        self.note(">", flags, f"seq {seq} ack {ack} len {len(data)} {opts}")
        self.link.send(self.family, 6, head)

    def next(self, seconds):
        """The next segment for this conversation, with numbers counted from the SYNs."""
        end = time.monotonic() + seconds
        while (got := self.link.receive(end)) or time.monotonic() < end:
            if not got or got[0] != self.family:
                continue
            s = Segment(got[1], time.monotonic())
            if (s.sport, s.dport) != (self.port, self.lport):
                continue
            if checksum(self.link.pseudo(self.family, 6, len(got[1]), False) + got[1]):
                self.fail("a wrong checksum")
            if "S" in s.flags:
                self.irs = s.seq
            self.ecr = s.options["ts"] or self.ecr
            s.seq = (s.seq - (self.irs or 0)) & 0xffffffff if self.irs is not None else s.seq
            s.ack = (s.ack - self.isn) & 0xffffffff if "A" in s.flags else 0
            s.options["sack"] = [((a - self.isn) & 0xffffffff, (b - self.isn) & 0xffffffff)
                                 for a, b in s.options["sack"]]
            told = {k: v for k, v in s.options.items() if v}
            self.note("<", s.flags, f"seq {s.seq} ack {s.ack} wnd {s.wnd} len {len(s.data)} {told}")
            return s
        return None

    def rx(self, flags, seconds=3, **want):
        """The next segment, which must be so. P is not looked at: where a turn ends is nobody's
        business."""
        s = self.next(seconds)
        if s is None:
            self.fail(f"nothing came, {flags} {want} was wanted")
        got = {**s.options, "seq": s.seq, "ack": s.ack, "wnd": s.wnd, "data": s.data}
        if set(s.flags) - {"P"} != set(flags) - {"P"} or \
                any(v is not ANY and got[k] != v for k, v in want.items()):
            self.fail(f"{flags} {want} was wanted")
        return s

    def rx_data(self, n, seq=1, seconds=5):
        """n bytes of theirs in order, in any segments; none of them is acknowledged."""
        got = b""
        while len(got) < n:
            s = self.next(seconds)
            if s is None or "R" in s.flags:
                self.fail(f"{n} bytes were wanted, {len(got)} came")
            if s.data and s.seq == seq + len(got):
                got += s.data
        return got

    def silence(self, seconds=0.1):
        s = self.next(seconds)
        if s is not None:
            self.fail("silence was wanted")

    def open(self, **opts):
        """The handshake. Returns their SYN|ACK."""
        self.tx("S", **opts)
        if opts.get("ts") is not None:
            self.ts = opts["ts"]
        s = self.rx("SA", ack=1)
        self.tx("A", seq=1, ack=1)
        return s

    def say(self, data, seq=1, ack=1):
        """Send, and wait for the echo."""
        self.tx("PA", seq=seq, ack=ack, data=data)
        if self.rx_data(len(data), ack) != data:
            self.fail("the echo differs")

    def is_alive(self, seq, ack=1):
        self.say(b"alive?", seq, ack)


def main(scripts, argv):
    interface, only = argv[1], argv[2] if len(argv) > 2 else ""
    link = Link(interface, *argv[3:7])
    passed = failed = 0
    for name, script in scripts.items():
        if only not in f"={name}=":  # "=name=" is that one alone
            continue
        for family in (4, 6):
            try:
                script(lambda port=7, lport=None, f=family: Conn(link, f, port, lport))
                passed += 1
            except AssertionError as e:
                failed += 1
                print(f"  FAIL {name} over IPv{family}: {e}")
    print(f"scripts: {passed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not passed else 0
