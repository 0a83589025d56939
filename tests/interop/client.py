# SPDX-License-Identifier: BSD-3-Clause
"""Kernel-socket clients that the interop tests run inside a namespace: client.py WHAT ARGS."""
import hashlib
import os
import select
import socket
import struct
import sys
import threading
import time


def family(host):
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def connect(host, port, timeout=30):
    end = time.monotonic() + timeout
    while True:
        s = socket.socket(family(host), socket.SOCK_STREAM)
        s.settimeout(timeout)
        try:
            s.connect((host, port))
            return s
        except OSError:
            s.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


def serve(port):
    """The echo service of a kernel, for comparisons."""
    def echo(s):
        while data := s.recv(1 << 18):
            s.sendall(data)
        s.close()

    listener = socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True)
    print("serving", flush=True)
    while True:
        threading.Thread(target=echo, args=(listener.accept()[0],), daemon=True).start()


def bulk(host, port, size, stall="10"):
    """Send size random bytes, half-close, and compare the checksum of what comes back. A silence of
    `stall` seconds is a failure."""
    s = connect(host, int(port))
    s.settimeout(float(stall))
    size, sent, got, n = int(size), hashlib.sha256(), hashlib.sha256(), 0

    def send():
        block, left = os.urandom(1 << 20), size
        while left:
            part = block[:min(left, len(block))]
            sent.update(part)
            s.sendall(part)
            left -= len(part)
        s.shutdown(socket.SHUT_WR)

    start = time.monotonic()
    writer = threading.Thread(target=send, daemon=True)
    writer.start()
    while part := s.recv(1 << 18):
        got.update(part)
        n += len(part)
    writer.join(10)
    seconds = time.monotonic() - start
    print(f"{n} bytes back in {seconds:.2f} s, {n * 8 / seconds / 1e6:.0f} Mbit/s")
    return n == size and sent.digest() == got.digest()


def checksum(data):
    data += b"\0" * (len(data) % 2)
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return s


class Packet:
    """What an Ethernet frame carries, if that is TCP or UDP over IP without extension headers."""

    def __init__(self, frame):
        ip = self.ip = frame[14:]
        self.family = {b"\x08\x00": 4, b"\x86\xdd": 6}.get(frame[12:14])
        self.proto = None
        if self.family == 4:
            self.proto = ip[9]
            self.total, self.source, head = struct.unpack_from("!H", ip, 2)[0], ip[12:16], 20
            pseudo = ip[12:20] + struct.pack("!HH", self.proto, self.total - head)
        elif self.family == 6:
            self.proto = ip[6]
            self.total, self.source, head = 40 + struct.unpack_from("!H", ip, 4)[0], ip[8:24], 40
            pseudo = ip[8:40] + struct.pack("!II", self.total - head, self.proto)
        if self.proto in (6, 17):
            self.segment = ip[head:self.total]  # behind it may be padding
            self.sum = checksum(pseudo + self.segment)

    def fine(self):
        """Is each checksum right, and no field a surprise?"""
        whole = self.total <= len(self.ip) and self.total <= 1500 and self.sum == 0xffff
        return whole and (self.family == 6 or
                          checksum(self.ip[:20]) == 0xffff and self.ip[6:8] == b"\x40\0")


def sniff(iface, *hosts):
    """Every packet with TCP or UDP from those hosts, until SIGINT; then what they were."""
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
    s.bind((iface, 0))
    hosts = [socket.inet_pton(family(h), h) for h in hosts]
    print("sniffing", flush=True)
    frames = []
    try:
        while True:
            frames.append(s.recv(65536))
    except KeyboardInterrupt:
        pass
    packets = [p for p in map(Packet, frames) if p.proto in (6, 17) and p.source in hosts]
    tcp = [p for p in packets if p.proto == 6]
    payload = sum(len(p.segment) - (p.segment[12] >> 4) * 4 for p in tcp)
    numbered = sum(p.family == 4 and p.ip[4:6] != b"\0\0" for p in tcp)
    wrong = sum(not p.fine() for p in packets)
    print(f"frames={len(packets)} payload={payload} datagrams={len(packets) - len(tcp)} "
          f"numbered={numbered} wrong={wrong}")
    return True


def pour(host, port, size, cc):
    """Send size bytes one way, under that congestion control, and wait for the peer's end."""
    s = socket.socket(family(host), socket.SOCK_STREAM)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, cc.encode())
    s.settimeout(60)
    s.connect((host, int(port)))
    left, block = int(size), bytes(1 << 16)
    while left:
        left -= s.send(block[:min(left, len(block))])
    s.shutdown(socket.SHUT_WR)
    return s.recv(1) == b""


def sink(port, check=""):
    """Take one stream and say how long it took, from its first byte to its last; with `check`, also
    whether it is that of tests/bench/pour.c, and it must not pause for ten seconds."""
    want = bytes(i % 251 for i in range((1 << 18) + 251))
    listener = socket.create_server(("::", int(port)), family=socket.AF_INET6, dualstack_ipv6=True)
    print("serving", flush=True)
    s, _ = listener.accept()
    s.settimeout(10 if check else 60)
    buf = bytearray(1 << 18)
    n, start, end, right = 0, None, 0.0, True
    while part := s.recv_into(buf):
        end = time.monotonic()
        start = start or end
        if check:
            right = right and buf[:part] == want[n % 251:n % 251 + part]
        n += part
    verdict = ", all of them right" if right else ", some of them wrong"
    print(f"{n} bytes in {end - start:.6f} s{verdict if check else ''}", flush=True)
    return right


def half_close(host, port):
    """Our FIN first; the rest of the echo, then theirs."""
    s = connect(host, int(port))
    s.sendall(b"before")
    s.shutdown(socket.SHUT_WR)
    got = b""
    while part := s.recv(100):
        got += part
    return got == b"before"


def oneshot(host, port):
    """They echo once and close first."""
    s = connect(host, int(port))
    s.sendall(b"once")
    got = b""
    while part := s.recv(100):
        got += part
    return got == b"once"


def dialled(host, port, own_host):
    """Ask to be connected to, and talk on that connection."""
    listener = socket.create_server((own_host, 0), family=family(own_host))
    listener.settimeout(10)
    ask = connect(host, int(port))
    ask.sendall(f"{own_host} {listener.getsockname()[1]}\n".encode())
    s, _ = listener.accept()
    s.settimeout(10)
    s.sendall(b"you called?")
    ok = s.recv(100) == b"you called?" and ask.recv(100) == b"ok\n"
    s.shutdown(socket.SHUT_WR)
    ok = ok and s.recv(1) == b""
    bad = connect(host, int(port))
    bad.sendall(b"nonsense\n")
    return ok and bad.recv(100).startswith(b"error: ")


def udp(host, port):
    s = socket.socket(family(host), socket.SOCK_DGRAM)
    s.settimeout(2)
    s.connect((host, int(port)))
    for size in (0, 1, 100, 1452 if ":" in host else 1472):
        message = os.urandom(size)
        for _ in range(5):
            s.send(message)
            try:
                if s.recv(65536) == message:
                    break
            except TimeoutError:
                continue
        else:
            return False
    return True


def refused(host, port):
    """A closed port answers: TCP by RST, UDP by port unreachable."""
    s = socket.socket(family(host), socket.SOCK_STREAM)
    s.settimeout(5)
    tcp = s.connect_ex((host, int(port)))
    u = socket.socket(family(host), socket.SOCK_DGRAM)
    u.settimeout(5)
    u.connect((host, int(port)))
    u.send(b"anybody?")
    try:
        u.recv(10)
    except ConnectionRefusedError:
        return tcp == 111
    return False


def many(host, port, count):
    """That many connections at once, a message on each."""
    socks = [connect(host, int(port)) for _ in range(int(count))]
    for i, s in enumerate(socks):
        s.sendall(f"connection {i}".encode())
    ok = True
    for i, s in enumerate(socks):
        ok = ok and s.recv(100) == f"connection {i}".encode()
        s.close()
    return ok


def messages(host, port, count):
    """One connection, messages of all lengths that a segment has, each when the last is back."""
    s = connect(host, int(port))
    for i in range(int(count)):
        message, got = os.urandom(1 + i * 37 % 1448), b""
        s.sendall(message)
        while len(got) < len(message) and (part := s.recv(len(message) - len(got))):
            got += part
        if got != message:
            return False
    return True


def talk(host, port):
    """One connection, a message now and then, and a line for each that came back, until SIGINT."""
    s, n = connect(host, int(port)), 0
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        while True:
            n += 1
            message = f"message {n}\n".encode()
            s.sendall(message)
            if s.recv(100) != message:
                return False
            print(message.decode(), end="", flush=True)
            time.sleep(0.02)
    except KeyboardInterrupt:
        return True


def reset(host, port):
    """A close with unread data on our side is a RST; they must survive it."""
    for _ in range(20):
        s = connect(host, int(port))
        s.sendall(b"x" * 10000)
        select.select([s], [], [], 5)
        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        s.close()
    return half_close(host, port)


if __name__ == "__main__":
    sys.exit(0 if globals()[sys.argv[1]](*sys.argv[2:]) else 1)
