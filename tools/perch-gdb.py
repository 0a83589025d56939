# SPDX-License-Identifier: BSD-3-Clause
"""Coroutines for gdb.

    (gdb) source tools/perch-gdb.py
    (gdb) perch coroutines EXPR          list the coroutines of a scheduler
    (gdb) perch backtrace EXPR [ID]      backtrace of one parked coroutine, or of all of them

EXPR is a struct perch_sched * in the current frame. Backtraces need a live process: the saved
bytes are put where they came from while gdb looks, and taken away again.
"""
import gdb

LINE = 64
STATES = ["free", "new", "ready", "running", "parked", "finished"]
PRIVATE = 0x01
OWN_STACK = 0x80
CANCELLED = 0x40
# Set to perch_switch_left, and to the two fields of a struct switch_place: see sched/switch.h.
REGISTERS = {"i386:x86-64": ("rip", "rsp", "rbx"), "aarch64": ("pc", "sp")}


class Sched:
    """A scheduler as the debugger sees it."""

    def __init__(self, expression):
        self.s = gdb.parse_and_eval(expression)
        if self.s.type.strip_typedefs().code != gdb.TYPE_CODE_PTR:
            raise gdb.GdbError("%s is not a pointer to a scheduler" % expression)
        self.s = self.s.cast(gdb.lookup_type("struct perch_sched").pointer())

    def coroutines(self):
        for i in range(int(self.s["fresh_co"])):
            co = self.s["co"][i]
            if STATES[int(co["state"])] != "free":
                yield i, co

    def image(self, co):
        """(where its frames belong, the bytes) of a coroutine that left the shared stack."""
        lines = int(co["lines"])
        if int(co["flags"]) & OWN_STACK or int(co["home"]) == 0 or lines == 0:
            return None
        area = int(self.s["saves"]["base"]) + (int(co["home"]) - 1) * LINE
        data = gdb.selected_inferior().read_memory(area, lines * LINE)
        return int(self.s["shared"]["top"]) - lines * LINE, data.tobytes()


def describe(i, co):
    flags = int(co["flags"])
    notes = []
    if flags & OWN_STACK:
        notes.append("private stack" if flags & PRIVATE else "in place")
    if flags & CANCELLED:
        notes.append("cancelled")
    return "coroutine %d %s %s(%s) %d B%s" % (
        i, STATES[int(co["state"])], symbol(int(co["fn"])), co["arg"],
        int(co["lines"]) * LINE, " (%s)" % ", ".join(notes) if notes else "")


def symbol(address):
    text = gdb.execute("info symbol 0x%x" % address, to_string=True).strip()
    return text.split(" in section")[0] if "No symbol" not in text else "0x%x" % address


class Elsewhere:
    """The registers, and a piece of stack, as they are for a coroutine that does not run."""

    def __init__(self, sched, co):
        self.co = co
        self.image = sched.image(co)
        self.names = REGISTERS[gdb.selected_frame().architecture().name()]

    def __enter__(self):
        inferior = gdb.selected_inferior()
        self.frame = gdb.selected_frame()
        gdb.newest_frame().select()
        self.before = [int(gdb.parse_and_eval("(unsigned long)$" + r)) for r in self.names]
        self.under = None
        if self.image is not None:
            where, data = self.image
            self.under = where, inferior.read_memory(where, len(data)).tobytes()
            inferior.write_memory(where, data)
        left = int(gdb.parse_and_eval("(unsigned long)&perch_switch_left"))
        self.set([left, int(self.co["place"]["sp"]), int(self.co["place"]["kept"])])

    def __exit__(self, *_):
        self.set(self.before)
        if self.under is not None:
            gdb.selected_inferior().write_memory(*self.under)

    def set(self, values):
        for register, value in zip(self.names, values):
            gdb.execute("set $%s = 0x%x" % (register, value), to_string=True)


class Perch(gdb.Command):
    """Coroutines of the perch scheduler: perch coroutines EXPR | perch backtrace EXPR [ID]"""

    def __init__(self):
        super().__init__("perch", gdb.COMMAND_STACK)

    def invoke(self, argument, _from_tty):
        words = gdb.string_to_argv(argument)
        if len(words) >= 2 and words[0] == "coroutines":
            self.coroutines(Sched(words[1]))
        elif len(words) in (2, 3) and words[0] == "backtrace":
            self.backtraces(Sched(words[1]), int(words[2]) if len(words) == 3 else None)
        else:
            raise gdb.GdbError(self.__doc__)

    def coroutines(self, sched):
        for i, co in sched.coroutines():
            print(describe(i, co))

    def backtraces(self, sched, only):
        for i, co in sched.coroutines():
            if only is not None and i != only:
                continue
            print(describe(i, co))
            if STATES[int(co["state"])] in ("parked", "ready") and int(co["switches"]) > 0:
                with Elsewhere(sched, co):
                    gdb.execute("backtrace")


Perch()
