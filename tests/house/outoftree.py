#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""`meson install`, and a program outside the tree that builds with pkg-config's flags and runs."""
import os
import pathlib
import re
import shutil
import tempfile

import house

PROGRAM = house.ROOT / "tests/house/outoftree/program.c"
CC = os.environ.get("CC", "cc").split()
PACKETS = house.ROOT / "tests/house/outoftree/packets.c"
PUBLIC = ("perch.h", "perch_mbuf.h")
BESIDE_DPDK = ("-lrte_net_ring", "-lnuma", "-lpcap", "-lpthread")


def install(where):
    """Into a staging folder, whose perch.pc is told where it lies now. Returns the .pc's folder."""
    r = house.run("meson", "install", "-C", house.BUILD, "--no-rebuild", "--destdir", where)
    if r.returncode:
        raise AssertionError(r.stdout + r.stderr)
    pc = next(pathlib.Path(where).rglob("perch.pc"))
    text = pc.read_text(encoding="utf-8")
    prefix = re.search(r"^prefix=(.*)$", text, re.M).group(1)
    pc.write_text(text.replace(f"prefix={prefix}", f"prefix={where}{prefix}", 1), encoding="utf-8")
    return pc.parent


def flags(pc_dir, *wanted):
    r = house.run("pkg-config", *wanted, "perch",
                  env={**os.environ, "PKG_CONFIG_PATH": str(pc_dir)})
    if r.returncode:
        raise AssertionError(r.stderr)
    return r.stdout.split()


def cc(program, source, *more):
    """The compiler's complaints, or an empty string."""
    r = house.run(*CC, "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", program, source, *more)
    return r.stderr.strip()[-2000:] if r.returncode else ""


def build_and_run(where, cc_flags, env=None):
    program = pathlib.Path(where) / "program"
    fault = cc(program, PROGRAM, *cc_flags)
    if fault:
        return [f"does not build: {fault}"]
    r = house.run(program, env={**os.environ, **(env or {})}, timeout=60)
    return [] if r.returncode == 0 else [f"exit status {r.returncode}: {r.stdout}{r.stderr}"]


def with_install(check):
    """check(pc_dir, where) over a fresh installation."""
    where = tempfile.mkdtemp(prefix="perch-install-")
    try:
        return check(install(where), where)
    finally:
        shutil.rmtree(where)


def shared(pc_dir, where):
    return build_and_run(where, flags(pc_dir, "--cflags", "--libs"),
                         {"LD_LIBRARY_PATH": str(pc_dir.parent)})


def without_shared(where):
    """Only the archive is left to find."""
    next(pathlib.Path(where).rglob("libperch.so")).unlink()


def archive(pc_dir, where):
    """libperch.a over DPDK's shared libraries."""
    without_shared(where)
    dpdk = house.run("pkg-config", "--libs", "libdpdk").stdout.split()
    return build_and_run(where, [*flags(pc_dir, "--cflags", "--libs"), *dpdk, *BESIDE_DPDK])


def static(pc_dir, where):
    """libperch.a over DPDK's archives, as pkg-config --static has it."""
    empty = pathlib.Path(where) / "empty.c"
    empty.write_text("int main(void) { return 0; }\n", encoding="utf-8")
    dpdk = house.run("pkg-config", "--static", "--libs", "libdpdk").stdout.split()
    fault = cc(pathlib.Path(where) / "empty", empty, *dpdk)
    if fault:
        raise house.Skip(f"DPDK itself does not link statically: {fault.splitlines()[0]}")
    without_shared(where)
    return build_and_run(where, flags(pc_dir, "--static", "--cflags", "--libs"))


def contents(_, where):
    installed = {p.name for p in pathlib.Path(where).rglob("*") if not p.is_dir()}
    for wanted in (*PUBLIC, "perch.pc", "libperch.a", "libperch.so"):
        if wanted not in installed:
            yield f"{wanted} is not installed"
    for header in (n for n in installed if n.endswith(".h") and n not in PUBLIC):
        yield f"{header} is installed"


def packets(pc_dir, where):
    """Who knows DPDK includes the second header."""
    fault = cc(pathlib.Path(where) / "packets", PACKETS, "-std=gnu11", *flags(pc_dir, "--cflags"),
               *house.run("pkg-config", "--cflags", "libdpdk").stdout.split(),
               *flags(pc_dir, "--libs"),
               *house.run("pkg-config", "--libs", "libdpdk").stdout.split())
    return [f"does not build: {fault}"] if fault else []


def dpdk_is_private(pc_dir, _):
    shown = " ".join(flags(pc_dir, "--libs"))
    return [f"--libs shows {shown}"] if "rte_" in shown else []


house.main("house outoftree", (
    ("what is installed", lambda: with_install(lambda p, w: list(contents(p, w)))),
    ("DPDK is private", lambda: with_install(dpdk_is_private)),
    ("packets", lambda: with_install(packets)),
    ("shared", lambda: with_install(shared)),
    ("archive", lambda: with_install(archive)),
    ("static", lambda: with_install(static)),
))
