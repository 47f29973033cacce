"""Checks per cell and row: what breaks the table's contract is set aside, with column and reason.

Promises: rows in = rows out + rows set aside, without a cap; a row's raw text holds all its cells
and `cells_of` gives them back exactly. A file that lacks a column that must be there is refused.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from supplyline.contracts import (
    EXTRA,
    LINE,
    ROW,
    Json,
    Layout,
    ParseOptions,
    QuarantinedRow,
    RowBatch,
)
from supplyline.errors import UnreadableFile
from supplyline.ingest.rules import NUMBERS, Rule, anchored, as_date, parse_rules

csv.field_size_limit(1 << 26)
"""A cell that was read may be as long as a line; the module would stop at 128 KiB."""

CODES = ("required", "wrong_type", "out_of_range", "pattern", "not_allowed", "empty_key")
_BOOLEAN = r"\A(?i:true|false|yes|no|y|n|t|f|0|1)\z"
_INTEGER = r"\A[+-]?\d+\z"
_NUMBER = {
    ".": r"\A[+-]?(?:\d+|\d{1,3}(?:[, '\x{a0}\x{202f}]\d{3})+)?(?:\.\d+)?(?:[eE][+-]?\d+)?\z",
    ",": r"\A[+-]?(?:\d+|\d{1,3}(?:[. '\x{a0}\x{202f}]\d{3})+)?(?:,\d+)?(?:[eE][+-]?\d+)?\z",
}
_WHAT = {"integer": "whole number", "number": "number", "date": "date", "boolean": "yes or no"}

Mask = np.ndarray[Any, np.dtype[np.bool_]]


@dataclass(frozen=True, kw_only=True)
class Checks:
    """What a contract asks. `key`: columns of which none may be empty in any row."""

    rules: Mapping[str, Rule] = field(default_factory=dict)
    key: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.rules or self.key)

    def as_json(self) -> Json:
        """{} when nothing is asked; part of a file's identity (`landing.documents.file_key`)."""
        out: Json = {}
        if self.rules:
            out["rules"] = {column: rule.as_json() for column, rule in self.rules.items()}
        if self.key:
            out["key"] = list(self.key)
        return out


def checks_of(*, rules: Mapping[str, Any], key: tuple[str, ...]) -> Checks:
    return Checks(rules=parse_rules(rules), key=key)


MAX_COLUMNS = 1_500
"""PostgreSQL takes 1,600 in a table, of which some are ours and some are for later files."""


def require_table(layout: Layout) -> None:
    """Raises UnreadableFile for what no table can hold, whatever its contract."""
    if not layout.columns:
        raise UnreadableFile(
            "The file has neither a header nor a row.",
            next_step="Check the export: it came out blank. Upload it again.",
        )
    if len(layout.columns) > MAX_COLUMNS:
        raise UnreadableFile(
            f"The file has {len(layout.columns):,} columns; a table takes {MAX_COLUMNS:,}.",
            next_step="Split the file by columns, or turn columns such as months into rows.",
        )


def require_columns(checks: Checks, layout: Layout, *, options: ParseOptions) -> None:
    """Raises UnreadableFile when the file as a whole cannot keep the contract; `options`: how it
    was told to be read, which may be what is wrong."""
    there = {c.name for c in layout.columns}
    needed = {*checks.key, *(c for c, rule in checks.rules.items() if rule.required)}
    if missing := sorted(needed - there):
        said = ", ".join(f"{name} {value!r}" for name, value in options.as_json().items())
        read = f" It was read with {said}, as was said of it or of its table." if said else ""
        raise UnreadableFile(
            f"The file lacks what its table's contract requires: {', '.join(missing)}.{read}",
            next_step="Correct the file's header or the contract (`aliases`: other spellings of a"
            " column; `options`: how its files are read), then ingest the file again.",
        )


def apply(batches: Iterable[RowBatch], *, checks: Checks, layout: Layout) -> Iterator[RowBatch]:
    """The batches, with the rows that break the contract moved to the rows set aside."""
    if not checks:
        yield from batches
        return
    delimiter = raw_delimiter(layout)
    for batch in batches:
        failed = _failures(batch.data, checks)
        if not failed:
            yield batch
            continue
        keep = np.ones(batch.data.num_rows, dtype=bool)
        keep[list(failed)] = False
        aside = [set_aside(batch.data, at, failed[at], delimiter) for at in sorted(failed)]
        yield RowBatch(
            data=batch.data.filter(pa.array(keep)),
            quarantined=tuple(sorted((*batch.quarantined, *aside), key=lambda q: q.row)),
        )


Failure = tuple[str, str, str]
"""Column, code, reason."""


def _failures(data: pa.RecordBatch, checks: Checks) -> dict[int, list[Failure]]:
    """Position in the batch → what is wrong there, in the order of the contract."""
    out: dict[int, list[Failure]] = {}

    def note(column: str, code: str, wrong: Mask, reason: str) -> None:
        for at in np.flatnonzero(wrong).tolist():
            cell = data.column(column)[at].as_py()
            shown = "" if cell is None else cell.strip()
            shown = shown if len(shown) <= 60 else shown[:57] + "..."
            text = f"{column}: {reason.replace('{}', repr(shown))}"
            out.setdefault(at, []).append((column, code, text))

    names = set(data.schema.names)
    for column in checks.key:
        wrong = _empty(_trimmed(data, column))
        note(column, "empty_key", wrong, "the key may not be empty")
    for column, rule in checks.rules.items():
        if column in names:
            for code, wrong, reason in _broken(_trimmed(data, column), rule):
                note(column, code, wrong, reason)
    return out


def _trimmed(data: pa.RecordBatch, column: str) -> pa.Array:
    return pc.utf8_trim_whitespace(data.column(column))


def _empty(cells: pa.Array) -> Mask:
    return _mask(pc.equal(pc.fill_null(cells, ""), ""))


def _mask(values: pa.Array) -> Mask:
    return np.asarray(pc.fill_null(values, False).to_numpy(zero_copy_only=False), dtype=bool)


def _broken(cells: pa.Array, rule: Rule) -> Iterator[tuple[str, Mask, str]]:
    empty = _empty(cells)
    if rule.required:
        yield "required", empty, "a value is required"
    good = ~empty
    if rule.type is not None:
        fits, values = _typed(cells, rule)
        yield "wrong_type", good & ~fits, f"{{}} is no {_WHAT[rule.type]}"
        good &= fits
        yield from _out_of_range(values, good, rule)
    if rule.pattern is not None:
        matches = _mask(pc.match_substring_regex(cells, anchored(rule.pattern)))
        yield "pattern", ~empty & ~matches, f"{{}} does not match {rule.pattern}"
    if rule.one_of:
        allowed = _mask(pc.is_in(cells, value_set=pa.array(rule.one_of, pa.string())))
        yield "not_allowed", ~empty & ~allowed, f"{{}} is none of {', '.join(rule.one_of)}"


def _typed(cells: pa.Array, rule: Rule) -> tuple[Mask, Any]:
    """Which cells are of the type, and their values to compare with: floats or ISO days."""
    if rule.type == "date":
        distinct = cells.dictionary_encode()
        days = [as_date(text or "", rule.format) for text in distinct.dictionary.to_pylist()]
        found = pa.array(days, pa.string()).take(distinct.indices)
        return _mask(pc.is_valid(found)), found
    if rule.type == "boolean":
        return _mask(pc.match_substring_regex(cells, _BOOLEAN)), cells
    pattern = _INTEGER if rule.type == "integer" else _NUMBER[rule.decimal]
    fits = _mask(
        pc.and_(pc.match_substring_regex(cells, pattern), pc.match_substring_regex(cells, r"\d"))
    )
    return fits, cells


def _out_of_range(values: Any, good: Mask, rule: Rule) -> Iterator[tuple[str, Mask, str]]:
    if rule.min is None and rule.max is None:
        return
    if rule.type in NUMBERS:
        values = _floats(values, good, rule)
    for bound, below in ((rule.min, True), (rule.max, False)):
        if bound is None:
            continue
        limit: Any = float(bound) if rule.type in NUMBERS else as_date(bound, "YYYY-MM-DD")
        wrong = pc.less(values, limit) if below else pc.greater(values, limit)
        side = "less" if below else "more"
        yield "out_of_range", good & _mask(wrong), f"{{}} is {side} than {bound}"


def _floats(cells: pa.Array, good: Mask, rule: Rule) -> pa.Array:
    text = pc.if_else(pa.array(good), cells, None)
    text = pc.replace_substring_regex(text, r"[ '\x{a0}\x{202f}+]", "")
    text = pc.replace_substring(text, "." if rule.decimal == "," else ",", "")
    return pc.replace_substring(text, ",", ".").cast(pa.float64())


def set_aside(
    data: pa.RecordBatch, at: int, failures: list[Failure], delimiter: str
) -> QuarantinedRow:
    """The row at position `at` as one set aside for `failures`, of which the first counts."""
    row = data.slice(at, 1).to_pylist()[0]
    cells = [v for k, v in row.items() if k not in (ROW, LINE, EXTRA) and v is not None]
    column, code, _ = failures[0]
    return QuarantinedRow(
        row=row[ROW],
        line=row[LINE],
        column=column,
        code=code,
        reason="; ".join(reason for _, _, reason in failures),
        raw=raw_of([*cells, *(row.get(EXTRA) or [])], delimiter=delimiter),
    )


def raw_delimiter(layout: Layout | Mapping[str, Any]) -> str:
    """The file's own delimiter where the csv module can use it, else a comma."""
    if isinstance(layout, Layout):
        given = layout.dialect.delimiter if layout.dialect else ","
    else:
        given = (layout.get("dialect") or {}).get("delimiter", ",")
    return given if len(given) == 1 and given not in '"\r\n ' else ","


def raw_of(cells: list[str], *, delimiter: str) -> str:
    """One row as delimited text, quoted where needed."""
    out = io.StringIO()
    # The module quotes line ends only where they could end the row: so they are its terminator.
    csv.writer(out, delimiter=delimiter, lineterminator="\r\n").writerow(cells)
    return out.getvalue().removesuffix("\r\n")


def cells_of(raw: str, *, delimiter: str) -> list[str]:
    """The cells of `raw_of`."""
    return next(csv.reader(io.StringIO(raw, newline=""), delimiter=delimiter, strict=True), [])
