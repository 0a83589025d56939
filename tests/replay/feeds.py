# SPDX-License-Identifier: BSD-3-Clause
"""Scenes of market data, one mishap in each: what arrives at a perch-feed at 10.99.0.2, and what it
has to say about it. Each golden holds the requests that it sends, and the top of its book whenever
that moves, at their times."""
import struct

import frames as f
from scenes import ASKED_FROM, LINES, MS, REREQUEST, S, Exchange, itch_add

SESSION, OTHER = "000010059B", "000010059C"
GLIMPSE = 7002
N = 10  # messages of a whole session
BEGINS = f"session {SESSION} from 1-1"
ENDS = f"end of session {N + 1}-{N + 1}"


class Publisher:
    """A session of N orders, a packet each, on both lines; some of it does not arrive."""

    def __init__(self, scene, session=SESSION):
        self.s, self.session = scene, session
        scene.meet()
        scene.wait(3 * S)

    def packet(self, seq, messages=(), count=None, lines=(0, 1)):
        for group, port in (LINES[line] for line in lines):
            self.s.add(f.udp(26400, port, f.mold(self.session, seq, messages, count), f.PEER, group,
                             to=f.group_mac(group)))

    def orders(self, *numbers, lines=(0, 1)):
        for n in numbers:
            self.packet(n, [itch_add(n)], lines=lines)

    def answer(self, seq, *numbers, after=2 * MS):
        self.s.wait(after)
        self.s.add(f.udp(REREQUEST, ASKED_FROM,
                         f.mold(self.session, seq, [itch_add(n) for n in numbers])))

    def end(self, number=N + 1):
        self.s.wait(500 * MS)
        self.packet(number, count=0xffff)


def no_loss(s):
    p = Publisher(s)
    p.orders(*range(1, 11))
    p.end()


def loss_on(s, line):
    p = Publisher(s)
    other = [1 - line]
    p.orders(1, 2)
    p.orders(3, lines=other)
    p.orders(4)
    p.orders(5, 6, lines=other)
    p.orders(7, 8, 9, 10)
    p.end()


def loss_on_a(s):
    loss_on(s, 0)


def loss_on_b(s):
    loss_on(s, 1)


def loss_on_both(s):
    p = Publisher(s)
    p.orders(1, 2, 3, 5)
    p.answer(4, 4)
    p.orders(6, 9, 10)
    p.answer(7, 7, 8)
    p.end()


def reordering(s):
    """Within a line, and between the two; all of it heals before anybody is told."""
    p = Publisher(s)
    p.orders(1, 3, 2, 5, 4)
    p.orders(7, 8, lines=[0])
    p.orders(6, 7, 8, lines=[1])
    p.orders(6, lines=[0])
    p.orders(10, 9)
    p.end()


def late_join(s, port=0, isn=0):
    """The first packet is the seventh. A snapshot stands for the first eight of them: its last
    message says so. Of it and of what is held behind it the books are whole."""
    p = Publisher(s)
    p.orders(7)
    if not port:
        return
    s.wait(1 * MS)
    x = Exchange(s, port, isn, GLIMPSE)
    x.send(f.SYN | f.ACK, options=b"\2\4\5\xb4\4\2")
    p.orders(8, 9)
    x.heard += x.LOGIN
    x.send(f.PSH | f.ACK, x.packet(b"A", SESSION.encode() + b"1".rjust(20)))
    directory = struct.pack("!cHH6s8sccI", b"R", 1, 0, bytes(6), b"PERCH   ", b"Q", b"N", 100)
    x.report(directory.ljust(39, b" "), *map(itch_add, range(1, 9)), b"G" + b"9".rjust(20))
    x.heard += 1
    x.send(f.FIN | f.ACK)
    p.orders(10)
    p.end()


def session_change(s):
    """One ends and the next begins, a line behind the other; then one falls silent and is followed
    by another without an end. What is of a session that is not on is not taken."""
    p = Publisher(s)
    p.orders(1, 2)
    p.packet(3, count=0xffff, lines=[0])
    p.session = OTHER
    p.orders(1, 2, lines=[0])
    p.session = SESSION
    p.packet(3, count=0xffff, lines=[1])
    p.session = OTHER
    p.orders(1, 2, lines=[1])
    s.wait(3 * S)
    s.meet()
    p.session = SESSION
    p.orders(*range(1, 11))
    p.session = OTHER
    p.orders(3)


def end_of_session(s):
    """It says what should have come before it. Nothing comes after it."""
    p = Publisher(s)
    p.orders(*range(1, 9))
    p.end()
    p.answer(9, 9, 10)
    p.orders(11)


def gap_beyond_window(s):
    """Of four slots one is kept for what is within what is known of. What the window has refused is
    asked for when there is room for it again."""
    p = Publisher(s)
    p.orders(1, *range(3, 11))
    p.answer(2, 2)
    p.answer(7, *range(7, 11))
    p.end()


def partial_answers(s):
    p = Publisher(s)
    p.orders(1, 2, 8, 9, 10)
    p.answer(3, 3, 4)
    p.answer(5, 5)
    p.answer(6, 6, 7)
    p.end()


def late_answer(s):
    """After the third try, and before a fourth."""
    p = Publisher(s)
    p.orders(1, 2, 3, 5)
    p.answer(4, 4, after=250 * MS)
    p.orders(*range(6, 11))
    p.end()


def no_answer(s):
    """What nobody answers for is told of as lost, and an answer after that is of no use."""
    p = Publisher(s)
    p.orders(1, 2, 3, 5)
    p.answer(4, 4, after=450 * MS)
    p.orders(*range(6, 11))
    p.end()


def gap(first, end, by="request"):
    """Told of, asked for once, filled."""
    return [f"gap {first}-{end}", f"request {first}-{end}", f"filled {first}-{end} by {by}"]


# What perch-feed says, the arguments that it gets, and its exit status.
FEEDS = {
    no_loss: ([BEGINS, ENDS], (), 0),
    loss_on_a: ([BEGINS, ENDS], (), 0),
    loss_on_b: ([BEGINS, ENDS], (), 0),
    loss_on_both: ([BEGINS, *gap(4, 5), *gap(7, 9), ENDS], (), 0),
    reordering: ([BEGINS, ENDS], (), 0),
    late_join: ([BEGINS, "gap 1-7", "snapshot 1-8", "filled 1-7 by snapshot", ENDS],
                ("--glimpse", f"{f.PEER}:{GLIMPSE}", "--snapshot-over", "5"), 0),
    session_change: ([BEGINS, "end of session 3-3", BEGINS.replace(SESSION, OTHER), BEGINS],
                     ("--keep", "--quiet-ms", "2500"), 0),
    end_of_session: ([BEGINS, *gap(9, 11), ENDS], (), 0),
    gap_beyond_window: ([BEGINS, "gap 2-3", "request 2-3", "gap 7-11", "filled 2-3 by request",
                         "request 7-11", "filled 7-11 by request", ENDS], ("--window", "4"), 0),
    partial_answers: ([BEGINS, "gap 3-8", "request 3-8", "filled 3-5 by request", "request 5-8",
                       "filled 5-6 by request", "request 6-8", "filled 6-8 by request", ENDS],
                      (), 0),
    late_answer: ([BEGINS, "gap 4-5", *3 * ["request 4-5"], "filled 4-5 by request", ENDS], (), 0),
    no_answer: ([BEGINS, "gap 4-5", *3 * ["request 4-5"], "lost 4-5", ENDS], ("--tries", "3"), 1),
}
FEEDS = {fn.__name__: (fn, *rest) for fn, rest in FEEDS.items()}
