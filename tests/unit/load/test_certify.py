"""A certificate says `success` only when all counts add up and all checksums are the same (P3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from supplyline.checksums import Checksum
from supplyline.contracts import Certificate, OrgId, TableName
from supplyline.load.certify import Key, judge
from supplyline.load.merge import Fates
from supplyline.load.records import closed

ROWS = Checksum.over(["a"]).merged(rows=10, high=11, low=12)
OTHERS = Checksum.over(["a"]).merged(rows=10, high=11, low=13)
KEY = Key(columns=("a",), source="configured")
FATES = Fates(inserted=4, updated=3, unchanged=2, superseded=1)
DRAFT = Certificate(
    org=OrgId("o"), table=TableName("t"), file_id="f", file_name="f.csv", sha256="", load_id="f.1",
    run_id="r", rows_read=10, landed=8, quarantined=0, duplicate=2, inserted=0, updated=0,
    unchanged=0, superseded=0, rejected=0, checksum_file=ROWS.text, checksum_landing=ROWS.text,
    issued_at=datetime(2024, 1, 1, tzinfo=UTC),
)  # fmt: skip


def test_where_everything_adds_up_nothing_differs() -> None:
    certificate = judge(DRAFT, FATES, ROWS, KEY)
    assert (certificate.verdict, certificate.differences) == ("success", ())
    assert certificate.checksum_table == ROWS.text
    assert (certificate.inserted, certificate.updated, certificate.unchanged) == (4, 3, 2)


@pytest.mark.parametrize(
    ("draft", "fates", "table", "more", "said"),
    [
        ({"rows_read": 11}, {}, ROWS, {}, "read 11, but landed 8 + quarantined 0 + duplicate 2"),
        ({"rows_read": 9}, {}, ROWS, {}, "read 9, but landed 8"),
        ({}, {"inserted": 5}, ROWS, {}, "landed 8 + duplicate 2, but 11 rows have a fate"),
        ({}, {"unchanged": 1}, ROWS, {}, "but 9 rows have a fate"),
        ({"checksum_file": OTHERS.text}, {}, ROWS, {}, "in MongoDB are not the rows of the file"),
        ({"checksum_file": OTHERS.text, "landing_released_at": "2024"}, {}, ROWS, {},
         "in the stored file are not the rows of the file"),
        ({}, {}, OTHERS, {}, "in PostgreSQL are not the rows of MongoDB"),
        ({"rows_read": 11, "quarantined": 1}, {}, ROWS, {}, "1 row is in quarantine"),
        ({}, {"inserted": 3}, ROWS, {"misfits": 1}, "1 row does not fit the table's columns"),
        ({}, {"inserted": 3, "rejected": 1}, ROWS, {}, "1 row was rejected: its key a is empty"),
        ({}, {"inserted": 3}, ROWS, {"corrected": 1}, "1 row waits for its correction"),
    ],
)  # fmt: skip
def test_whatever_does_not_add_up_makes_it_partial_and_is_said(
    draft: dict[str, Any], fates: dict[str, int], table: Checksum, more: dict[str, int], said: str
) -> None:
    certificate = judge(replace(DRAFT, **draft), replace(FATES, **fates), table, KEY, **more)
    assert certificate.verdict == "partial"
    (difference,) = certificate.differences
    assert said in difference


def test_rows_that_share_a_key_nobody_confirmed_are_a_difference() -> None:
    proposed = judge(DRAFT, FATES, ROWS, Key(columns=("a",), source="proposed"))
    assert proposed.verdict == "partial"
    assert "1 row shares the proposed key a" in proposed.differences[0]
    assert "3 rows took the place of rows of earlier files" in proposed.remarks[0]


def test_several_are_said_as_several() -> None:
    draft = replace(DRAFT, rows_read=12, quarantined=2)
    more = {"misfits": 2, "corrected": 3}
    judged = judge(draft, replace(FATES, inserted=0, updated=0, rejected=2), ROWS, KEY, **more)
    assert judged.differences == (
        "2 rows are in quarantine",
        "2 rows do not fit the table's columns and were set aside",
        "2 rows were rejected: their key a is empty",
        "3 rows wait for their correction, whose load was undone",
    )


@pytest.mark.parametrize(
    ("said", "left"),
    [
        (("3 rows are in quarantine",), ("2 rows are in quarantine",)),
        (("2 rows are in quarantine", "x"), ("1 row is in quarantine", "x")),
        (("1 row is in quarantine",), ()),
        (("1 rows are in quarantine",), ()),  # as it was said once
        (
            ("1 rows are in quarantine", "2 rows were rejected: their key a, b is empty"),
            ("1 row was rejected: its key a, b is empty",),
        ),
        (
            ("2 rows do not fit the table's columns and were set aside",),
            ("2 rows do not fit the table's columns and were set aside",),
        ),
    ],
)
def test_what_was_corrected_since_is_taken_off(
    said: tuple[str, ...], left: tuple[str, ...]
) -> None:
    certificate = replace(DRAFT, differences=said, verdict="partial")
    found = closed(certificate, quarantined=1, rejected={"empty_key": 1})
    assert (found.differences, found.verdict) == (left, "partial" if left else "success")
    assert closed(certificate, quarantined=0, rejected={}) == certificate
