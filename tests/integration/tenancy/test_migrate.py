"""Schema steps run once, whole, in order."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from supplyline.audit.events import events
from supplyline.contracts import OrgId
from supplyline.errors import DatabaseUnavailable, SchemaBehind, SchemaMismatch
from supplyline.settings import Settings
from supplyline.tenancy import migrate
from supplyline.tenancy.connections import connect_admin, session
from supplyline.tenancy.names import database_name

NewOrg = Callable[..., OrgId]


@pytest.fixture
def database(new_org: NewOrg, engine_settings: Settings) -> str:
    return database_name(new_org(), prefix=engine_settings.pg_db_prefix)


def step(name: str, text: str) -> migrate.Step:
    return migrate.Step(name=name, text=text)


def test_a_step_runs_once(database: str, engine_settings: Settings) -> None:
    known = (step("9000_x", "CREATE TABLE supplyline.x (a int)"),)
    with connect_admin(settings=engine_settings, dbname=database) as conn:
        assert migrate.apply(conn, org_role=database, known=known) == ("9000_x",)
        assert migrate.apply(conn, org_role=database, known=known) == ()
        newest, *earlier = events(conn)
        assert (newest.kind, newest.subject) == ("schema.migrated", "9000_x")
        assert [event.kind for event in earlier] == ["organization.provisioned"]


def test_a_step_that_landed_late_still_runs(database: str, engine_settings: Settings) -> None:
    later = step("9003_b", "CREATE TABLE supplyline.b (a int)")
    earlier = step("9002_a", "CREATE TABLE supplyline.a (a int)")
    with connect_admin(settings=engine_settings, dbname=database) as conn:
        migrate.apply(conn, org_role=database, known=(later,))
        assert migrate.apply(conn, org_role=database, known=(earlier, later)) == ("9002_a",)


def test_a_step_runs_no_function_of_the_organization(
    new_org: NewOrg, engine_settings: Settings
) -> None:
    org = new_org()
    database = database_name(org, prefix=engine_settings.pg_db_prefix)
    with session(org, settings=engine_settings) as conn:
        conn.execute("CREATE TABLE public.caught (who text)")
        conn.execute(
            "CREATE FUNCTION public.setval(text, bigint, boolean) RETURNS bigint LANGUAGE sql AS"
            " 'INSERT INTO public.caught VALUES (current_user); SELECT $2'"
        )
        conn.execute("GRANT ALL ON public.caught TO PUBLIC")
    known = (
        step("9000_x", "CREATE SEQUENCE supplyline.x; SELECT setval('supplyline.x', 5, false)"),
    )
    with connect_admin(settings=engine_settings, dbname=database) as conn:
        migrate.apply(conn, org_role=database, known=known)
        assert conn.execute("SELECT * FROM public.caught").fetchall() == []
        assert conn.execute("SELECT last_value FROM supplyline.x").fetchone() == (5,)


def test_a_failing_step_leaves_nothing(database: str, engine_settings: Settings) -> None:
    known = (step("9000_x", "CREATE TABLE supplyline.x (a int); SELECT 1/0"),)
    with connect_admin(settings=engine_settings, dbname=database) as conn:
        with pytest.raises(SchemaMismatch, match="9000_x"):
            migrate.apply(conn, org_role=database, known=known)
        assert conn.execute("SELECT to_regclass('supplyline.x')").fetchone() == (None,)


def test_a_step_does_not_wait_for_ever_behind_an_open_session(
    new_org: NewOrg, engine_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = new_org()
    database = database_name(org, prefix=engine_settings.pg_db_prefix)
    known = (step("9000_x", "ALTER TABLE supplyline.loads ADD COLUMN x int"),)
    monkeypatch.setattr(migrate, "PATIENCE_MS", 200)
    with connect_admin(settings=engine_settings, dbname=database) as conn:
        with session(org, settings=engine_settings) as reader:
            reader.execute("SELECT count(*) FROM supplyline.loads")
            with pytest.raises(DatabaseUnavailable, match=r"9000_x .* lock timeout"):
                migrate.apply(conn, org_role=database, known=known)
        assert migrate.apply(conn, org_role=database, known=known) == ("9000_x",)


def test_a_changed_step_is_refused(database: str, engine_settings: Settings) -> None:
    with connect_admin(settings=engine_settings, dbname=database) as conn:
        migrate.apply(conn, org_role=database, known=(step("9000_x", "SELECT 1"),))
        with pytest.raises(SchemaMismatch, match="changed"):
            migrate.apply(conn, org_role=database, known=(step("9000_x", "SELECT 2"),))


def test_tables_of_a_step_are_the_roles_to_use_unless_revoked(
    new_org: NewOrg, engine_settings: Settings
) -> None:
    org = new_org()
    name = database_name(org, prefix=engine_settings.pg_db_prefix)
    text = (
        "CREATE TABLE supplyline.receipts (id bigint GENERATED ALWAYS AS IDENTITY, note text);"
        "CREATE TABLE public.plan (id int);"
        'ALTER TABLE public.plan OWNER TO :"org_role"'
    )
    with connect_admin(settings=engine_settings, dbname=name) as conn:
        migrate.apply(conn, org_role=name, known=(step("9000_x", text),))
    with session(org, settings=engine_settings) as conn:
        conn.execute("INSERT INTO supplyline.receipts (note) VALUES ('a')")
        conn.execute("UPDATE supplyline.receipts SET note = 'b'")
        conn.execute("DELETE FROM supplyline.receipts")
        conn.execute("ALTER TABLE public.plan ADD COLUMN note text")


def test_every_step_has_its_own_number() -> None:
    numbers = [s.name[:4] for s in migrate.steps()]
    assert numbers == sorted(set(numbers))


def test_software_ahead_of_the_schema_is_said_with_the_missing_steps(
    new_org: NewOrg, engine_settings: Settings
) -> None:
    org = new_org()
    name = database_name(org, prefix=engine_settings.pg_db_prefix)
    newest = migrate.steps()[-1]
    with connect_admin(settings=engine_settings, dbname=name) as admin:
        # As a database of an older version is: without the newest step and what it makes.
        admin.execute("DELETE FROM supplyline.schema_version WHERE step = %s", (newest.name,))
    with (
        pytest.raises(SchemaBehind, match=newest.name),
        session(org, settings=engine_settings) as conn,
    ):
        conn.execute("SELECT a_column_of_the_newest_step FROM supplyline.loads")
    with (
        pytest.raises(psycopg.errors.UndefinedColumn),
        session(new_org(), settings=engine_settings) as conn,
    ):
        conn.execute("SELECT a_column_of_the_newest_step FROM supplyline.loads")
