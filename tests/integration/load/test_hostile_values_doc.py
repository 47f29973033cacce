"""docs/hostile-values.md is what the load really does; SUPPLYLINE_WRITE_DOCS=1 writes it anew."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from psycopg import sql

from supplyline import settings as environment
from supplyline.audit.events import org_of
from supplyline.contracts import OrgId, TableSettings
from supplyline.load.types import remembered, restored
from supplyline.tenancy.catalog import save_table_settings
from supplyline.tenancy.connections import connect
from tests.integration.load.house import TABLE, House, check

DOC = Path(__file__).resolve().parents[3] / "docs" / "hostile-values.md"
HEAD = """# Hostile values

What becomes of the values that importers are known to damage, and how they come back. Every line
is one column of a file that went through MongoDB into PostgreSQL; `…` means that a cell was absent
from a short row. This page is written by `tests/integration/load/test_hostile_values_doc.py`,
which fails when it is no longer true. *Given back* is what PostgreSQL says when it is asked for the
text again.

"""
GROUPS: dict[str, list[list[str | None]]] = {
    "Numbers": [
        ["5", "-3", "0"], ["00123", "5"], ["1_000"], ["1E5"], ["NaN"], ["Infinity"], ["+5"], [" 5"],
        ["5 "], ["5."], [".5"], ["-0"], ["-0.05"], ["0.00"], ["1.50", "1.5"],
        ["123456789012345678"], ["12345678901234567890"], ["1" * 40 + ".5"], ["0x1F"], ["1/2"],
        ["10%"], ["$5"], ["٣"], ["5\u00a0"], ["(5)"], ["5-"], ["\u22125"],
    ],
    "Localized numbers": [
        ["1,234.50", "12"], ["1.234,50", "12"], ["1234,50"], ["1 234,50"], ["1\u00a0234,50"],
        ["1'234.50"], ["1,234"], ["1,234", "1,234,567"], ["1,234", "1,5"], ["0,500"],
        ["1.234", "2.500"], ["1,234.50", "1234.50"], ["1.234,50", "1,234.50"], ["12,34,567"],
        ["1 234", "12 345"],
    ],
    "Dates and times": [
        ["2024-02-29"], ["2023-02-29"], ["31.12.2025", "01.02.2025"], ["31.12.2025", "30.02.2025"],
        ["12/31/2025", "01/02/2025"], ["31/12/2025", "01/02/2025"], ["01/02/2025", "03/04/2025"],
        ["1/2/2025", "31/12/2025"], ["31-Dec-2025"], ["31-DEC-2025"], ["Dec 31, 2025"],
        ["31.12.25"], ["20251231"], ["0001-01-01"], ["9999-12-31"],
        ["2025-12-31 10:00:00"], ["2025-12-31 24:00:00"], ["2025-12-31T10:00:00Z"],
        ["2025-12-31T10:00:00.120Z"], ["2025-12-31T10:00:00+02:00"],
        ["2025-12-31T10:00:00+01:00", "2025-07-01T10:00:00+02:00"], ["12/31/2025 3:05 PM"],
        ["12/31/2025 3:05 PM-05:00"],
        ["2025-03-30 02:30:00"], ["today"], ["10:30"],
    ],
    "Truth values, identifiers, JSON": [
        ["true", "false"], ["TRUE", "FALSE"], ["Yes", "No"], ["TRUE", "true", "Yes"], ["Y", "N"],
        ["1", "0"], ["550e8400-e29b-41d4-a716-446655440000"],
        ["550E8400-E29B-41D4-A716-446655440000"], ['{"a":  1.0}', "[]"], ['{"a": NaN}'],
    ],
    "Text and emptiness": [
        ["", "5"], [None, "5"], ["", "x"], [None, "x"], ["", ""], [" "], ["NULL"], ["null"],
        ["\\N"], ["=cmd()"], ['"'], ["a\nb"], ["\ufeffx"], ["é", "é"], ["😀"], ["\u200b"],
        ["x" * 60],
    ],
}  # fmt: skip


BY_HAND: dict[str, list[str]] = {
    "bigint": ["5", "00123", "+5", "1.0", "n/a"],
    "numeric 1.234,5": ["1.234", "1.234,50", "1,234.50", "1234"],
    "date DD/MM/YYYY": ["01/02/2025", "31/12/2025", "12/31/2025", "1/2/2025", "30/02/2025"],
    "date DD.MM.(20)YY": ["31.12.25", "29.02.24", "29.02.25", "31.12.2025"],
    "timestamp DD.MM.YYYY HH24:MI": ["24.12.2025 18:00", "24.12.2025 18:00:00"],
    "boolean Y/N": ["Y", "N", "y", "?"],
    "text": ["5", "2024-02-29"],
}
TAIL = """
## Types that the organization sets

`supplyline columns --set COLUMN=KIND`. What does not fit is set aside with its row, its reason and
all its cells, and comes back from there (`supplyline rejected`).

| set | value | in PostgreSQL | given back | set aside because |
|---|---|---|---|---|
"""


def test_the_page_is_what_the_load_does(house: House, new_org: Callable[..., OrgId]) -> None:
    cases = [values for group in GROUPS.values() for values in group]
    names = [f"c{n:03d}" for n in range(len(cases))]
    depth = max(map(len, cases))
    manifest = house.land(
        names, [[v[r] if r < len(v) else v[-1] for v in cases] for r in range(depth)]
    )
    (certificate,) = house.load()
    assert certificate.verdict == "success"
    assert check(house, manifest) == ()
    lines = iter(_lines(house, dict(zip(names, cases, strict=True)), certificate.remarks))
    text = HEAD + "\n".join(
        f"## {title}\n\n| values | kind | in PostgreSQL | given back | remark |\n|---|---|---|---|"
        "---|\n" + "".join(f"{next(lines)}\n" for _ in group)
        for title, group in GROUPS.items()
    )
    with connect(new_org(), settings=environment.get()) as conn:
        text += TAIL + "".join(f"{line}\n" for line in _by_hand(replace(house, conn=conn)))
    if os.environ.get("SUPPLYLINE_WRITE_DOCS"):
        DOC.write_text(text)
    assert DOC.read_text() == text, "docs/hostile-values.md is stale: SUPPLYLINE_WRITE_DOCS=1"


def _by_hand(house: House) -> list[str]:
    """One row of the file for every value, all its other cells empty."""
    house.org = org_of(house.conn)
    names = dict(zip(BY_HAND, (f"c{n}" for n in range(len(BY_HAND))), strict=True))
    settings = TableSettings(table=TABLE, key=(), types={c: k for k, c in names.items()})
    save_table_settings(house.conn, settings, actor="t")
    cases = [(kind, value) for kind, values in BY_HAND.items() for value in values]
    manifest = house.land(
        list(names.values()), [[v if k == kind else "" for k in BY_HAND] for kind, v in cases]
    )
    house.load()
    assert check(house, manifest) == ()
    rejected = "SELECT row_number, reason, cells FROM supplyline.rejected_rows"
    aside = {row: (why, cells) for row, why, cells in house.conn.execute(rejected).fetchall()}
    out = []
    for number, (kind, value) in enumerate(cases, 1):
        stored, why = "", ""
        if number in aside:
            reason, cells = aside[number]
            why, back = reason.partition(": ")[2], cells[names[kind]]
        else:
            query = sql.SQL("SELECT {c}::text, {r} FROM {t} t WHERE _row = {n}").format(
                c=sql.Identifier("t", names[kind]),
                r=restored(names[kind], kind),
                t=sql.Identifier(TABLE),
                n=sql.Literal(number),
            )
            found, back = house.conn.execute(query).fetchone() or ("", "")
            stored = _shown(found)
        assert back == value
        out.append(f"| `{kind}` | {_shown(value)} | {stored} | {_shown(back)} | {why} |")
    return out


def _lines(house: House, cases: dict[str, list[str | None]], remarks: tuple[str, ...]) -> list[str]:
    kinds = remembered(house.conn, TABLE)
    said = {r.partition(": ")[0]: r.partition(": ")[2] for r in remarks}
    out = []
    for name, values in cases.items():
        column, kind = sql.Identifier("t", name), kinds[name]
        rows = house.conn.execute(
            sql.SQL("SELECT {c}::text, {r} FROM {t} t ORDER BY _row LIMIT {n}").format(
                c=column,
                r=restored(name, kind),
                t=sql.Identifier(TABLE),
                n=sql.Literal(len(values)),
            )
        ).fetchall()
        assert [back for _, back in rows] == values
        stored = [_shown(v) if v is not None else "NULL" for v, _ in rows]
        back = [_cell(b) for _, b in rows]
        cells = ["<br>".join(map(_cell, values)), f"`{kind}`", "<br>".join(stored),
                 "<br>".join(back), said.get(name, "")]  # fmt: skip
        out.append(f"| {' | '.join(cells)} |")
    return out


def _cell(value: str | None) -> str:
    return "…" if value is None else _shown(value)


def _shown(value: str) -> str:
    """A value as JSON writes it, so that what cannot be seen is seen."""
    if not value:
        return "*empty*"
    body = json.dumps(value, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("|", "\\|")
    body = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in body)
    return f"`` {body} ``" if "`" in body or body != body.strip() else f"`{body}`"
