"""Several commands of `manage.py` in one process: to begin one takes longer than they do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

_PROGRAM = """
import contextlib, io, json, sys
import manage

answers = []
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["manage.py", *arguments]
    code, out, err = 0, io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            manage.main()
        except SystemExit as ended:
            code = ended.code or 0
    answers.append([code, out.getvalue(), err.getvalue()])
print(json.dumps(answers))
"""


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str


def managed(commands: Sequence[Sequence[str]], *, env: Mapping[str, str]) -> list[Done]:
    """What each of the commands said, called as `manage.py COMMAND ARGUMENT...`, one by one."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, json.dumps(commands)],
        cwd=ROOT, env={**os.environ, **env, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return [Done(*answer) for answer in json.loads(done.stdout)]


def managed_well(commands: Sequence[Sequence[str]], *, env: Mapping[str, str]) -> list[str]:
    """The same of commands that must succeed: what each printed."""
    answers = managed(commands, env=env)
    assert [a for a in answers if a.code] == []
    return [a.out.strip() for a in answers]
