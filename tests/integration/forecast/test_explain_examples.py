"""docs/explain-examples.md is what a real run says today."""

from __future__ import annotations

import re
from typing import Any

import psycopg

from scripts.explain_examples import SHOWN, TARGET, examples
from supplyline.contracts import OrgId
from supplyline.forecast.explain_text import WIDTH

NUMBER = re.compile(r"-?\d[\d,]*\.?\d*(?:e[+-]\d+)?")


def words_and_numbers(text: str) -> tuple[list[str], list[float]]:
    found = [float(n.replace(",", "").rstrip(".")) for n in NUMBER.findall(text)]
    return NUMBER.sub("#", text).split(), found


def test_the_document_is_what_a_run_says(
    org: OrgId, conn: psycopg.Connection[tuple[Any, ...]]
) -> None:
    said, now = TARGET.read_text(), examples(conn, org)
    stale = "docs/explain-examples.md is stale: run scripts/explain_examples.py"
    words, numbers = words_and_numbers(said)
    words_now, numbers_now = words_and_numbers(now)
    assert words == words_now, stale
    # other processors round otherwise; a change of methods moves more than that
    assert all(
        abs(a - b) <= 0.02 * max(abs(a), abs(b)) + 0.02
        for a, b in zip(numbers, numbers_now, strict=True)
    ), stale


def test_the_document_is_well_formed() -> None:
    text = TARGET.read_text()
    sections = text.split("\n## ")[1:]
    assert [s.splitlines()[0] for s in sections] == list(SHOWN.values())
    for item, section in zip(SHOWN, sections, strict=True):
        block = section.split("```text\n")[1].split("\n```")[0]
        assert block.startswith(f"item      {item}")
        assert max(map(len, block.splitlines())) <= WIDTH
        assert "status" in block
        assert "None" not in block
        assert "nan" not in block.lower().split()
    for name in ("smooth", "erratic", "intermittent", "lumpy", "new", "dead", "insufficient"):
        assert f"class     {name}:" in text
