"""Every error code and every setting is documented, and nothing else is."""

from __future__ import annotations

import importlib
import pkgutil
import re
from pathlib import Path

import pytest

import backend
import supplyline
from backend.api.problems import _OF_FRAMEWORK, STATUS
from supplyline.errors import SupplylineError, Terminal, Transient
from supplyline.settings import VARIABLES

DOCS = Path(__file__).resolve().parents[3] / "docs"
FROM_RUNS = {"run_failed"}
"""Codes that only the record of a run carries."""


def all_errors() -> set[type[SupplylineError]]:
    for package in (backend, supplyline):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if "migrations" not in module.name and "__main__" not in module.name:
                importlib.import_module(module.name)
    found: set[type[SupplylineError]] = set()
    pending = [SupplylineError]
    while pending:
        kind = pending.pop()
        pending.extend(kind.__subclasses__())
        found.add(kind)
    return {k for k in found if k.__module__.split(".")[0] in {"backend", "supplyline"}}


def documented(name: str) -> set[str]:
    text = (DOCS / name).read_text()
    return set(re.findall(r"^\| `([A-Za-z_0-9]+)` \|", text, re.MULTILINE))


def test_every_error_code_is_documented_and_nothing_else() -> None:
    codes = {kind.code for kind in all_errors()} | FROM_RUNS
    codes |= {code for code, _ in _OF_FRAMEWORK.values()}
    assert documented("errors.md") == codes


def test_every_error_says_what_to_do_next() -> None:
    own = all_errors() - {SupplylineError, Terminal, Transient}
    assert [k for k in own if "code" in vars(k) and "next_step" not in vars(k)] == []


def test_every_status_belongs_to_a_documented_code() -> None:
    assert set(STATUS) <= documented("errors.md")


@pytest.mark.parametrize("name", sorted(VARIABLES))
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    line = next(
        (
            row
            for row in (DOCS / "settings.md").read_text().splitlines()
            if row.startswith(f"| `{name}` |")
        ),
        "",
    )
    assert line, f"docs/settings.md has no row for {name}"
    default = VARIABLES[name][0]
    assert (f"| `{default}` |" if default else "|  |") in line


def test_no_setting_is_documented_that_is_not_read() -> None:
    assert documented("settings.md") - set(VARIABLES) == set()
