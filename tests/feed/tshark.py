#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""tshark's dissectors read what our code writes: tshark.py SAMPLES-PROGRAM."""
import os
import shutil
import struct
import subprocess
import sys
import tempfile

PORTS = {"down": (5000, 26477), "up": (26477, 26478), "client": (5001, 7002),
         "server": (7002, 5001)}


def frame(where, payload, sequence):
    """IPv4 and UDP or TCP around it; nobody looks at the checksums."""
    source, to = PORTS[where]
    if where in ("down", "up"):
        proto, body = 17, struct.pack(">HHHH", source, to, 8 + len(payload), 0) + payload
    else:
        other = "server" if where == "client" else "client"
        proto, body = 6, struct.pack(">HHIIBBHHH", source, to, sequence[where], sequence[other],
                                     0x50, 0x18, 65535, 0, 0) + payload
        sequence[where] += len(payload)
    ends = (10, 0, 0, 1, 10, 0, 0, 2) if where in ("down", "client") else (10, 0, 0, 2, 10, 0, 0, 1)
    return struct.pack(">BBHHHBBH8B", 0x45, 0, 20 + len(body), 0, 0, 64, proto, 0, *ends) + body


def tshark(lines, folder, *args):
    """What it says about frames with these payloads."""
    path, sequence = os.path.join(folder, "samples.pcap"), {"client": 1, "server": 1}
    with open(path, "wb") as f:
        f.write(struct.pack("<IHHIIII", 0xa1b2c3d4, 2, 4, 0, 0, 65535, 101))
        for number, line in enumerate(lines):
            where, payload = line.split()
            data = frame(where, bytes.fromhex(payload), sequence)
            f.write(struct.pack("<IIII", number, 0, len(data), len(data)) + data)
    r = subprocess.run(
        ["tshark", "-n", "-r", path, "-d", "udp.port==26477,moldudp64", "-d",
         "tcp.port==7002,soupbintcp", *args], capture_output=True, text=True, check=False)
    assert r.returncode == 0, r.stderr
    return r.stdout.rstrip("\n")


def dissect(lines, folder, *fields):
    """The fields of each frame, as lists of text."""
    rows = tshark(lines, folder, "-T", "fields", "-E", "occurrence=a",
                  *(a for f in fields for a in ("-e", f)))
    return [row.split("\t") for row in rows.split("\n")]


MOLD = [
    ["PERCH1", "2", "2", "5,1", "2,3", "6465666768,69", ""],
    ["PERCH1", "4", "0", "", "", "", ""],
    ["PERCH1", "4", "65535", "", "", "", ""],
    ["PERCH1", "2", "17", "", "", "", ""],
]
# The dissector shows numbers in its text only: the field of one that it understood is an X.
SOUP_TEXT = {"Requested sequence number: 42": 2, "Next sequence number: 42": 1}
SOUP = [
    ["47", "L", "trader", "secret", "PERCH1", "X", "", "", ""],
    ["31", "A", "", "", "PERCH1", "", "X", "", ""],
    ["52", "L", "trader", "secret", "PERCH1", "X", "", "", ""],
    ["2", "J", "", "", "", "", "", "", ""],
    ["4", "S", "", "", "", "", "", "736571", ""],
    ["6", "U", "", "", "", "", "", "756e736571", ""],
    ["1", "H", "", "", "", "", "", "", ""],
    ["1", "R", "", "", "", "", "", "", ""],
    ["6", "+", "", "", "", "", "", "", "hello"],
    ["1", "O", "", "", "", "", "", "", ""],
    ["1", "Z", "", "", "", "", "", "", ""],
]


def character(text):
    """tshark shows one as itself or as its number, by version."""
    text = text.strip("'")
    return chr(int(text, 0)) if len(text) > 1 else text


def compare(lines, folder):
    mold = dissect(lines, folder, "moldudp64.session", "moldudp64.sequence", "moldudp64.count",
                   "moldudp64.msglen", "moldudp64.msgseq", "moldudp64.msgdata", "_ws.malformed")
    soup = dissect(lines, folder, "soupbintcp.packet_length", "soupbintcp.packet_type",
                   "soupbintcp.username", "soupbintcp.password", "soupbintcp.session",
                   "soupbintcp.req_seq_num", "soupbintcp.next_seq_num", "soupbintcp.message",
                   "soupbintcp.text")
    for number, want in enumerate(MOLD + SOUP):
        got = [f.strip() for f in (mold if number < len(MOLD) else soup)[number]]
        if number >= len(MOLD):
            got[1] = character(got[1])
        if got != want:
            yield f"{lines[number]}: tshark says {got}, not {want}"
    text = tshark(lines, folder, "-V")
    for line, times in SOUP_TEXT.items():
        if text.count(line) != times:
            yield f"'{line}' is said {text.count(line)} times, not {times}"


def main():
    if not shutil.which("tshark"):
        print("  SKIP tshark: it is not installed\nfeed tshark: 0 passed, 0 failed, 1 skipped")
        sys.exit(77)
    lines = subprocess.run([sys.argv[1]], capture_output=True, text=True,
                           check=True).stdout.splitlines()
    with tempfile.TemporaryDirectory() as folder:
        faults = list(compare(lines, folder))
    for fault in faults:
        print(f"  FAIL {fault}")
    print(f"feed tshark: {len(lines) - len(faults)} passed, {len(faults)} failed, 0 skipped")
    sys.exit(1 if faults or len(lines) != len(MOLD + SOUP) else 0)


main()
