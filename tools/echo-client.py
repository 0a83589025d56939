#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""A stock client of an echo service, on the kernel's sockets: checks every byte, times round trips."""
import argparse
import os
import socket
import sys
import time


def percentile(sorted_us, q):
    return sorted_us[min(len(sorted_us) - 1, int(q * len(sorted_us)))]


def connect(args):
    kind = socket.SOCK_DGRAM if args.udp else socket.SOCK_STREAM
    family = socket.AF_INET6 if ":" in args.host else socket.AF_INET
    deadline = time.monotonic() + args.timeout
    while True:  # the service may be starting
        s = socket.socket(family, kind)
        s.settimeout(args.timeout)
        try:
            s.connect((args.host, args.port))
            if not args.udp:
                s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return s
        except OSError:
            s.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def receive(s, n, udp):
    if udp:
        return s.recv(65536)
    got = b""
    while len(got) < n:
        part = s.recv(n - len(got))
        if not part:
            break
        got += part
    return got


def main():
    p = argparse.ArgumentParser(description=__doc__)
    p.add_argument("host")
    p.add_argument("port", type=int)
    p.add_argument("--udp", action="store_true")
    p.add_argument("--count", type=int, default=2000)
    p.add_argument("--size", type=int, default=64)
    p.add_argument("--timeout", type=float, default=5)
    args = p.parse_args()

    s = connect(args)
    rtts, wrong, last = [], 0, b""
    for _ in range(args.count):
        message = os.urandom(args.size)
        start = time.perf_counter_ns()
        s.sendall(message)
        last = receive(s, args.size, args.udp)
        rtts.append((time.perf_counter_ns() - start) / 1000)
        wrong += last != message
    if not args.udp:
        s.shutdown(socket.SHUT_WR)
        wrong += s.recv(1) != b""  # our end of stream is answered by theirs
    s.close()
    rtts.sort()
    kind = "UDP" if args.udp else "TCP"
    print(f"{kind} {args.host} port {args.port}: sent {args.count} messages of {args.size} bytes, "
          f"{args.count - wrong} came back right")
    print(f"  last sent {message[:8].hex()}.. last received {last[:8].hex()}..")
    print("  round trip us: " + "  ".join(
        f"{name} {percentile(rtts, q):.1f}"
        for name, q in (("p50", .5), ("p90", .9), ("p99", .99), ("max", 1))))
    return 1 if wrong else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except OSError as e:
        print(f"echo-client: {e}", file=sys.stderr)
        sys.exit(1)
