#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Which planted bugs do the tests notice? One at a time, the changes of mutants.txt are made to a
copy of tcp-lite; the conversations (suite tcp-lite) and the seeded simulation are run on each.

A change that no conversation notices is a survivor: either it changes nothing that can be seen from
outside, which its line in mutants.txt then says, or a test is missing. Takes some seconds a change.

With --scripts the list is script_mutants.txt, which has a change for each script of
tests/interop/scripts.py; that script, against a perch-echo with the change, must notice it. Root.
"""
import argparse
import json
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.append(str(ROOT / "tests"))
from sources import copy_to  # noqa: E402

LIST = ROOT / "tests/bench/mutants.txt"
SCRIPT_LIST = ROOT / "tests/bench/script_mutants.txt"
CPU_SECONDS, FILE_BYTES = 20, 256 << 20  # the memory of a test is a file, too


def read_list():
    """(file, old, new, why it is equivalent or "") of each line."""
    out, file = [], ""
    for n, line in enumerate(LIST.read_text(encoding="ascii").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if " ==> " not in line and not line.endswith(" ==>"):
            file = line
            continue
        old, new = line.split(" ==>", 1)
        new, _, why = new.partition(" == ")
        old, new = (s.removeprefix(" ").replace("\\n", "\n").replace("\\t", "\t")
                    for s in (old, new))
        out.append((n, file, old, new, why))
    return out


def read_script_list():
    """As read_list, with the name of a script for the reason."""
    out = []
    for n, line in enumerate(SCRIPT_LIST.read_text(encoding="ascii").splitlines(), 1):
        if line and not line.startswith("#"):
            name, file, change = line.split(": ", 2)
            old, new = change.replace("\\n", "\n").replace("\\t", "\t").split(" ==> ")
            out.append((n, file, old, new, name))
    return out


def check_list(path, mutants):
    bad = 0
    for n, file, old, new, _ in mutants:
        times = (ROOT / "tcp-lite" / file).read_text(encoding="ascii").count(old)
        if times != 1 or old == new:
            print(f"{path.name}:{n}: {file}: stands there {times} times: {old!r}")
            bad += 1
    return bad


def limits():
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_FSIZE, (FILE_BYTES, FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Tree:
    """A copy of the sources with a build of its own."""

    def __init__(self, folder):
        self.dir = pathlib.Path(folder)
        self.build = self.dir / "build"
        copy_to(self.dir)
        self.share_library()
        subprocess.run(["meson", "setup", "-Dwerror=false", "-Doptimization=0", self.build,
                        self.dir], check=True, stdout=subprocess.DEVNULL)
        tests = json.loads(subprocess.run(["meson", "introspect", "--tests", self.build],
                                          check=True, capture_output=True).stdout)
        self.talks = [t["cmd"][0] for t in tests if "perch:tcp-lite" in t["suite"] and
                      "_l3_" not in t["cmd"][0]]
        self.sim = str(self.build / "tests/sim/sim_tcp")
        self.echo = str(self.build / "apps/perch-echo")
        self.scratch = self.dir / "scratch"
        self.scratch.mkdir(exist_ok=True)

    def share_library(self):
        """So that a change links one library and not each program."""
        path = self.dir / "tcp-lite/meson.build"
        text = path.read_text(encoding="ascii")
        path.write_text(text.replace(
            "tcp_lite_dep = declare_dependency(link_with: tcp_lite_lib,",
            "tcp_lite_shared = shared_library('changed', tcp_lite_src, dependencies: [dpdk],\n"
            "  include_directories: root_inc)\n"
            "tcp_lite_dep = declare_dependency(link_with: tcp_lite_shared,"), encoding="ascii")

    def make(self, *programs):
        targets = [os.path.relpath(p, self.build) for p in programs or (*self.talks, self.sim)]
        return subprocess.run(["ninja", "-C", self.build, "--quiet", *targets], check=False,
                              capture_output=True).returncode == 0

    def passes(self, argv):
        return subprocess.run(argv, check=False, cwd=self.scratch, preexec_fn=limits,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode == 0

    def first_failure(self):
        """The name of the first conversation program that fails, or None. Those that noticed
        something lately are tried first."""
        for t in self.talks:
            if not self.passes([t]):
                self.talks.remove(t)
                self.talks.insert(0, t)
                return os.path.basename(t)
        return None

    def simulates(self, seeds):
        return self.passes([self.sim, "--seeds", f"1..{seeds}"])

    def passes_script(self, name):
        """The one of that name; "": all."""
        env = dict(os.environ, SCRIPT=f"={name}=" if name else "", PERCH_BUILD_DIR=str(self.build))
        return subprocess.run([sys.executable, self.dir / "tests/interop/interop.py", "scripts"],
                              check=False, env=env, timeout=240, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0

    def clear(self):
        shutil.rmtree(self.scratch)
        self.scratch.mkdir()


def judge(tree, mutant, args):
    n, file, old, new, _ = mutant
    path = tree.dir / "tcp-lite" / file
    text = path.read_text(encoding="ascii")
    path.write_text(text.replace(old, new), encoding="ascii")
    result = {"line": n, "file": file, "old": old, "new": new}
    if tree.make():
        result["noticed_by"] = tree.first_failure()
        if args.sim or not result["noticed_by"]:
            result["sim"] = not tree.simulates(args.seeds)
    else:
        result["noticed_by"] = "does not build"
    path.write_text(text, encoding="ascii")
    tree.clear()
    return result


def judge_script(tree, mutant):
    """Does the script notice it?"""
    _, file, old, new, name = mutant
    path = tree.dir / "tcp-lite" / file
    text = path.read_text(encoding="ascii")
    path.write_text(text.replace(old, new), encoding="ascii")
    noticed = tree.make(tree.echo) and not tree.passes_script(name)
    path.write_text(text, encoding="ascii")
    print(f"{'noticed' if noticed else 'SURVIVED'}: {name}", flush=True)
    return noticed


def run_scripts(only):
    mutants = read_script_list()
    if check_list(SCRIPT_LIST, mutants):
        return 2
    with tempfile.TemporaryDirectory(prefix="perch-mutants-") as folder:
        tree = Tree(folder)
        if not tree.make(tree.echo) or not tree.passes_script(""):
            print("the scripts fail already, without a planted bug")
            return 1
        chosen = [m for m in mutants if not only or m[4] in only]
        noticed = sum(judge_script(tree, m) for m in chosen)
    print(f"{len(chosen)} changes, {noticed} noticed by their script")
    return 0 if noticed == len(chosen) else 1


def summary(results):
    for r in results:
        if not r["noticed_by"]:
            print(f"survived: mutants.txt:{r['line']}: {r['file']}: {r['old']!r} ==> {r['new']!r}"
                  + (" (the simulation noticed it)" if r["sim"] else ""))
    print(f"{len(results)} changes, {sum(bool(r['noticed_by']) for r in results)} noticed by "
          f"conversations")
    simulated = [r for r in results if "sim" in r]
    print(f"{len(simulated)} were simulated, {sum(r['sim'] for r in simulated)} noticed by that")


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    p.add_argument("only", nargs="*",
                   help="files, or numbers of lines of mutants.txt; with --scripts, names of those")
    p.add_argument("--scripts", action="store_true",
                   help="one change for each script against a running perch-echo; needs root")
    p.add_argument("--check", action="store_true", help="only look whether the list fits the code")
    p.add_argument("--sim", action="store_true",
                   help="simulate each change, not only those that no conversation notices")
    p.add_argument("--every", type=int, default=1, metavar="N", help="only each N-th change")
    p.add_argument("--seeds", type=int, default=100, help="of the simulation, for each change")
    p.add_argument("--log", help="append a line of JSON for each change")
    args = p.parse_args()
    if args.scripts and not args.check:
        return run_scripts(args.only)
    mutants = read_list()
    if check_list(LIST, mutants) + check_list(SCRIPT_LIST, read_script_list()):
        return 2
    if args.check:
        return 0
    results = []
    with tempfile.TemporaryDirectory(prefix="perch-mutants-") as folder:
        tree = Tree(folder)
        if not tree.make() or tree.first_failure() or not tree.simulates(args.seeds):
            print("the tests fail already, without a planted bug")
            return 1
        for m in mutants[::args.every]:
            if m[4] or args.only and m[1] not in args.only and str(m[0]) not in args.only:
                continue
            results.append(judge(tree, m, args))
            if args.log:
                with open(args.log, "a", encoding="ascii") as f:
                    f.write(json.dumps(results[-1]) + "\n")
    summary(results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
