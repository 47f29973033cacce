"""What arrives by PostgreSQL's binary COPY is what arrives by CSV: values, texts, nulls, `_raw`."""

from __future__ import annotations

import json
from collections.abc import Sequence

import psycopg
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from psycopg import sql

from supplyline.arrays import strings
from supplyline.load import binary
from supplyline.load.kinds import fits, kind_of, sql_type
from supplyline.load.staging import Incoming, copy_typed
from supplyline.tenancy.connections import Connection
from tests.integration.load.house import House, batch_of

KINDS = ("text", "bigint", "numeric", "date", "timestamp", "boolean", "uuid", "json")
COMPARED = sql.SQL(", ").join(sql.Identifier(f"c{n}") for n in range(len(KINDS) - 1))
"""All that PostgreSQL can compare: not json."""
LEAVES = (
    st.none() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text("aé\0\n")
)
JSONS = st.builds(
    json.dumps,
    st.recursive(
        st.lists(LEAVES, max_size=3),
        lambda of: st.lists(of, max_size=2) | st.dictionaries(st.text("ab"), of, max_size=2),
        max_leaves=4,
    ),
    ensure_ascii=st.booleans(),
    indent=st.sampled_from([None, 1]),
)
Row = Sequence[str | None]


def values_of(kind: str) -> st.SearchStrategy[str | None]:
    """Cells that a kind takes, empty ones and absent ones."""
    if kind == "json":
        texts = JSONS
    elif kind == "text":
        texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
    else:
        texts = st.from_regex(kind_of(kind).pattern, fullmatch=True).filter(
            lambda text: fits(kind, strings([text]))[0].as_py()
        )
    return st.one_of(texts, texts, texts, st.sampled_from(["", None]))


def arrived(
    conn: Connection, rows: Sequence[Row], *, packed: bool, extra: dict[int, list[str]]
) -> tuple[Incoming, list[tuple[object, ...]]]:
    """The rows sent in one form, as the table `t_binary` or `t_csv` gives them back."""
    columns = [f"c{n}" for n in range(len(KINDS))]
    size = max(8, len(rows) // 4)
    batches = [
        batch_of(columns, rows[at : at + size], first=at + 1, extra=extra)
        for at in range(0, len(rows), size)
    ]
    name = "t_binary" if packed else "t_csv"
    table, incoming = sql.Identifier("pg_temp", name), Incoming(columns, iter(batches))
    types = dict(zip(columns, KINDS, strict=True))
    conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(table))
    conn.execute(
        sql.SQL("CREATE TEMP TABLE {} ({}, _row bigint, _raw jsonb)").format(
            sql.Identifier(name),
            sql.SQL(", ").join(
                sql.SQL("{} {}").format(sql.Identifier(c), sql.SQL(sql_type(k)))
                for c, k in types.items()
            ),
        )
    )
    with pytest.MonkeyPatch.context() as patch:
        if not packed:
            patch.setattr(binary, "encodable", lambda _: False)
        assert binary.encodable(KINDS) == packed
        count = copy_typed(conn, incoming, schema="pg_temp", relation=name, types=types)
    assert count == len(rows)
    names = [sql.Identifier(c) for c in (*columns, "_row", "_raw")]
    seen = [sql.SQL("{}::text, pg_column_size({})").format(c, c) for c in names]
    query = sql.SQL("SELECT {} FROM {} t ORDER BY t._row").format(sql.SQL(", ").join(seen), table)
    return incoming, conn.execute(query).fetchall()


def compare(
    conn: Connection, rows: Sequence[Row], *, extra: dict[int, list[str]] | None = None
) -> None:
    csv, by_csv = arrived(conn, rows, packed=False, extra=extra or {})
    own, by_binary = arrived(conn, rows, packed=True, extra=extra or {})
    assert by_binary == by_csv
    assert own.separated == csv.separated
    for row, found in zip(rows, by_binary, strict=True):
        cells = found[0 : 2 * len(KINDS) : 2]
        assert cells == (row[0], *(cell or None for cell in row[1:]))
    different = conn.execute(
        sql.SQL(
            "SELECT count(*) FROM (SELECT {c}, _row, _raw FROM pg_temp.t_csv"
            " EXCEPT ALL SELECT {c}, _row, _raw FROM pg_temp.t_binary) d"
        ).format(c=COMPARED)
    ).fetchone()
    assert different == (0,)


def test_generated_values_arrive_alike(house: House) -> None:
    rows = st.lists(st.tuples(*map(values_of, KINDS)), min_size=1, max_size=20)

    @hypothesis_settings(max_examples=25)
    @given(rows, st.dictionaries(st.integers(1, 20), st.lists(st.text("a\x1f\"'é€"), min_size=1)))
    def run(rows: list[Row], extra: dict[int, list[str]]) -> None:
        compare(house.conn, rows, extra=extra)

    run()


def column_wise(kind: str, texts: Sequence[str]) -> list[Row]:
    at = KINDS.index(kind)
    return [tuple(text if n == at else "" for n in range(len(KINDS))) for text in texts]


HOSTILE = {
    "text": ["", "\\N", "\\.", '"', "a,b", "\r\n", "\t\x01\x7f", "\x1f", "é€😀", " x ",
             "x" * 70_000, "ü" * 100_001, "NULL"],
    "bigint": ["0", "-1", "9" * 18, "-" + "9" * 18, "10", "100000000"],
    "numeric": ["0", "0.0", "0." + "0" * 40, "-0." + "0" * 39 + "1" + "0" * 39, "9" * 61,
                "-" + "9" * 61 + "." + "9" * 40, "1" + "0" * 60, "10000", "9999", "10000.0000",
                "0.0001", "0.00010000", "0.00001", "1.50", "1.5", "12345678.12345678", "1.00001"],
    "date": ["1000-01-01", "9999-12-31", "2000-02-29", "1600-02-29", "1900-02-28", "1582-10-10",
             "1999-12-31", "2000-01-01", "2000-03-01", "1970-01-01"],
    "timestamp": ["1000-01-01 00:00:00", "9999-12-31 23:59:59.999999", "2000-01-01 00:00:00.000001",
                  "1999-12-31 23:59:59.5", "2024-02-29 12:34:56.12"],
    "boolean": ["true", "false"],
    "uuid": ["00000000-0000-0000-0000-000000000000", "01234567-89ab-cdef-fedc-ba9876543210"],
    "json": ["{}", "[ ]", '{"a":1, "a": 2}', '["\\u0000 \\ud800", 1.0e+5,\r\n -0]', '["é😀"]'],
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_hostile_values_arrive_alike(house: House, kind: str) -> None:
    compare(house.conn, column_wise(kind, HOSTILE[kind]), extra={1: ["more", ""]})


def test_days_of_all_years_arrive_alike(house: House) -> None:
    days = house.rows(
        "SELECT d::date::text, d::timestamp + make_interval(secs => n / 7)"
        " FROM generate_series('1000-01-01'::date, '9999-12-31', '397 days')"
        " WITH ORDINALITY AS g (d, n)"
    )
    rows = [(None, "", None, str(day), str(time), "true", "", "[]") for day, time in days]
    compare(house.conn, rows)


def test_a_table_without_rows(house: House) -> None:
    compare(house.conn, [])


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize(
    ("kind", "cell", "error"),
    [
        ("text", "b\0", psycopg.errors.CharacterNotInRepertoire),
        ("json", "[\0]", psycopg.errors.CharacterNotInRepertoire),
        ("json", "[1,]", psycopg.errors.InvalidTextRepresentation),
        ("json", "[" * 100_000 + "]" * 100_000, psycopg.errors.StatementTooComplex),
    ],
)
def test_a_text_that_postgresql_does_not_take_is_one_error(
    house: House, kind: str, cell: str, error: type[psycopg.Error], packed: bool
) -> None:
    with pytest.raises(error):
        arrived(house.conn, column_wise(kind, ["", cell]), packed=packed, extra={})


def test_what_is_not_understood_is_given_back_and_nothing_is_guessed(house: House) -> None:
    batches = [batch_of(["n"], [[cell]], first=1, extra=None) for cell in ("1", "01", "3")]
    incoming = Incoming(["n"], iter(batches))
    house.conn.execute("CREATE TEMP TABLE t (n bigint, _row bigint, _raw jsonb)")
    sent = copy_typed(house.conn, incoming, schema="pg_temp", relation="t", types={"n": "bigint"})
    assert sent is None
    assert house.conn.execute("SELECT n FROM pg_temp.t").fetchall() == [(1,)]
    left: list[pa.RecordBatch] = list(incoming)
    assert [b.column("n").to_pylist() for b in left] == [["01"], ["3"]]
