#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""Adds up a meson test log: the cases of programs that count them, one for each of the others."""
import json
import re
import sys

CLOSING = re.compile(r"^\S.*: (\d+) passed, (\d+) failed, (\d+) skipped$", re.M)
OUTCOMES = {"OK": (1, 0, 0), "EXPECTEDFAIL": (1, 0, 0), "SKIP": (0, 0, 1)}


def count(test):
    counted = CLOSING.findall(test.get("stdout", ""))
    good = test["result"] in OUTCOMES
    if not counted or test["result"] == "EXPECTEDFAIL":
        return OUTCOMES.get(test["result"], (0, 1, 0))
    passed, failed, skipped = (sum(int(c[i]) for c in counted) for i in range(3))
    if not good and failed == 0:
        failed = 1  # it crashed or hung after its last word
    return passed, failed, skipped


def main(path):
    with open(path, encoding="utf-8") as log:
        tests = [json.loads(line) for line in log if line.strip()]
    total = [0, 0, 0]
    for test in tests:
        total = [a + b for a, b in zip(total, count(test))]
        for reason in re.findall(r"^\s*SKIP (.*)$", test.get("stdout", ""), re.M):
            print(f"skipped: {test['name']}: {reason}")
        if test["result"] not in OUTCOMES:
            print(f"failed: {test['name']}: {test['result']}")
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] or not total[0] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
