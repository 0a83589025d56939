#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""The style rules that a machine can judge."""
import collections
import re

import house

COLUMNS, FUNCTION_LINES, FILE_BYTES = 100, 70, 1 << 17
SPDX = "SPDX-License-Identifier: BSD-3-Clause"
SCRIPTS = (".py", ".sh")
SOURCES = (".c", ".h", ".S")
LATER = re.compile(r"\b(TODO|FIXME|XXX)\b")


def tree():
    for folder in house.TREE:
        yield from house.files(folder, *SOURCES, *SCRIPTS)
    yield house.ROOT / "perch"


def lines(path):
    return path.read_text(encoding="utf-8").split("\n")


def licence_faults():
    for path in tree():
        first = lines(path)[:2]
        line = first[1] if first[0].startswith("#!") and len(first) > 1 else first[0]
        if SPDX not in line:
            yield f"{house.name(path)}:1: no {SPDX}"


def column_faults():
    wide = collections.Counter()
    for path in tree():
        for number, line in enumerate(lines(path), 1):
            if len(line.expandtabs(8)) > COLUMNS:
                wide[house.name(path)] += 1
                print(f"  wide: {house.name(path)}:{number}")
    return house.held("lines wider than 100 columns", wide)


def size_faults():
    """What a run has left behind is large, and what is written by hand is not."""
    git = house.run("git", "-C", house.ROOT, "ls-files", "-z")
    if git.returncode:
        raise house.Skip("this is no checkout")
    for path in filter(None, git.stdout.split("\0")):
        path = house.ROOT / path
        if path.is_file() and path.stat().st_size > FILE_BYTES:
            yield f"{house.name(path)}: {path.stat().st_size} bytes, {FILE_BYTES} at most"


def blank_faults():
    for path in tree():
        text = lines(path)
        for number, line in enumerate(text, 1):
            if line != line.rstrip():
                yield f"{house.name(path)}:{number}: trailing blanks"
        if text[-1] or (len(text) > 1 and not text[-2]):
            yield f"{house.name(path)}: does not end in one newline"


def tab_faults():
    """C is indented with tabs; blanks after them align."""
    for path in tree():
        if path.suffix not in SOURCES:
            continue
        for number, (line, stripped) in enumerate(zip(lines(path), house.code(path)), 1):
            if re.match(" {2}", line) and stripped.strip():
                yield f"{house.name(path)}:{number}: indented with blanks"


def later_faults():
    for path in tree():
        for number, line in enumerate(lines(path), 1):
            if LATER.search(line) and path.name != "style.py":
                yield f"{house.name(path)}:{number}: {LATER.search(line).group()}"


def functions(path):
    """(name, lines) of each function of a C file; its braces stand in the first column."""
    text, start = house.code(path), None
    for number, line in enumerate(text):
        if line.rstrip() == "{":
            start = number
        elif line.startswith("}") and start is not None:
            head = " ".join(text[max(0, start - 8):start])
            names = re.findall(r"\b(\w+)\s*\(", re.split(r"[;}]", head)[-1])
            yield names[0] if names else "?", number - start + 1
            start = None


def length_faults():
    lengths = {f"{house.name(path)} {function}": length
               for folder in house.TREE for path in house.files(folder, ".c", ".h")
               for function, length in functions(path)}
    return house.held("function lines", lengths, FUNCTION_LINES)


house.main("house style", (
    ("licence", licence_faults),
    ("columns", column_faults),
    ("sizes", size_faults),
    ("blanks", blank_faults),
    ("tabs", tab_faults),
    ("later", later_faults),
    ("function length", length_faults),
))
