"""Sheets with a column for each month: which columns are months, and which months they are.

Promises: at least three different months, all counted in the same way (`Qty Jan 2024` or
`Jan 2024`); other columns, such as money per month, are none. Ground: knows names only.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

FEWEST = 3
_NAMES = (
    "jan january januar janv janvier ene enero gen gennaio", "feb february februar fev fevr "
    "fevrier febr febrero febbraio", "mar march maerz mrz mars marzo maer",
    "apr april avr avril abr abril",
    "may mai mayo mag maggio mei", "jun june juni juin junio giu giugno",
    "jul july juli juil juillet julio lug luglio", "aug august aout ago agosto",
    "sep sept september septembre septiembre set settembre", "oct october okt oktober octobre "
    "octubre ott ottobre", "nov november novembre noviembre",
    "dec december dez dezember decembre dic diciembre dicembre",
)  # fmt: skip
_MONTH = {name: n for n, names in enumerate(_NAMES, 1) for name in names.split()}
_COUNTED = ("qty", "quantity", "units", "sold", "units_sold", "menge", "absatz", "stueck", "")
"""What stands before the month where it counts units; the surest first."""
_FORM = re.compile(
    r"(?:(?P<what>qty|quantity|units_sold|units|sold|menge|absatz|stueck)_)?(?:c_)?(?:"
    r"(?P<name>[a-z]+)_?(?P<y1>20\d\d|\d\d)|(?P<y2>20\d\d)_?(?P<name2>[a-z]+)"
    r"|(?P<y3>20\d\d)_?m?(?P<m3>0[1-9]|1[0-2])(?:_01(?:_00){0,3})?|(?P<m4>0[1-9]|1[0-2])_(?P<y4>20\d\d))"
)


def month_columns(columns: Sequence[str]) -> dict[str, str]:
    """Column → `2024-01`, in the order of the columns; empty where there are too few."""
    groups: dict[str, dict[str, str]] = defaultdict(dict)
    for column in columns:
        found = _FORM.fullmatch(column)
        month = found and _month(found)
        if found and month and month not in groups[found["what"] or ""].values():
            groups[found["what"] or ""][column] = month
    return next((groups[w] for w in _COUNTED if len(groups.get(w, ())) >= FEWEST), {})


def _month(found: re.Match[str]) -> str:
    year = found["y1"] or found["y2"] or found["y3"] or found["y4"]
    name = found["name"] or found["name2"]
    number = int(found["m3"] or found["m4"] or 0) if name is None else _MONTH.get(name, 0)
    return f"{int(year) % 100 + 2000}-{number:02d}" if number else ""
