"""Lines of sales that are no product: postage, fees, vouchers, corrections, sums.

Promises: a proposal that the run's report lists with name, lines and quantity, and that settings
overrule; a code that a table of products knows is never one of these, but for sums.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_FEE = re.compile(
    r"\b(post(age)?|p&p|carriage|shipping|freight|delivery charge|bank charges?|discount|fee|fees"
    r"|commission|manual|adjust(ment)?|gift ?voucher|sample|samples|amazon|dotcom ?postage|porto"
    r"|versand(kosten)?|deposit|cruk|test)\b",
    re.IGNORECASE,
)
_FEE_CODES = frozenset(
    ("POST", "D", "M", "DOT", "S", "B", "C2", "PADS", "CRUK", "BANK CHARGES", "AMAZONFEE",
     "ADJUST", "SAMPLES", "SHIPPING", "FREIGHT", "FEE", "DISCOUNT")
)  # fmt: skip
_TOTAL = re.compile(
    r"(grand |sub-?|over-?all )?totals?|total( for| of)? .+|sum|summe|gesamt(summe|ergebnis)?"
    r"|zwischensumme|insgesamt|total g[eé]n[eé]ral|totale|totaal|suma|razem",
    re.IGNORECASE,
)
_MOST = 0.9


@dataclass(frozen=True, kw_only=True)
class Usual:
    """What nearly all codes of an organization look like; only then does another look say much."""

    have_digits: bool
    begin_with_digit: bool


def usual(items: Iterable[str]) -> Usual:
    codes = list(items)
    return Usual(
        have_digits=sum(any(c.isdigit() for c in i) for i in codes) > _MOST * len(codes),
        begin_with_digit=sum(i[:1].isdigit() for i in codes) > _MOST * len(codes),
    )


def is_total(item: str) -> bool:
    """Whether a row holds a sum of others: `Total`, `Grand Total`, `Gesamtergebnis`."""
    return _TOTAL.fullmatch(item.strip()) is not None


def is_fee(item: str, name: str, *, among: Usual) -> bool:
    """Whether a code is a fee, postage or a correction rather than something on a shelf."""
    code = item.strip().upper()
    if code in _FEE_CODES and (among.have_digits or len(code) > 2):
        return True
    unlike_others = (
        not code[:1].isdigit()
        if among.begin_with_digit
        else among.have_digits and not any(c.isdigit() for c in code)
    )
    return unlike_others and bool(_FEE.search(item) or _FEE.search(name))
