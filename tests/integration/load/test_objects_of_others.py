"""What somebody made in the organization's database beside the loads: named, and never dropped."""

from __future__ import annotations

import pytest

from supplyline.errors import SchemaDrift, SupplylineError, TableDamaged, UndoRefused
from tests.integration.load.books import TABLE, Books, said

FIRST, SECOND = b"id,a,n\n1,x,5\n2,y,6\n", b"id,a,n\n1,x2,7\n3,z,8\n"


@pytest.mark.parametrize(
    ("made", "what"),
    [
        ("CREATE TABLE t (id int, note text)", "table t"),
        ("CREATE TABLE t_history (id int)", "table t_history"),
        ("CREATE VIEW t AS SELECT 1 AS id", "view t"),
        ("CREATE SEQUENCE t", "sequence t"),
        ("CREATE TYPE t AS ENUM ('x')", "type t"),
        ("CREATE TABLE o (id int); CREATE INDEX t ON o (id)", "index t"),
    ],
)
def test_a_name_that_is_taken_is_said_and_what_has_it_stays(
    fresh: Books, made: str, what: str
) -> None:
    fresh.sql(made)
    fresh.deliver("f1", FIRST, load=False)

    for work in (lambda: fresh.load(table=TABLE), fresh.rebuild):
        with pytest.raises(TableDamaged, match=f"no load made the {what} in public") as caught:
            work()
        assert "rename" in caught.value.advice.lower()

    name = what.split()[1]
    assert fresh.rows(
        "SELECT EXISTS (SELECT FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        f" AND relname = '{name}' UNION SELECT FROM pg_type WHERE typname = '{name}')"
    ) == [(True,)]


def test_a_view_in_the_place_of_a_loaded_table_is_seen_and_stays(fresh: Books) -> None:
    fresh.deliver("f1", FIRST)
    fresh.sql("ALTER TABLE t RENAME TO t_old", "CREATE VIEW t AS SELECT * FROM t_old")
    fresh.deliver("f2", SECOND, load=False)

    for work in (lambda: fresh.load(table=TABLE), fresh.rebuild):
        with pytest.raises(TableDamaged, match="view t"):
            work()
    assert "view t" in said(fresh.verify())

    fresh.sql("DROP VIEW t", "ALTER TABLE t_old RENAME TO t")
    fresh.load(table=TABLE)
    assert said(fresh.verify(anew=True)) == ""


@pytest.mark.parametrize(
    "rule",
    [
        "ALTER TABLE t ADD CONSTRAINT mine CHECK (n < 7)",
        "ALTER TABLE t ADD CONSTRAINT mine FOREIGN KEY (n) REFERENCES allowed",
        "CREATE UNIQUE INDEX mine ON t ((n > 0))",
        "CREATE TRIGGER mine BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION refuse()",
        "ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t FORCE ROW LEVEL SECURITY;"
        " CREATE POLICY mine ON t USING (n < 7)",
        "CREATE RULE mine AS ON INSERT TO t DO INSTEAD NOTHING",
        "CREATE TRIGGER mine BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION ignore()",
    ],
)
def test_a_rule_of_somebodys_that_refuses_rows_is_named_without_a_value(
    fresh: Books, rule: str
) -> None:
    fresh.sql(
        "CREATE TABLE allowed (n bigint PRIMARY KEY)", "INSERT INTO allowed VALUES (5), (6)",
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN RAISE EXCEPTION 'not %', NEW.a; END$$",
        "CREATE FUNCTION ignore() RETURNS trigger LANGUAGE plpgsql AS"
        " $$BEGIN RETURN NULL; END$$",
    )  # fmt: skip
    fresh.deliver("f1", b"id,a,n\n1,x,5\n" if "UNIQUE" in rule else FIRST)
    fresh.sql(rule)
    fresh.deliver("f2", SECOND, load=False)

    with pytest.raises(SchemaDrift, match=r"f2\.csv") as caught:
        fresh.load(table=TABLE)
    assert "x2" not in str(caught.value)
    assert not caught.value.reasons  # the file waits, and is not refused for good

    fresh.rebuild()  # the table is a new one, without what was put on it
    assert said(fresh.verify(anew=True)) == ""
    assert fresh.certificate("f2").verdict == "success"


def test_a_column_of_somebodys_that_a_file_brings_is_named_and_the_file_waits(
    fresh: Books,
) -> None:
    fresh.deliver("f1", FIRST)
    fresh.sql("ALTER TABLE t ADD COLUMN w text")
    fresh.deliver("f2", b"id,a,n,w\n3,z,8,q\n", load=False)

    with pytest.raises(SchemaDrift, match="has a column w that no load made"):
        fresh.load(table=TABLE)

    fresh.sql("ALTER TABLE t RENAME COLUMN w TO mine")
    fresh.load(table=TABLE)
    assert fresh.rows("SELECT w FROM t WHERE id = 3") == [("q",)]


def test_an_undo_that_a_foreign_key_forbids_is_refused_and_names_it(fresh: Books) -> None:
    fresh.deliver("f1", FIRST)
    fresh.sql("CREATE TABLE orders (id bigint REFERENCES t)", "INSERT INTO orders VALUES (1)")

    with pytest.raises(UndoRefused, match="orders_id_fkey") as caught:
        fresh.undo("f1", later="refuse")
    assert isinstance(caught.value, SupplylineError)
    assert fresh.rows("SELECT count(*) FROM t") == [(2,)]


def test_a_right_that_was_taken_from_the_role_is_named(fresh: Books) -> None:
    fresh.deliver("f1", FIRST)
    fresh.sql("REVOKE ALL ON t FROM CURRENT_USER")
    fresh.deliver("f2", SECOND, load=False)

    for work in (lambda: fresh.load(table=TABLE), fresh.rebuild):
        with pytest.raises(SchemaDrift, match="permission denied for table t"):
            work()


def test_columns_that_were_taken_back_do_not_refuse_a_file_for_good(fresh: Books) -> None:
    """PostgreSQL counts dropped columns, too, until the table is another one."""
    fresh.deliver("f0", b"id,a\n1,x\n")
    wide = ["id", *(f"c{n}" for n in range(60))]
    content = f"{','.join(wide)}\n{','.join('1' for _ in wide)}\n".encode()
    columns = ", ".join(f"ADD COLUMN d{n} int" for n in range(1550))
    fresh.sql(f"ALTER TABLE t {columns}")
    fresh.sql(f"ALTER TABLE t {columns.replace('ADD', 'DROP').replace(' int', '')}")
    fresh.deliver("f1", content, load=False)

    with pytest.raises(SchemaDrift, match="dropped") as caught:
        fresh.load(table=TABLE)
    assert "supplyline rebuild" in caught.value.advice

    fresh.rebuild()
    assert fresh.certificate("f1").verdict == "success"


def test_a_row_that_landing_holds_twice_is_named_as_that(fresh: Books) -> None:
    fresh.agree(table=TABLE, key=(), key_source="none")
    fresh.deliver("f1", FIRST, load=False)
    with fresh.collection(".t") as rows:
        one = rows.find_one({"_row": 1})
        rows.insert_one({**one, "_id": "by hand"})

    with pytest.raises(SchemaDrift, match=r"holds a row of f1\.csv twice"):
        fresh.load(table=TABLE)
