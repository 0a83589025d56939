#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The conformance table of tcp-lite/README.md: every row has a status, every test named exists."""
import functools
import re

import house

README = house.ROOT / "tcp-lite/README.md"
HEAD = ["§", "level", "what", "test", "status"]
STATUS = re.compile(r"done|untested|(not done|left out|n/a): \S.*")


def rows():
    """(line number, cells) of every row, heads and rulers included, below '## Conformance'."""
    within = False
    for number, line in enumerate(README.read_text(encoding="utf-8").split("\n"), 1):
        if line.startswith("## "):
            within = line == "## Conformance"
        elif within and line.startswith("|"):
            yield number, [cell.strip() for cell in line.strip("|").split("|")]


def requirements():
    return [(n, c) for n, c in rows() if c != HEAD and set("".join(c)) != {"-"}]


@functools.cache
def programs():
    """Sources of test programs by name: tests/tcp-lite/tcp_open.c is tcp_open."""
    return {p.stem: p.read_text(encoding="utf-8")
            for p in house.files("tests", ".c", ".py") if p.parts[-2] != "house"}


@functools.cache
def whole_tests():
    builds = (p.read_text(encoding="utf-8") for p in (house.ROOT / "tests").rglob("meson.build"))
    return set(re.findall(r"\btest\('([^']+)'\s*,", "\n".join(builds)))


def test_fault(test):
    program, colon, case = test.partition(": ")
    if not colon and test in whole_tests() | set(programs()):
        return None
    if not colon:
        return f"no test '{test}' in any tests/**/meson.build, and no program of that name"
    if program not in programs():
        return f"no program {program} under tests/"
    return None if f'"{case}' in programs()[program] else f"{program} has no case '{case}'"


def row_faults():
    for number, cells in requirements():
        where = f"tcp-lite/README.md:{number}"
        if len(cells) != len(HEAD):
            yield f"{where}: {len(cells)} cells, not {len(HEAD)}"
            continue
        section, level, what, _, status = cells
        if not (section and level and what):
            yield f"{where}: an empty cell"
        if not STATUS.fullmatch(status):
            yield f"{where}: status '{status}' is none of those that the text above names"


def test_faults():
    for number, cells in requirements():
        where, test, status = f"tcp-lite/README.md:{number}", cells[-2], cells[-1]
        if (test == "-") == (status == "done"):
            yield f"{where}: {status}, but its test is '{test}'"
        for name in test.split("; ") if test != "-" else ():
            if test_fault(name):
                yield f"{where}: {test_fault(name)}"


def size_faults():
    if len(requirements()) < 40:
        yield "tcp-lite/README.md: hardly a row under '## Conformance'"
    untested = sum(cells[-1] == "untested" for _, cells in requirements())
    if untested:
        print(f"  {untested} rows of {len(requirements())} have no test yet")


house.main("house conformance", (
    ("rows", row_faults),
    ("tests", test_faults),
    ("size", size_faults),
))
