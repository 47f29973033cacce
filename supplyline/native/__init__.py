"""Inner loops in C, for what arrays do not do fast enough; everything works without them, slower.

The sources (`*.c` beside this file) are compiled once, by `python -m supplyline.native.build`, into
a library whose name carries a digest of the sources, so that one that was built from others is
never taken. Promises: whatever is computed here is computed alike without it (each user has its own
way for where `library()` is None), and no function reads or writes outside of the arrays it was
given, whatever they hold.
"""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
BUILT = HERE / "built"
OFF = "SUPPLYLINE_NATIVE"
"""`off` in this variable of the environment: as if it had not been built."""


def sources() -> list[Path]:
    """What is compiled; the headers that they share (`*.h`) lie beside them."""
    return sorted(HERE.glob("*.c"))


def path() -> Path:
    """Where the library of these sources is or would be, for this kind of machine."""
    digest = hashlib.sha256()
    for source in sorted(HERE.glob("*.[ch]")):
        digest.update(source.read_bytes())
    return BUILT / f"{platform.system().lower()}-{platform.machine()}-{digest.hexdigest()[:16]}.so"


@lru_cache(maxsize=1)
def library() -> ctypes.CDLL | None:
    """The compiled functions; None where they were not built or cannot be used here."""
    if os.environ.get(OFF, "").lower() == "off":
        return None
    try:
        return ctypes.CDLL(str(path()))
    except OSError:
        return None


@lru_cache
def function(name: str, *arguments: type[Any]) -> Callable[..., int] | None:
    """One of them, which takes these types and answers an int64_t; None as for `library`.

    Calls release the interpreter's lock. Addresses are c_void_p; keep what they belong to alive.
    """
    found = library()
    if found is None:
        return None
    call: Callable[..., int] = found[name]
    call.argtypes, call.restype = arguments, ctypes.c_int64  # type: ignore[attr-defined]
    return call
