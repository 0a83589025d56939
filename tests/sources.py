# SPDX-License-Identifier: BSD-3-Clause
"""A copy of the sources, for bugs to be planted in."""
import pathlib
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[1]


def copy_to(folder):
    """All that git knows or would add; what is there already and the same keeps its time."""
    files = subprocess.run(["git", "-C", ROOT, "ls-files", "-z", "-co", "--exclude-standard"],
                           check=True, capture_output=True).stdout.decode().split("\0")
    for f in filter(None, files):
        source, to = ROOT / f, pathlib.Path(folder) / f
        if source.exists() and not (to.exists() and to.read_bytes() == source.read_bytes()):
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, to)
