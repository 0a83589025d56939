#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every source file compiles without a warning with the compiler that did not build it, too."""
import concurrent.futures
import json
import os
import re
import shlex
import shutil

import house

KEEP = re.compile(r"-(D|I|isystem|std=|W|f(?!sanitize|PIC|color|diagnostics|visibility))")


def other_compiler(command):
    return "gcc" if "clang" in command.split(" -")[0] else "clang"


def flags(words):
    """Those that both compilers know: what is looked for, and what is warned of."""
    it = iter(words)
    for word in it:
        if word in ("-isystem", "-I", "-include"):
            yield word
            yield next(it)
        elif KEEP.match(word):
            yield word


def warnings(entry, compiler):
    words = shlex.split(entry["command"])
    argv = [compiler, "-fsyntax-only", "-Werror", "-Wno-unknown-warning-option", *flags(words),
            entry["file"]]
    if compiler == "gcc":
        argv.remove("-Wno-unknown-warning-option")
    r = house.run(*argv, cwd=entry["directory"])
    return [] if r.returncode == 0 else [r.stderr.strip() or f"{compiler}: {r.returncode}"]


def cases():
    path = house.BUILD / "compile_commands.json"
    entries = [e for e in json.loads(path.read_text(encoding="utf-8")) if e["file"].endswith(".c")]
    unique = {e["file"]: e for e in entries}
    compiler = other_compiler(entries[0]["command"])
    if not shutil.which(compiler):
        def missing():
            raise house.Skip(f"no {compiler} here")
        yield f"sources with {compiler}", missing
        return
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    jobs = {f: pool.submit(warnings, e, compiler) for f, e in sorted(unique.items())}
    for file, job in jobs.items():
        yield f"{file.lstrip('./')} with {compiler}", job.result


house.main("house compilers", cases())
