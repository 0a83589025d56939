#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Does each case of replay.py notice a bug of its own? One at a time, the changes of plants.txt are
made to a copy of the tree, and the case named there must fail on it. Some ten seconds a change.

    plants.py [--folder FOLDER] [CASE...]    the copy and its build stay in FOLDER
    plants.py --check                        only: does the list fit the code and the cases?

Exit status 0: every case was seen to fail at least once."""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.append(str(HERE.parent))
from sources import copy_to  # noqa: E402

TARGETS = ("perch-replay", "perch-pcapdiff", "perch-echo", "perch-ping", "perch-load", "perch-feed",
           "perch-gateway", "perch-exchange", "controlled", "crasher", "crossing", "joiner",
           "twin", "vouched", "fuzz_recording")


def read_list():
    """(line, case, file, old, new) of each change."""
    out, file = [], ""
    for n, line in enumerate((HERE / "plants.txt").read_text(encoding="ascii").splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if " ==>" not in line:
            file = line
            continue
        case, _, change = line.partition(": ")
        old, _, new = change.partition(" ==>")
        old, new = (s.replace("\\n", "\n").replace("\\t", "\t") for s in (old, new.strip(" ")))
        out.append((n, case, file, old, new))
    return out


def cases():
    said = subprocess.run([HERE / "replay.py", "--list"], check=True, capture_output=True,
                          text=True)
    return said.stdout.splitlines()


def check_list(plants):
    bad = 0
    for n, _, file, old, new in plants:
        times = (ROOT / file).read_text(encoding="ascii").count(old)
        if times != 1 or old == new:
            print(f"plants.txt:{n}: {file}: stands there {times} times: {old!r}")
            bad += 1
    known, planted = cases(), {p[1] for p in plants}
    for name in planted - set(known):
        print(f"plants.txt: {name}: no such case")
        bad += 1
    for name in known:
        if name not in planted:
            print(f"{name}: no bug is planted for it")
            bad += 1
    return bad


class Tree:
    """A copy of the sources with a build of its own."""

    def __init__(self, folder):
        self.dir = pathlib.Path(folder)
        self.build = self.dir / "build"
        copy_to(self.dir)
        if not self.build.exists():
            subprocess.run(["meson", "setup", "-Dwerror=false", "-Doptimization=0", self.build,
                            self.dir], check=True, stdout=subprocess.DEVNULL)

    def make(self):
        """What did not build, or an empty string."""
        r = subprocess.run(["meson", "compile", "-C", self.build, *TARGETS], check=False, text=True,
                           capture_output=True)
        return r.stdout[-1500:] if r.returncode else ""

    def notices(self, *names):
        """Those of the cases that fail."""
        r = subprocess.run(
            [self.dir / "tests/replay/replay.py", "--exact", *names], check=False, text=True,
            capture_output=True, env={**os.environ, "PERCH_BUILD_DIR": str(self.build)})
        if "passed," not in r.stdout:
            raise SystemExit(f"replay.py itself: {r.stdout}{r.stderr}")
        return [n for n in names if f"  FAIL {n}:" in r.stdout]

    def judge(self, plant):
        """Does its case fail? None: it does not build."""
        _, case, file, old, new = plant
        path = self.dir / file
        text = path.read_text(encoding="ascii")
        path.write_text(text.replace(old, new), encoding="ascii")
        wrong = self.make()
        found = None if wrong else bool(self.notices(case))
        path.write_text(text, encoding="ascii")
        if wrong:
            print(wrong)
        return found


def run_all(tree, plants):
    names = sorted({p[1] for p in plants})
    wrong = tree.make()
    failed = [] if wrong else tree.notices(*names)
    if wrong or failed:
        print(f"without a planted bug: {wrong or failed}")
        return 1
    seen = set()
    for p in plants:
        found = tree.judge(p)
        seen |= {p[1]} if found else set()
        words = {True: "noticed", False: "MISSED", None: "DOES NOT BUILD"}
        print(f"{words[found]}: plants.txt:{p[0]}: {p[1]}: {p[2]}: {p[3]!r} ==> {p[4]!r}",
              flush=True)
    print(f"{len(plants)} changes; {len(seen)} of {len(names)} cases noticed theirs")
    return 0 if len(seen) == len(names) else 1


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--folder")
    parser.add_argument("case", nargs="*")
    args = parser.parse_args()
    plants = read_list()
    bad = check_list(plants)
    if args.check or bad:
        sys.exit(2 if bad else 0)
    plants = [p for p in plants if not args.case or any(c in p[1] for c in args.case)]
    if args.folder:
        sys.exit(run_all(Tree(args.folder), plants))
    with tempfile.TemporaryDirectory(prefix="perch-plants-") as folder:
        sys.exit(run_all(Tree(folder), plants))


if __name__ == "__main__":
    main()
