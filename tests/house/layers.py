#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Holds the layers to the README's arrows: who includes whom, and what is never called below."""
import collections
import re

import house

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')

# Headers that describe data. None of them reaches a port, a clock or an lcore of its own accord.
DATA_ONLY = {"rte_arp.h", "rte_branch_prediction.h", "rte_byteorder.h", "rte_common.h",
             "rte_ether.h", "rte_icmp.h", "rte_ip.h", "rte_jhash.h", "rte_mbuf.h", "rte_prefetch.h",
             "rte_tcp.h", "rte_thash.h", "rte_udp.h"}
# Beyond the folder itself.
MAY_USE = {
    "sched": (),
    "tcp-lite": (),
    "drivers-glue": (),
    "engine": ("sched", "tcp-lite", "drivers-glue"),
    "apps": (),
    "tools": (),
}
CLOCKS = r"clock_gettime|gettimeofday|time|rte_rdtsc\w*|rte_get_\w+|__builtin_ia32_rdtsc\w*"
DICE = r"s?rand|s?random|[a-z]rand48|getrandom|getentropy|rte_rand\w*"
HEAP = r"[mc]alloc|realloc|free|aligned_alloc|posix_memalign|rte_[mcz]\w*alloc\w*|rte_free|mmap"
NEVER_CALLED = {"sched": (CLOCKS, DICE), "tcp-lite": (CLOCKS, DICE, HEAP),
                "drivers-glue": (CLOCKS, DICE)}


def includes(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        m = INCLUDE.match(line)
        if m:
            yield f"{house.name(path)}:{number}", m.group(1) == '"', m.group(2)


def own_header_fault(folder, header):
    """What is wrong with a quoted include, if anything."""
    if "/" not in header or not (house.ROOT / header).is_file():
        return "is not written from the root"
    if header.split("/")[0] not in (folder, *MAY_USE[folder]):
        return f"may not be used by {folder}/"
    return None


def system_header_fault(folder, header, where):
    is_dpdk = header.startswith("rte_")
    if header == "perch.h":
        may = folder in ("apps", "tools") or "/perch_mbuf.h:" in where
        return None if may else "is for apps/ and tools/"
    if is_dpdk and folder in ("sched", "apps", "tools"):
        return f"may not be used by {folder}/"
    if folder == "tcp-lite" and is_dpdk and header not in DATA_ONLY:
        return "is not one of DPDK's data-only headers"
    if folder == "tcp-lite" and header in ("time.h", "sys/time.h", "sys/random.h", "pthread.h"):
        return "has no place in a pure state machine"
    return None


def include_faults(folder):
    for path in house.files(folder, ".c", ".h", ".S"):
        for where, quoted, header in includes(path):
            fault = own_header_fault(folder, header) if quoted else \
                system_header_fault(folder, header, where)
            if fault:
                yield f"{where}: {header} {fault}"


def call_faults(folder):
    call = re.compile(r"\b(" + "|".join(NEVER_CALLED[folder]) + r")\s*\(")
    counts = collections.Counter()
    for path in house.files(folder, ".c", ".h"):
        for m in call.finditer("\n".join(house.code(path))):
            counts[f"{house.name(path)} {m.group(1)}"] += 1
    return house.held(f"calls in {folder}", counts)


def readme_faults(folder):
    readme = house.ROOT / folder / "README.md"
    if not readme.is_file():
        yield f"{folder}/README.md does not exist"
        return
    first, second = (readme.read_text(encoding="utf-8").split("\n") + ["", ""])[:2]
    if not re.search(r"folder", first) or "use" not in first:
        yield f"{folder}/README.md:1: does not say who may use this folder"
    if not re.search(r"\bmay use\b", second):
        yield f"{folder}/README.md:2: does not say what it may use"


def cases():
    for folder in MAY_USE:
        yield f"includes of {folder}", lambda f=folder: include_faults(f)
    for folder in NEVER_CALLED:
        yield f"calls of {folder}", lambda f=folder: call_faults(f)
    for folder in house.LAYERS:
        yield f"README of {folder}", lambda f=folder: readme_faults(f)


house.main("house layers", cases())
