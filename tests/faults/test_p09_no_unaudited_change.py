"""P9: event and change commit together; whatever is done to the trail afterwards is found."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from supplyline.audit.chain import Anchor, ChainReport, verify
from supplyline.audit.events import COLUMNS, append, from_row, hash_of, head
from supplyline.contracts import OrgId, TableName, TableSettings
from supplyline.settings import Settings
from supplyline.tenancy.catalog import save_table_settings, table_settings
from supplyline.tenancy.connections import connect, connect_admin, session
from supplyline.tenancy.names import database_name
from tests.servers import PostgresServer

SALES = TableName("sales")


@pytest.fixture
def org(new_org: Callable[..., OrgId]) -> OrgId:
    return new_org()


@pytest.fixture
def chained(org: OrgId, engine_settings: Settings) -> OrgId:
    """An organization with ten events."""
    with session(org, settings=engine_settings) as conn:
        for n in range(9):
            append(conn, org=org, kind="t.e", actor="a", subject=str(n), detail={"n": n})
    return org


def as_superuser(pg: PostgresServer, org: OrgId, settings: Settings) -> psycopg.Connection:
    """Somebody who gets around every trigger and privilege."""
    conn = pg.connect(database_name(org, prefix=settings.pg_db_prefix))
    conn.execute("SET session_replication_role = replica")
    return conn


def check(org: OrgId, settings: Settings, *, anchor: Anchor | None = None) -> ChainReport:
    with session(org, settings=settings) as conn:
        return verify(conn, anchor=anchor)


def test_change_and_event_commit_together(org: OrgId, engine_settings: Settings) -> None:
    conn = connect(org, settings=engine_settings)
    save_table_settings(conn, TableSettings(table=SALES, key=("a",)), actor="u")
    conn.rollback()
    conn.close()
    assert check(org, engine_settings).events == 1
    with session(org, settings=engine_settings) as conn:
        assert table_settings(conn, SALES).version == 0


def test_session_killed_before_the_commit_leaves_neither(
    org: OrgId, engine_settings: Settings, pg: PostgresServer
) -> None:
    conn = connect(org, settings=engine_settings)
    save_table_settings(conn, TableSettings(table=SALES, key=("a",)), actor="u")
    with pg.connect() as admin:
        admin.execute("SELECT pg_terminate_backend(%s)", (conn.info.backend_pid,))
    with pytest.raises(psycopg.OperationalError):
        conn.commit()
    with session(org, settings=engine_settings) as conn:
        assert table_settings(conn, SALES).version == 0
        assert verify(conn).events == 1


def test_an_untouched_chain_is_sound(chained: OrgId, engine_settings: Settings) -> None:
    report = check(chained, engine_settings)
    assert report.ok
    assert report.events == 10
    assert report.warnings == ()


@pytest.mark.parametrize("role", ["organization", "app role"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE supplyline.audit_events SET actor = 'x' WHERE seq = 5",
        "DELETE FROM supplyline.audit_events WHERE seq = 10",
        "TRUNCATE supplyline.audit_events",
        "INSERT INTO supplyline.audit_events (seq, at, org, kind, actor, subject, detail,"
        " prev_hash, hash) VALUES (99, now(), 'o', 'k', 'a', '', '{}', '', '')",
    ],
)
def test_ordinary_roles_cannot_touch_the_trail(
    chained: OrgId, engine_settings: Settings, statement: str, role: str
) -> None:
    name = database_name(chained, prefix=engine_settings.pg_db_prefix)
    conn = (
        connect(chained, settings=engine_settings)
        if role == "organization"
        else connect_admin(settings=engine_settings, dbname=name, autocommit=False)
    )
    with conn, pytest.raises((psycopg.errors.InsufficientPrivilege, psycopg.OperationalError)):
        conn.execute(statement.encode())
    assert check(chained, engine_settings).ok


@pytest.mark.parametrize(
    "column",
    ["at", "org", "kind", "actor", "subject", "run_id", "correlation_id", "detail", "hash"],
)
def test_an_edited_event_is_named(
    chained: OrgId, engine_settings: Settings, pg: PostgresServer, column: str
) -> None:
    seq = random.Random(column).randint(1, 10)
    change = {"at": "at + interval '1 microsecond'", "detail": "'{\"n\": 99}'"}.get(
        column, f"{column} || 'x'"
    )
    with as_superuser(pg, chained, engine_settings) as conn:
        conn.execute(
            f"UPDATE supplyline.audit_events SET {column} = {change} WHERE seq = {seq}".encode()
        )
    report = check(chained, engine_settings)
    assert not report.ok
    assert report.first_broken == seq


@pytest.mark.parametrize("seq", [1, 4, 9])
def test_an_event_edited_with_a_fitting_hash_is_found(
    chained: OrgId, engine_settings: Settings, pg: PostgresServer, seq: int
) -> None:
    rewrite(pg, chained, engine_settings, first=seq, last=seq)
    report = check(chained, engine_settings)
    assert report.first_broken == seq + 1


@pytest.mark.parametrize("seq", [1, 5, 9])
def test_a_deleted_event_is_named(
    chained: OrgId, engine_settings: Settings, pg: PostgresServer, seq: int
) -> None:
    with as_superuser(pg, chained, engine_settings) as conn:
        conn.execute("DELETE FROM supplyline.audit_events WHERE seq = %s", (seq,))
    report = check(chained, engine_settings)
    assert report.first_broken == seq
    assert "deleted" in report.problem


def test_a_deleted_event_with_the_rest_moved_up_is_found(
    chained: OrgId, engine_settings: Settings, pg: PostgresServer
) -> None:
    with as_superuser(pg, chained, engine_settings) as conn:
        conn.execute("DELETE FROM supplyline.audit_events WHERE seq = 5")
        for seq in range(6, 11):
            conn.execute("UPDATE supplyline.audit_events SET seq = seq - 1 WHERE seq = %s", (seq,))
    assert check(chained, engine_settings).first_broken == 5


def test_an_inserted_event_is_found(
    chained: OrgId, engine_settings: Settings, pg: PostgresServer
) -> None:
    with as_superuser(pg, chained, engine_settings) as conn:
        for seq in range(10, 4, -1):
            conn.execute("UPDATE supplyline.audit_events SET seq = seq + 1 WHERE seq = %s", (seq,))
        conn.execute(
            "INSERT INTO supplyline.audit_events SELECT 5, at, org, kind, 'mallory', subject,"
            " run_id, correlation_id, detail, prev_hash, hash FROM supplyline.audit_events"
            " WHERE seq = 6"
        )
    assert check(chained, engine_settings).first_broken == 5


def test_a_tail_that_was_cut_off_is_found(
    chained: OrgId, engine_settings: Settings, pg: PostgresServer
) -> None:
    with as_superuser(pg, chained, engine_settings) as conn:
        conn.execute("DELETE FROM supplyline.audit_events WHERE seq > 7")
    report = check(chained, engine_settings)
    assert report.first_broken == 8
    assert "cut off" in report.problem


def test_the_newest_event_rewritten_is_found_by_the_head(
    chained: OrgId, engine_settings: Settings, pg: PostgresServer
) -> None:
    rewrite(pg, chained, engine_settings, first=10, last=10, with_head=False)
    report = check(chained, engine_settings)
    assert (report.first_broken, report.problem) == (10, "the newest event was rewritten")


def test_an_event_added_around_the_chain_is_found_by_the_head(
    chained: OrgId, engine_settings: Settings, pg: PostgresServer
) -> None:
    with as_superuser(pg, chained, engine_settings) as conn:
        newest = from_row(
            conn.execute(
                f"SELECT {COLUMNS} FROM supplyline.audit_events WHERE seq = 10".encode()
            ).fetchone()
            or ()
        )
        added = replace(newest, seq=11, prev_hash=newest.hash)
        conn.execute(
            "INSERT INTO supplyline.audit_events SELECT 11, at, org, kind, actor, subject, run_id,"
            " correlation_id, detail, hash, %s FROM supplyline.audit_events WHERE seq = 10",
            (hash_of(added),),
        )
    report = check(chained, engine_settings)
    assert (report.first_broken, report.problem) == (11, "events were added around the chain")


def test_a_missing_head_and_missing_triggers_are_found(
    chained: OrgId, engine_settings: Settings, pg: PostgresServer
) -> None:
    with as_superuser(pg, chained, engine_settings) as conn:
        conn.execute("DELETE FROM supplyline.audit_head")
        conn.execute("ALTER TABLE supplyline.audit_events DISABLE TRIGGER audit_refuse")
    report = check(chained, engine_settings)
    assert not report.ok
    assert report.warnings == ("the trigger audit_refuse is missing or disabled",)


def test_a_chain_rewritten_to_the_end_is_found_by_an_anchor_only(
    chained: OrgId, engine_settings: Settings, pg: PostgresServer
) -> None:
    with session(chained, settings=engine_settings) as conn:
        seq, digest = head(conn)
    rewrite(pg, chained, engine_settings, first=6, last=10)
    assert check(chained, engine_settings).ok, "documented: this needs an anchor"
    report = check(chained, engine_settings, anchor=Anchor(seq=seq, hash=digest))
    assert report.first_broken == 10


def test_a_tail_cut_off_with_the_head_set_back_is_found_by_an_anchor(
    chained: OrgId, engine_settings: Settings, pg: PostgresServer
) -> None:
    anchor = check(chained, engine_settings).head
    with as_superuser(pg, chained, engine_settings) as conn:
        conn.execute("DELETE FROM supplyline.audit_events WHERE seq > 7")
        conn.execute(
            "UPDATE supplyline.audit_head SET seq = 7, hash ="
            " (SELECT hash FROM supplyline.audit_events WHERE seq = 7)"
        )
    assert check(chained, engine_settings).ok
    assert check(chained, engine_settings, anchor=anchor).first_broken == 8


def rewrite(
    pg: PostgresServer,
    org: OrgId,
    settings: Settings,
    *,
    first: int,
    last: int,
    with_head: bool = True,
) -> None:
    """Edits event `first` and gives it and its followers up to `last` (and the head) new hashes."""
    with as_superuser(pg, org, settings) as conn:
        rows = conn.execute(
            f"SELECT {COLUMNS} FROM supplyline.audit_events ORDER BY seq".encode()
        ).fetchall()
        events = [from_row(row) for row in rows]
        prev = events[first - 1].prev_hash
        for event in events[first - 1 : last]:
            actor = "mallory" if event.seq == first else event.actor
            edited = replace(event, actor=actor, prev_hash=prev)
            prev = hash_of(edited)
            conn.execute(
                "UPDATE supplyline.audit_events SET actor = %s, prev_hash = %s, hash = %s"
                " WHERE seq = %s",
                (actor, edited.prev_hash, prev, event.seq),
            )
        if last == len(events) and with_head:
            conn.execute("UPDATE supplyline.audit_head SET hash = %s", (prev,))
