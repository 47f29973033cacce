"""Scores are what a careful person would count by hand."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from supplyline.contracts import Certificate, Manifest, OrgId, TableName, TableSettings
from supplyline.errors import TableNotLanded
from supplyline.quality.checks import Check, freshness
from supplyline.quality.profile import profile
from supplyline.quality.report import QualityReport, report
from supplyline.settings import Settings
from supplyline.tenancy.catalog import save_table_settings
from supplyline.tenancy.connections import Connection, session

SALES = TableName("sales")
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def org(new_org: Callable[..., OrgId]) -> OrgId:
    return new_org()


@pytest.fixture
def conn(org: OrgId, engine_settings: Settings) -> Iterator[Connection]:
    with session(org, settings=engine_settings) as conn:
        yield conn


@pytest.fixture
def sales(conn: Connection) -> None:
    conn.execute(
        "CREATE TABLE public.sales (order_id int, sku text, quantity int, sold_on date,"
        " due_date date, note text, _load text)"
    )
    conn.execute(
        "INSERT INTO public.sales VALUES"
        " (1, 'A', 5, '2026-02-01', '2027-01-01', 'x', 'l'),"
        " (2, 'B', -1, '2026-02-02', '2027-01-01', '', 'l'),"
        " (2, 'C', 3, '2031-01-01', NULL, ' ', 'l'),"
        " (NULL, 'D', 4, '2026-02-04', NULL, NULL, 'l')"
    )
    conn.execute("CREATE TABLE public.products (sku text)")
    conn.execute("INSERT INTO public.products VALUES ('A'), ('B'), ('C')")


def manifest(org: OrgId, *, days_ago: float, read: int = 100, quarantined: int = 0) -> Manifest:
    return Manifest(
        org=org,
        table=SALES,
        file_id=f"f{days_ago}",
        name="sales.csv",
        sha256="",
        file_key="",
        sequence=1,
        layout={},
        state="closed",
        rows_read=read,
        landed=read - quarantined,
        quarantined=quarantined,
        closed_at=NOW - timedelta(days=days_ago),
    )


def certificate(org: OrgId, *, days_ago: float, differences: tuple[str, ...] = ()) -> Certificate:
    return Certificate(
        org=org,
        table=SALES,
        file_id="f",
        file_name="sales.csv",
        sha256="",
        load_id="l",
        run_id="r",
        rows_read=1,
        landed=1,
        quarantined=0,
        duplicate=0,
        inserted=1,
        updated=0,
        unchanged=0,
        superseded=0,
        rejected=0,
        verdict="partial" if differences else "success",
        differences=differences,
        issued_at=NOW - timedelta(days=days_ago),
    )


def make(conn: Connection, org: OrgId, **kwargs: object) -> QualityReport:
    given: dict[str, object] = {"days": 7, "manifests": (), "certificates": (), "now": NOW}
    return report(conn, org=org, table=SALES, **(given | kwargs))  # type: ignore[arg-type] # a test


def check(made: QualityReport, name: str) -> Check:
    return next(c for c in made.checks if c.name == name)


def test_profile_counts_every_column(conn: Connection, sales: None) -> None:
    found = profile(conn, SALES)
    assert found.rows == 4
    assert [c.name for c in found.columns][-1] == "note", "columns of the load are left out"
    note, quantity = found.column("note"), found.column("quantity")
    assert note is not None
    assert quantity is not None
    assert (note.nulls, note.empties, note.distinct) == (1, 2, 3)
    assert note.lengths == ((1, 2), (0, 1))
    assert (note.values, note.minimum) == ((), None), "values only when asked for"
    assert (quantity.minimum, quantity.maximum, quantity.distinct) == ("-1", "5", 4)
    shown = profile(conn, SALES, values=True).column("sku")
    assert shown is not None
    assert shown.values[0] == ("A", 1)


def test_scores_of_the_table(conn: Connection, org: OrgId, sales: None) -> None:
    save_table_settings(conn, TableSettings(table=SALES, key=("order_id",)), actor="u")
    made = make(conn, org)
    # 24 cells; empty: order_id 1, due_date 2, note 3.
    assert (check(made, "completeness").checked, check(made, "completeness").failed) == (24, 6)
    assert check(made, "completeness").score == 75
    # Of four rows one repeats a key and one has none.
    assert check(made, "uniqueness").score == 50
    # quantity 4 + sold_on 4 values; one negative, one in the future; due_date may be ahead.
    assert (check(made, "validity").checked, check(made, "validity").failed) == (8, 2)
    assert check(made, "references").failed == 1
    assert check(made, "references").score == 75
    for name in ("freshness", "quarantine", "reconciliation"):
        assert check(made, name).score is None
    # (3·75 + 3·50 + 2·75 + 2·75) / 10
    assert made.score == 67.5


def test_scores_of_the_files(conn: Connection, org: OrgId, sales: None) -> None:
    made = make(
        conn,
        org,
        manifests=(
            manifest(org, days_ago=1, quarantined=4),
            manifest(org, days_ago=2),
            manifest(org, days_ago=30, quarantined=100),
        ),
        certificates=(
            certificate(org, days_ago=1, differences=("checksum_table",)),
            certificate(org, days_ago=2),
        ),
    )
    assert check(made, "quarantine").score == 90, "what lies before the days is left out"
    assert check(made, "reconciliation").score == 50


def test_another_organization_or_table_does_not_count(
    conn: Connection, org: OrgId, sales: None
) -> None:
    made = make(conn, org, manifests=(manifest(OrgId("other"), days_ago=1, quarantined=50),))
    assert check(made, "quarantine").score is None


@pytest.mark.parametrize(("days_ago", "score"), [(0.5, 100), (2, 100), (6, 50), (10, 0), (99, 0)])
def test_freshness_falls_with_the_usual_distance(days_ago: float, score: float) -> None:
    files = [manifest(OrgId("a"), days_ago=days_ago + n) for n in range(5)]
    assert freshness(files, now=NOW).score == score
    weekly = [manifest(OrgId("a"), days_ago=days_ago * 7 + 7 * n) for n in range(5)]
    assert freshness(weekly, now=NOW).score == score


def test_trend_has_every_day_and_the_earlier_score(
    conn: Connection, org: OrgId, sales: None
) -> None:
    make(conn, org, now=NOW - timedelta(days=1))
    made = make(
        conn,
        org,
        days=3,
        manifests=(manifest(org, days_ago=1, quarantined=4), manifest(org, days_ago=1.1)),
        certificates=(certificate(org, days_ago=1),),
    )
    assert [day.day.day for day in made.trend] == [27, 28, 1]
    assert [day.files for day in made.trend] == [0, 2, 0]
    assert (made.trend[1].rows_read, made.trend[1].quarantined) == (200, 4)
    assert (made.trend[1].success, made.trend[1].partial) == (1, 0)
    assert made.trend[0].score is None
    assert made.trend[1].score is not None
    assert made.trend[2].score == made.score


def test_report_is_json(conn: Connection, org: OrgId, sales: None) -> None:
    assert json.loads(json.dumps(make(conn, org).as_json()))["table"] == "sales"


def test_an_empty_table_is_not_judged(conn: Connection, org: OrgId) -> None:
    conn.execute("CREATE TABLE public.sales (a int, b text)")
    made = make(conn, org)
    assert made.score is None
    assert made.profile.rows == 0


def test_an_unknown_table_is_said(conn: Connection, org: OrgId) -> None:
    with pytest.raises(TableNotLanded):
        make(conn, org)


def test_odd_column_types_and_names_are_profiled(conn: Connection, org: OrgId) -> None:
    conn.execute(
        'CREATE TABLE public.sales ("select" boolean, "a""b" jsonb, c json, d uuid, e timestamptz,'
        " f numeric, g text)"
    )
    conn.execute(
        "INSERT INTO public.sales VALUES (true, '{}', '{}', gen_random_uuid(), now(), 'NaN', '%s')"
    )
    assert len(make(conn, org).profile.columns) == 7
