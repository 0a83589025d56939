# SPDX-License-Identifier: BSD-3-Clause
"""Frames, and captures of them: what the scenes of tests/replay/scenes.py are made with."""
import ipaddress
import struct

PEER_MAC, OUR_MAC = "02:00:00:00:00:01", "02:00:00:00:00:02"
PEER, OURS = "10.99.0.1", "10.99.0.2"
PEER6, OURS6 = "fd00:99::1", "fd00:99::2"
BROADCAST = "ff:ff:ff:ff:ff:ff"


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def ip(text):
    return ipaddress.ip_address(text).packed


def group_mac(group):
    """RFC 1112 section 6.4."""
    return "01:00:5e:" + (bytes([ip(group)[1] & 0x7f]) + ip(group)[2:]).hex(":")


def checksum(data):
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def ether(payload, kind=0x0800, dst=OUR_MAC, src=PEER_MAC, vlan=None):
    tag = struct.pack("!HH", 0x8100, vlan) if vlan is not None else b""
    return (mac(dst) + mac(src) + tag + struct.pack("!H", kind) + payload).ljust(60, b"\0")


def arp(op, sender=PEER, sender_mac=PEER_MAC, target=OURS, target_mac="00:00:00:00:00:00",
        dst=BROADCAST):
    return ether(struct.pack("!HHBBH", 1, 0x0800, 6, 4, op) + mac(sender_mac) + ip(sender) +
                 mac(target_mac) + ip(target), 0x0806, dst, sender_mac)


def ip4(proto, payload, src=PEER, dst=OURS, ttl=64, ident=0, options=b"", bad=False):
    head = struct.pack("!BBHHHBBH", 0x45 + len(options) // 4, 0, 20 + len(options) + len(payload),
                       ident, 0x4000, ttl, proto, 0) + ip(src) + ip(dst) + options
    total = checksum(head) ^ (0x1111 if bad else 0)
    return head[:10] + struct.pack("!H", total) + head[12:] + payload


def ip6(proto, payload, src=PEER6, dst=OURS6, hops=64):
    return struct.pack("!IHBB", 6 << 28, len(payload), proto, hops) + ip(src) + ip(dst) + payload


def network(src, dst, proto, payload):
    """The IP packet, whichever version, and its EtherType."""
    if ":" in src:
        return ip6(proto, payload, src, dst), 0x86dd
    return ip4(proto, payload, src, dst), 0x0800


def pseudo(src, dst, proto, payload):
    return ip(src) + ip(dst) + struct.pack("!IHBB", len(payload), 0, 0, proto) + payload


def with_checksum(src, dst, proto, segment, at, bad=False):
    total = checksum(pseudo(src, dst, proto, segment)) or 0xffff
    total ^= 0x2222 if bad else 0
    return segment[:at] + struct.pack("!H", total) + segment[at + 2:]


def icmp_echo(ident, seq, data, src=PEER, dst=OURS, kind=8):
    body = struct.pack("!BBHHH", kind, 0, 0, ident, seq) + data
    body = body[:2] + struct.pack("!H", checksum(body)) + body[4:]
    return ether(ip4(1, body, src, dst))


def icmp6_echo(ident, seq, data, src=PEER6, dst=OURS6):
    body = with_checksum(src, dst, 58, struct.pack("!BBHHH", 128, 0, 0, ident, seq) + data, 2)
    return ether(ip6(58, body, src, dst), 0x86dd)


def udp(sport, dport, data, src=PEER, dst=OURS, bad=False, vlan=None, to=OUR_MAC):
    segment = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    packet, kind = network(src, dst, 17, with_checksum(src, dst, 17, segment, 6, bad))
    return ether(packet, kind, dst=to, vlan=vlan)


FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16


def tcp(sport, dport, seq, ack, flags, data=b"", window=65535, options=b"", src=PEER, dst=OURS,
        to=OUR_MAC, by=PEER_MAC):
    options = options.ljust((len(options) + 3) // 4 * 4, b"\1")
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff,
                          (20 + len(options)) << 2, flags, window, 0, 0) + options + data
    packet, kind = network(src, dst, 6, with_checksum(src, dst, 6, segment, 16))
    return ether(packet, kind, to, by)


def mold(session, seq, messages, count=None):
    """A MoldUDP64 downstream packet's payload."""
    body = b"".join(struct.pack("!H", len(m)) + m for m in messages)
    return session.encode().ljust(10)[:10] + struct.pack(
        "!QH", seq, len(messages) if count is None else count) + body


# ---- files ---------------------------------------------------------------------------------------

def pcap(packets, nano=True, link=1, snap=262144, short=0):
    """A classic capture of (time in ns, frame). short: bytes cut off the end of the file."""
    out = struct.pack("<IHHiIII", 0xa1b23c4d if nano else 0xa1b2c3d4, 2, 4, 0, 0, snap, link)
    for when, frame in packets:
        kept = frame[:snap]
        part = when % 10**9 // (1 if nano else 1000)
        out += struct.pack("<IIII", when // 10**9, part, len(kept), len(frame)) + kept
    return out[:len(out) - short]


def block(kind, body):
    body = body.ljust((len(body) + 3) // 4 * 4, b"\0")
    total = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + total + body + total


def pcapng(packets):
    """As perch writes it."""
    out = block(0x0a0d0d0a, struct.pack("<IHHq", 0x1a2b3c4d, 1, 0, -1))
    out += block(1, struct.pack("<HHI", 1, 0, 0) + struct.pack("<HHII", 9, 1, 9, 0))
    return out + b"".join(block(6, struct.pack(
        "<IIIII", 0, when >> 32, when & 0xffffffff, len(frame), len(frame)) + frame)
        for when, frame in packets)
