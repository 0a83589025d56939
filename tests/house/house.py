# SPDX-License-Identifier: BSD-3-Clause
"""What the house tests share: the tree's files, and cases that add up to one closing line."""
import os
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("PERCH_BUILD_DIR", ROOT / "build"))
LAYERS = ("sched", "tcp-lite", "drivers-glue", "engine")
TREE = LAYERS + ("apps", "tools", "tests")


class Skip(Exception):
    """Raised by a case that cannot run here, with the reason."""


def files(folder, *suffixes):
    """The files below a folder of the root that end so, in a fixed order."""
    return sorted(p for p in (ROOT / folder).rglob("*")
                  if p.suffix in suffixes and p.is_file() and "__pycache__" not in p.parts)


def name(path):
    return str(path.relative_to(ROOT))


def code(path):
    """The lines of a C file with comments, strings and characters blanked out."""
    token = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'', re.S)

    def blank(m):
        return re.sub(r"[^\n]", " ", m.group())
    return token.sub(blank, path.read_text(encoding="utf-8")).split("\n")


def run(*argv, **kw):
    return subprocess.run([str(a) for a in argv], check=False, text=True, capture_output=True, **kw)


def held(rule, counts, limit=0):
    """Complaints about counts (a dict by what is counted) beyond the limit, or beyond the debt
    that tests/house/ratchet owns up to, in lines "rule: what: count"."""
    text = (ROOT / "tests/house/ratchet").read_text(encoding="utf-8")
    debt = dict(re.findall(rf"^{rule}: (.+): (\d+)$", text, re.M))
    for what in sorted({*counts, *debt}):
        count, known = counts.get(what, 0), int(debt.get(what, limit))
        if count > known:
            yield f"{rule}: {what}: {count}, of {known} at most"
        elif what in debt and count < known:
            print(f"  paid back: {rule}: {what}: {count} of {known}; lower it in the ratchet")


def main(suite, cases):
    """cases: (name, function that returns its complaints). Never returns."""
    passed = failed = skipped = 0
    for case, check in cases:
        try:
            complaints = list(check())
        except Skip as e:
            skipped += 1
            print(f"  SKIP {case}: {e}")
            continue
        for complaint in complaints:
            print(f"  FAIL {case}: {complaint}")
        failed += bool(complaints)
        passed += not complaints
    print(f"{suite}: {passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or not passed + skipped else 0 if passed else 77)
