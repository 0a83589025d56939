#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Every header compiles alone, and twice; the public one also as C11, as C++ and without DPDK."""
import concurrent.futures
import functools
import os
import re
import shutil

import house

WARN = ("-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only")
# As the root meson.build has them: two GNU notations that the linked-in assembly needs.
CLANG = ("-Wno-gnu-statement-expression", "-Wno-gnu-zero-variadic-macro-arguments",
         "-Wno-gnu-empty-initializer")
PUBLIC = house.ROOT / "engine/perch.h"


@functools.cache
def dpdk():
    flags = house.run("pkg-config", "--cflags", "libdpdk").stdout.split()
    return [f.replace("-I", "-isystem", 1) if f.startswith("-I") else f for f in flags]


def needed(compiler):
    if not shutil.which(compiler):
        raise house.Skip(f"no {compiler} here")


def compile_text(compiler, text, *flags):
    r = house.run(compiler, *WARN, *flags, "-I", house.ROOT, "-", input=text)
    return [] if r.returncode == 0 else [r.stderr.strip()]


def alone(compiler, header):
    shown = house.name(header)
    text = f'#include "{shown}"\n#include "{shown}"\n'
    flags = CLANG if compiler == "clang" else ()
    # The engine's build makes <perch.h> of it for the apps.
    return compile_text(compiler, text, "-x", "c", "-std=gnu11", "-D_GNU_SOURCE", *flags, *dpdk(),
                        "-I", PUBLIC.parent)


def public(compiler, language, standard):
    needed(compiler)
    return compile_text(compiler, '#include "engine/perch.h"\nint main(void) { return 0; }\n',
                        "-x", language, f"-std={standard}")


def packets(compiler, language, standard):
    """The header for those who know DPDK."""
    needed(compiler)
    flags = CLANG if compiler.startswith("clang") else ()
    return compile_text(compiler, '#include "engine/perch_mbuf.h"\nint main(void) { return 0; }\n',
                        "-x", language, f"-std={standard}", *flags, *dpdk(), "-I", PUBLIC.parent)


def public_is_plain():
    allowed = {"stdbool.h", "stddef.h", "stdint.h"}
    for header in re.findall(r'#\s*include\s+[<"](.*?)[>"]', PUBLIC.read_text(encoding="utf-8")):
        if header not in allowed:
            yield f"engine/perch.h includes {header}"


def cases():
    headers = [h for folder in house.TREE for h in house.files(folder, ".h")]
    pool = concurrent.futures.ThreadPoolExecutor(os.cpu_count())
    for compiler in ("gcc", "clang"):
        if not shutil.which(compiler):
            yield f"headers with {compiler}", lambda c=compiler: needed(c)
            continue
        jobs = [(h, pool.submit(alone, compiler, h)) for h in headers]
        for header, job in jobs:
            yield f"{house.name(header)} with {compiler}", job.result
        cxx = {"gcc": "g++", "clang": "clang++"}[compiler]
        yield f"perch.h as C11 with {compiler}", lambda c=compiler: public(c, "c", "c11")
        yield f"perch_mbuf.h as C11 with {compiler}", lambda c=compiler: packets(c, "c", "gnu11")
        yield f"perch_mbuf.h as C++17 with {cxx}", lambda c=cxx: packets(c, "c++", "gnu++17")
        for standard in ("c++11", "c++20"):
            yield f"perch.h as {standard} with {cxx}", \
                lambda c=cxx, s=standard: public(c, "c++", s)
    yield "perch.h includes no DPDK", public_is_plain


house.main("house headers", cases())
