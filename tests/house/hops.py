#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The README's hop table is true: each function is defined in the file named, six files at most."""
import re

import house

HEADING, MOST_FILES = "## The life of a packet", 6


def table():
    """(function, file) of each row of the section's table."""
    text = (house.ROOT / "README.md").read_text(encoding="utf-8")
    section = text.partition(HEADING + "\n")[2].partition("\n## ")[0]
    return re.findall(r"^\|\s*\d+\s*\|\s*`(\w+)`\s*\|\s*`?([\w./-]+)`?\s*\|", section, re.M)


def is_defined(function, path):
    """A name at the start of a top-level line, with a parameter list that a body follows."""
    text = "\n".join(house.code(path))
    return re.search(rf"^\w[\w\s*]*\b{function}\([^;{{]*\)\s*\n\{{", text, re.M) is not None


def row_faults(function, file):
    path = house.ROOT / file
    if not path.is_file():
        yield f"{file} does not exist"
    elif not is_defined(function, path):
        yield f"{file} does not define {function}"


def size_faults():
    rows = table()
    if len(rows) < MOST_FILES:
        yield f"README.md: no table of hops under '{HEADING}', or only {len(rows)} rows that read"
    if len({file for _, file in rows}) > MOST_FILES:
        yield f"a packet's way touches more than {MOST_FILES} files"


def cases():
    yield "the table", size_faults
    for function, file in table():
        yield function, lambda f=function, p=file: row_faults(f, p)


house.main("house hops", cases())
