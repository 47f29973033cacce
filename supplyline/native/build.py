"""Compiles the inner loops: python -m supplyline.native.build [--compiler "cc"]

Without --compiler: $CC, cc, gcc or clang, the first that is there. Writes one file beside the
sources, in one step, and removes those of older sources.

exit code: 0 built, or there already; 3 there is no compiler; 1 it failed.
example: python -m supplyline.native.build
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from supplyline import native

FLAGS = ("-std=c11", "-O3", "-fPIC", "-shared", "-fno-strict-aliasing", "-Wall", "-Wextra")
NO_COMPILER = 3


def compiler() -> list[str] | None:
    """The command of the machine's compiler."""
    named = os.environ.get("CC", "")
    if named:
        return shlex.split(named)
    return next(([found] for c in ("cc", "gcc", "clang") if (found := shutil.which(c))), None)


def build(command: list[str]) -> Path:
    """Compiles if needed; where the library is. Raises subprocess.CalledProcessError."""
    target = native.path()
    if target.exists():
        return target
    native.BUILT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=native.BUILT) as folder:
        made = Path(folder) / target.name
        sources = [str(s) for s in native.sources()]
        subprocess.run([*command, *FLAGS, *sources, "-o", str(made)], check=True)  # noqa: S603 - the machine's compiler on our sources
        made.replace(target)
    digest = target.name.rpartition("-")[2]
    for old in native.BUILT.glob("*.so"):
        if not old.name.endswith(digest):  # another machine's of these sources stays
            old.unlink(missing_ok=True)
    return target


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--compiler", help="a command, such as `gcc` or `zig cc`")
    given = parser.parse_args().compiler
    if native.path().exists():
        return 0
    command = shlex.split(given) if given else compiler()
    if command is None:
        sys.stderr.write(
            "No C compiler was found: install gcc, or go on without; loads take half as long"
            " again.\n"
        )
        return NO_COMPILER
    try:
        build(command)
    except (OSError, subprocess.CalledProcessError) as error:
        sys.stderr.write(f"The inner loops were not built: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
