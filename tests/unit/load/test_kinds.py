"""Which kind a column of text is given, and what is said about it."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pytest

from supplyline.errors import InvalidColumnType
from supplyline.load.kinds import TEXT, fits, kind_of, kinds_of
from supplyline.load.types import Choice, Evidence, choose, settle


def evidence(values: Sequence[str | None], *, batch: int = 100) -> Evidence:
    found = Evidence(["c"])
    for first in range(0, len(values), batch):
        part = pa.array(values[first : first + batch], pa.string())
        found.add(pa.RecordBatch.from_arrays([part], names=["c"]))
    return found


def chosen(values: Sequence[str | None], *, batch: int = 100) -> Choice:
    return choose(evidence(values, batch=batch).fitting("c") or ())


COLUMNS = [
    (["5", "-3", "0"], "bigint"),
    (["5", "00123"], "text"),
    (["1.50", "1.5", "7"], "numeric"),
    (["12345678901234567890", "1"], "numeric"),
    (["1,234.50", "12", "0.5"], "numeric 1,234.5"),
    (["1,234.50", "1234.50"], "text"),
    (["1.234,50", "-0,05"], "numeric 1.234,5"),
    (["1234,50", "7"], "numeric 1234,5"),
    (["1 234,50", "99"], "numeric 1 234,5"),
    (["1'234.50"], "numeric 1'234.5"),
    (["1 234", "-12 345", "7"], "numeric 1 234,5"),
    (["0,500", "1,250"], "numeric 1234,5"),
    (["1,234,567", "1,000"], "numeric 1,234.5"),
    (["1,234", "2,500"], "text"),
    (["+5"], "text"), ([" 5"], "text"), (["5."], "text"), (["-0"], "text"), (["1E5"], "text"),
    (["1_000"], "text"), (["NaN"], "text"), (["Infinity"], "text"), (["٣"], "text"),
    (["2024-02-29"], "date"),
    (["2023-02-29"], "text"), (["9999-12-31"], "date"), (["0001-01-01"], "text"),
    (["31.12.2025", "01.02.2025"], "date DD.MM.YYYY"),
    (["31.12.2025", "30.02.2025"], "text"),
    (["31.12.2025", "2025-12-31"], "text"),
    (["1.2.2025", "31.12.2025"], "date D.M.YYYY"),
    (["12/31/2025", "01/02/2025"], "date MM/DD/YYYY"),
    (["31/12/2025", "01/02/2025"], "date DD/MM/YYYY"),
    (["01/02/2025", "03/04/2025"], "text"),
    (["12/31/2025", "31/12/2025"], "text"),
    (["31-Dec-2025", "01-Feb-2025"], "date DD-Mon-YYYY"),
    (["31-DEC-2025"], "date DD-MON-YYYY"),
    (["31-Dec-2025", "31-DEC-2025"], "text"),
    (["Dec 31, 2025"], "date Mon DD, YYYY"),
    (["31.12.25"], "text"),
    (["20251231"], "bigint"),
    (["2025-12-31 10:00:00", "2025-12-31 10:00:00.5"], "timestamp"),
    (["2025-12-31 10:00:00.50"], "timestamp YYYY-MM-DD HH24:MI:SS.FF2"),
    (["2025-12-31T10:00:00Z"], "timestamptz YYYY-MM-DDTHH24:MI:SSFFZ"),
    (["2025-12-31T10:00:00.120Z", "2025-12-31T10:00:00.123Z"],
     "timestamptz YYYY-MM-DDTHH24:MI:SS.FF3Z"),
    (["2025-12-31T10:00:00+02:00"], "timestamptz YYYY-MM-DDTHH24:MI:SSFF+02:00"),
    (["2025-12-31T10:00:00+01:00", "2025-07-01T10:00:00+02:00"], "text"),
    (["12/31/2025 3:05 PM"], "timestamp MM/DD/YYYY H12:MI AM"),
    (["2025-12-31 24:00:00"], "text"),
    (["true", "false"], "boolean"), (["TRUE"], "boolean TRUE/FALSE"), (["TRUE", "true"], "text"),
    (["Yes", "No"], "boolean Yes/No"), (["Y", "N"], "text"), (["TRUE", "Yes"], "text"),
    (["550e8400-e29b-41d4-a716-446655440000"], "uuid"),
    (["550E8400-E29B-41D4-A716-446655440000"], "uuid UPPER"),
    (['{"a":  1.0}', "[]"], "json"), (['{"a": NaN}'], "text"), (["[1, 2"], "text"),
    (['{"a": 1}', "5"], "text"),
    (["", None], "text"),
    (["=cmd()"], "text"), (["null"], "text"), (["today"], "text"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "kind"), COLUMNS, ids=str)
@pytest.mark.parametrize("batch", [1, 100])
def test_a_column_has_the_narrowest_kind_that_all_its_values_fit(
    values: list[str], kind: str, batch: int
) -> None:
    assert chosen(values, batch=batch).kind == kind


def test_two_readings_leave_text_and_say_so() -> None:
    dates, numbers = chosen(["01/02/2025"]), chosen(["1,234"])
    assert "`date DD/MM/YYYY` and as `date MM/DD/YYYY`" in dates.remark
    assert "`numeric 1234,5` and as `numeric 1,234.5`" in numbers.remark


def test_what_decided_between_readings_is_said() -> None:
    assert "read as `date DD/MM/YYYY`" in chosen(["25/12/2025"]).remark
    assert "read as `numeric 1.234,5`" in chosen(["1.234,50"]).remark
    assert "numeric 1.234,5" in chosen(["1.234", "2.500"]).remark
    assert chosen(["1.50", "2.345"]).remark == ""
    assert chosen(["12345678901234567890"]).remark == ""
    assert chosen(["1 234", "12 345"]).remark == ""


def test_text_that_is_nearly_a_number_or_a_date_says_why() -> None:
    assert "leading zero" in evidence(["5", "00123"]).hint("c")
    assert "years of two digits" in evidence(["31.12.25"]).hint("c")
    assert evidence(["5", "n/a"]).hint("c") == ""


def test_later_files_keep_the_kind_widen_it_or_make_it_text() -> None:
    def after(known: str, *values: str, convertible: bool = True) -> str:
        return settle(known, evidence(values).fitting("c"), convertible=lambda _: convertible)

    assert after("date DD/MM/YYYY", "01/02/2025") == "date DD/MM/YYYY"
    assert after("date MM/DD/YYYY", "01/02/2025") == "date MM/DD/YYYY"
    assert after("date DD/MM/YYYY", "1/2/2025") == "date D/M/YYYY"
    assert after("date DD/MM/YYYY", "12/31/2025") == TEXT
    assert after("bigint", "1.5") == "numeric"
    assert after("bigint", "1,234.50") == "numeric 1,234.5"
    assert after("bigint", "1,234") == TEXT
    assert after("bigint", "1,234.50", convertible=False) == TEXT
    assert after("numeric 1,234.5", "12345") == "numeric"
    assert after("numeric 1,234.5", "12345", convertible=False) == TEXT
    assert after("numeric", "12") == "numeric"
    assert after("numeric", "12,5") == TEXT
    assert after("text", "12") == TEXT
    assert after("date DD.MM.YYYY", "1.2.2025") == "date D.M.YYYY"
    assert after("date MM.DD.YYYY", "13.01.2025") == TEXT
    assert after("bigint", "") == "bigint"


@pytest.mark.parametrize(
    "spec",
    ["boolean Y/N", "boolean 1/0", "boolean ja/nein", "date DD.MM.(20)YY", "date YYYYMMDD",
     "timestamp DD.MM.YYYY HH24:MI", "numeric 1.234,5", "json", "text"],
)  # fmt: skip
def test_kinds_that_are_not_guessed_can_be_set_by_hand(spec: str) -> None:
    assert kind_of(spec).spec == spec


@pytest.mark.parametrize(
    "spec",
    ["", "integer", "varchar", "date 31.12.2025", "date DD.MM", "date DD.MM.YYYY HH24:MI",
     "timestamp YYYY-MM-DD", "timestamp YYYY-MM-DD HH12:MI", "boolean yes", "boolean Y/Y",
     "numeric 1.234.5", "date DD'MM'YYYY", "uuid lower", "text; DROP TABLE x",
     "date DMYYYY", "date DYYYYM", "timestamp YYYYMMDH24MI"],
)  # fmt: skip
def test_a_kind_that_is_none_is_refused(spec: str) -> None:
    with pytest.raises(InvalidColumnType):
        kind_of(spec)


def test_a_kind_takes_each_text_of_an_array_for_itself() -> None:
    values = pa.array(["31.12.25", "30.02.25", None, "29.02.24", "x"])
    assert fits("date DD.MM.(20)YY", values).to_pylist() == [True, False, None, True, False]


def test_a_text_longer_than_any_value_fits_nothing() -> None:
    assert kinds_of("1" * 101) == ()
    assert kinds_of("1" * 61) == ("numeric", "numeric 1234,5")


def test_days_written_in_several_ways_are_left_as_text_with_a_word() -> None:
    days = ["12/01/2026", "2026-01-13", "14 Jan 2026", "15 January, 2026"]
    choice = evidence(days).choice("c")
    assert choice.kind == TEXT
    assert "dates of which some" in choice.remark
    assert "dates" not in evidence(["12 34 5678", "x"]).choice("c").remark
