#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Global names begin with perch_, libperch.so exports what is public, no globals below engine/."""
import re

import house

# Of sanitizers and of the linker.
FOREIGN = re.compile(r"^(__asan|__odr_asan|__ubsan|__tsan|__sanitizer|_init$|_fini$)")
# A line of objdump --syms: value, seven flags, section, size, name.
VARIABLE = re.compile(
    r"^[0-9a-f]+ .{7} (\.t?(?:data|bss)(?!\.rel\.ro)\S*|\*COM\*)\s+[0-9a-f]+\s.*?(\S+)$")
LIBRARIES = {
    "sched": "sched/libperch_sched.a",
    "tcp-lite": "tcp-lite/libperch_tcp_lite.a",
    "drivers-glue": "drivers-glue/libperch_drivers_glue.a",
    "engine": "engine/libperch.a",
}
# EAL itself is one per process, and so is what guards it.
PER_PROCESS = {"eal.c.o", "memif.c.o"}  # as EAL and its interrupt thread are


def tool(*argv):
    r = house.run(*argv)
    if r.returncode:
        raise AssertionError(f"{' '.join(map(str, argv))}: {r.stderr.strip()}")
    return r.stdout


def defined(library, *flags):
    for line in tool("nm", "--defined-only", "--format=posix", *flags, library).split("\n"):
        fields = line.split()
        if len(fields) >= 3:
            yield fields[0].split("@")[0], fields[1]


def prefix_faults(library):
    names = [n for n, _ in defined(library, "--extern-only") if not FOREIGN.match(n)]
    if not names:
        yield f"{library} defines nothing"
    for symbol in names:
        if not symbol.startswith("perch_"):
            yield f"{library.name}: {symbol}"


def declared():
    text = "\n".join(line for header in ("perch.h", "perch_mbuf.h")
                     for line in house.code(house.ROOT / "engine" / header))
    return set(re.findall(r"PERCH_API[^;{]*?\b(perch_\w+)\s*\(", text))


def export_faults():
    library = house.BUILD / "engine/libperch.so"
    exported = {n for n, _ in defined(library, "--dynamic", "--extern-only")
                if not FOREIGN.match(n)}
    for symbol in sorted(exported - declared()):
        yield f"{symbol} is exported, and not declared in a public header"
    for symbol in sorted(declared() - exported):
        yield f"{symbol} is declared, and not exported"


def global_faults(library):
    """Writable variables of any linkage; tables of constants lie in .data.rel.ro."""
    member = "?"
    for line in tool("objdump", "--syms", library).split("\n"):
        head = re.match(r"^(\S+):\s+file format", line)
        if head:
            member = head.group(1).rsplit("/", 1)[-1]
        m = VARIABLE.match(line)
        if m and not m.group(2).startswith(".") and member not in PER_PROCESS \
                and not FOREIGN.match(m.group(2)):
            yield f"{member}: {m.group(2)} in {m.group(1)}"


def cases():
    for folder, library in LIBRARIES.items():
        yield f"prefix in {folder}", lambda l=library: prefix_faults(house.BUILD / l)
    yield "exports of libperch.so", export_faults
    for folder in ("sched", "tcp-lite", "drivers-glue"):
        yield f"no globals in {folder}", \
            lambda l=LIBRARIES[folder]: global_faults(house.BUILD / l)


house.main("house symbols", cases())
