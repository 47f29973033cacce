"""Sales lines that say of themselves that nothing was sold: cancelled, void, returned, drafts.

Promises: a line is left out only for a word that is known or that the organization named; it is
counted by item and status. A status that is not known is demand, and said. Refuses nothing.
A negative line is a return whatever its status says (but for drafts and what was turned down).
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from supplyline.forecast.series import Floats
from supplyline.forecast.status_words import AMBIGUOUS, NEVER_SOLD, NOT_SO, SOLD, TAKEN_BACK, YES

if TYPE_CHECKING:
    import pandas as pd

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

FEW = 50
"""A column with more unknown values than these is no status."""

GONE, REFUSED, COUNTED, UNKNOWN = "taken back", "never sold", "counted", "unknown"
AS_IS, BACK, TURNED, VOID, OUT = "as it is", "came back", "other sign", "void", "left out"
"""What the type of a line says (see `documents`): BACK, whatever its sign; VOID unless negative."""
A_DAY = "a day"
"""Stands for all days of a column such as `cancelled_at`."""


_A_DAY = re.compile(r"\d{4}-\d\d-\d\d|\d{1,2}([./-])\d{1,2}\1(\d{4}|\d\d)(?!\d)")


def folded(text: str) -> str:
    """`OrderCancelled ` → `order cancelled`; accents are taken off."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text)
    bare = unicodedata.normalize("NFKD", parted.casefold())
    return " ".join(
        re.findall(r"[^\W_]+", "".join(c for c in bare if not unicodedata.combining(c)))
    )


@dataclass(kw_only=True)
class Statuses:
    """Counts of one reading of the lines. `counted`, `left_out`: what the organization decided;
    `documents`: column of types → text → what it says."""

    counted: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    documents: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    gone: dict[tuple[str, str, int], list[float]] = field(default_factory=dict)
    """(column, status, item) → lines and units left out; `unknown`: the same of those counted."""
    unknown: dict[tuple[str, str, int], list[float]] = field(default_factory=dict)
    known_in: set[str] = field(default_factory=set)

    def meaning(self, text: str) -> str:
        """What a cell of a column of statuses says of its line."""
        bare = folded(text)
        if bare in self.counted:
            return COUNTED
        if bare in self.left_out:
            return REFUSED
        words = set(bare.split())
        if not words & NOT_SO:
            if words & TAKEN_BACK:
                return GONE
            if words & NEVER_SOLD:
                return REFUSED
        return COUNTED if bare in SOLD or not bare else UNKNOWN

    def flag(self, text: str) -> str:
        """The same for a column such as `is_cancelled` or `cancelled_at`."""
        return GONE if folded(text) in YES or _A_DAY.match(text.strip()) else COUNTED

    def document(self, name: str, text: str) -> str:
        """The same for a column of types, one of those in `documents`."""
        bare = folded(text)
        if bare in self.counted or bare in self.left_out:
            return REFUSED if bare in self.left_out else COUNTED
        said = self.documents.get(name, {}).get(text, AS_IS)
        return {OUT: REFUSED, VOID: GONE}.get(said, COUNTED)

    def signed(self, block: pd.DataFrame, quantity: Floats) -> Floats:
        """Quantities with the sign of sales, as the types of their lines say."""
        for label in block.columns:
            kind, _, name = str(label).partition(":")
            if kind != "document":
                continue
            texts = [str(c) for c in block[label].cat.categories]
            said = [self.documents.get(name, {}).get(t, AS_IS) for t in texts]
            each = np.asarray([*said, AS_IS], dtype=object)[block[label].cat.codes.to_numpy()]
            quantity = np.where(each == TURNED, -quantity, quantity)
            quantity = np.where(each == BACK, -np.abs(quantity), quantity)
        return quantity

    def _read(self, kind: str, name: str, text: str) -> str:
        if kind == "document":
            return self.document(name, text)
        return self.meaning(text) if kind == "status" else self.flag(text)

    def demand(self, block: pd.DataFrame, *, item: Ints, quantity: Floats, among: Bools) -> Bools:
        """Which of the lines `among` are demand; counts the others, and what it does not know.

        `block` holds the columns `status:NAME`, `cancelled:NAME` and `document:NAME` as categories.
        """
        kept = among.copy()
        for label in block.columns:
            kind, _, name = str(label).partition(":")
            if kind in ("status", "cancelled", "document"):
                out = self._one(
                    block[label], kind, name=name, item=item, quantity=quantity, among=kept
                )
                kept &= ~out
        return kept

    def _one(
        self, column: pd.Series, kind: str, *, name: str, item: Ints, quantity: Floats, among: Bools
    ) -> Bools:
        """Lines that this column leaves out, counted."""
        texts = [str(c) for c in column.cat.categories]
        said = np.asarray([*(self._read(kind, name, t) for t in texts), COUNTED], dtype=object)
        codes = column.cat.codes.to_numpy().astype(np.int64)
        each = said[codes]
        if any(
            folded(t) in SOLD or m in (GONE, REFUSED) for t, m in zip(texts, said, strict=False)
        ):
            self.known_in.add(name)
        out = among & ((each == REFUSED) | ((each == GONE) & (quantity > 0)))
        for chosen, into in ((out, self.gone), (among & (each == UNKNOWN), self.unknown)):
            pairs = item[chosen] * (len(texts) + 1) + codes[chosen]
            keys, where = np.unique(pairs, return_inverse=True)
            lines = np.bincount(where, minlength=keys.size)
            units = np.bincount(where, weights=np.abs(quantity[chosen]), minlength=keys.size)
            for key, n, u in zip(keys, lines, units, strict=True):
                code, text = divmod(int(key), len(texts) + 1)
                shown = A_DAY if _A_DAY.match(texts[text].strip()) else texts[text].strip()
                one = into.setdefault((name, shown, code), [0, 0.0])
                one[0] += int(n)
                one[1] += float(u)
        return np.asarray(out, dtype=bool)

    def _strange(self) -> dict[tuple[str, str, int], list[float]]:
        """What is not known, without the columns that are no status after all."""
        values = defaultdict(set)
        for name, text, _ in self.unknown:
            values[name].add(text)
        real = {
            name
            for name, texts in values.items()
            if len(texts) <= FEW and (name in self.known_in or name not in AMBIGUOUS)
        }
        return {key: value for key, value in self.unknown.items() if key[0] in real}

    def report(self) -> dict[str, list[dict[str, Any]]]:
        """`left_out` and `unknown_counted`: column, status, lines and units, most units first."""
        return {
            name: found
            for name, counts in (("left_out", self.gone), ("unknown_counted", self._strange()))
            if (found := _added_up(counts))
        }

    def notes(self) -> dict[int, tuple[str, ...]]:
        """Item → what is to be said of it."""
        out: dict[int, tuple[str, ...]] = defaultdict(tuple)
        for (name, text, item), (lines, units) in sorted(self.gone.items()):
            out[item] += (
                f"{_lines(lines)} of {units:.6g} units with {_where(name, text)} left out.",
            )
        for (name, text, item), (lines, units) in sorted(self._strange().items()):
            out[item] += (
                f"{_lines(lines)} of {units:.6g} units with {_where(name, text)}, which is not"
                " known, counted as demand.",
            )
        return dict(out)


def _added_up(counts: dict[tuple[str, str, int], list[float]]) -> list[dict[str, Any]]:
    total: dict[tuple[str, str], list[float]] = defaultdict(lambda: [0, 0.0])
    for (name, text, _), (lines, units) in counts.items():
        total[name, text][0] += lines
        total[name, text][1] += units
    rows = [
        {"column": name, "status": text, "lines": int(lines), "units": units}
        for (name, text), (lines, units) in total.items()
    ]
    return sorted(rows, key=lambda r: (-float(r["units"]), r["column"], r["status"]))


def _lines(count: float) -> str:
    return "1 line" if count == 1 else f"{count:.0f} lines"


def _where(name: str, text: str) -> str:
    return f"{name} = {text[:40]!r}"
