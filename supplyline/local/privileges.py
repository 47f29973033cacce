"""PostgreSQL refuses to run as root. This module finds the way around that suits the machine.

1. Not root: nothing to do.
2. Root, and an unprivileged account (`postgres`, else `nobody`) can reach the programs and the
   data folder: the process changes to that account.
3. Root, but the paths lie in a folder closed to others (such as /root): the process enters a user
   namespace, where its uid is 1000, while for the file system it stays who it is.

What was chosen when a data folder was made is seen by the folder's owner, and kept.
"""

from __future__ import annotations

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from supplyline.errors import ServiceFailed

_NAMESPACE = ("unshare", "--user", "--map-user=1000", "--map-group=1000")


@dataclass(frozen=True, kw_only=True)
class Drop:
    """How to lose root: change to `user` and `group`, or run behind `prefix`."""

    user: int | None = None
    group: int | None = None
    prefix: tuple[str, ...] = ()


def plan(*, program: Path, folder: Path) -> Drop:
    """The way for a data folder that is about to be made at `folder` (its parent exists)."""
    if os.geteuid() != 0:
        return Drop()
    for name in ("postgres", "nobody"):
        account = _account(name)
        if account is not None and _reaches(account, program=program, folder=folder.parent):
            return account
    drop = Drop(prefix=_NAMESPACE)
    if _works([*_NAMESPACE, str(program), "--version"]):
        return drop
    raise ServiceFailed(
        f"PostgreSQL does not run as root, no unprivileged account can reach {folder}, and this "
        "machine allows no user namespaces.",
        next_step="Run as an ordinary user, or move the project to a folder that others may enter.",
    )


def of_existing(folder: Path) -> Drop:
    """The way that was chosen when the data folder was made: its owner tells. Raises ServiceFailed
    where that one cannot reach it, as when it was copied elsewhere."""
    if os.geteuid() != 0:
        return Drop()
    owner = folder.stat()
    if owner.st_uid == 0:
        return Drop(prefix=_NAMESPACE)
    account = Drop(user=owner.st_uid, group=owner.st_gid)
    if not _works(["test", "-x", str(folder)], account):
        raise ServiceFailed(
            f"PostgreSQL's data folder {folder} belongs to user id {owner.st_uid}, who cannot enter"
            " it.",
            next_step="Let others pass through the folders above it (`chmod o+x`), or move it to "
            "where they may.",
        )
    return account


def _account(name: str) -> Drop | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return Drop(user=entry.pw_uid, group=entry.pw_gid)


def _reaches(account: Drop, *, program: Path, folder: Path) -> bool:
    return _works([str(program), "--version"], account) and _works(
        ["test", "-x", str(folder)], account
    )


def _works(argv: list[str], account: Drop | None = None) -> bool:
    try:
        done = subprocess.run(  # noqa: S603 - argv is made by this module, no shell
            argv,
            user=account.user if account else None,
            group=account.group if account else None,
            extra_groups=[] if account else None,
            cwd="/",
            capture_output=True,
            check=False,
        )
    except OSError:
        return False
    return done.returncode == 0
