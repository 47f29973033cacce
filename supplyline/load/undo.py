"""Taking loads back, exactly: rows, values, history and the shape of the table as they were before.

Promises: what a load added, replaced, moved to history, created, added as a column or widened is
put back, all in one transaction, or nothing is (P5); audited with it (P9). A load that later ones
rest on is not taken back behind their back: it is refused, or the later ones go too (`cascade`),
or they are taken back and loaded again without it (`replay`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

import psycopg
from psycopg import sql

from supplyline.audit import events
from supplyline.contracts import Json, Manifest, OrgId, RunRef, TableName
from supplyline.errors import LoadNotFound, UndoRefused
from supplyline.faults import reach
from supplyline.load import records, schema, types
from supplyline.load.again import require_same_rows, standing_loads, times
from supplyline.load.empties import restore_empties
from supplyline.load.exclusive import take_exclusively
from supplyline.load.form import require_whole
from supplyline.load.keys import ROW_OF_FILE, primary_key
from supplyline.load.kinds import TEXT, read_alike
from supplyline.load.others import rule_of_others
from supplyline.load.pipeline import Stream, load_within, lock_table
from supplyline.load.schema import HIDDEN
from supplyline.tenancy.catalog import save_table_settings, table_settings
from supplyline.tenancy.connections import Connection

Later = Literal["refuse", "cascade", "replay"]


@dataclass(frozen=True, kw_only=True)
class Landed:
    """Where the rows of later files are, to load them again. `manifests` by file id, asked once no
    other load of the table can come between."""

    manifests: Callable[[], Mapping[str, Manifest]]
    stream: Stream


def undo(
    org: OrgId,
    *,
    conn: Connection,
    table: TableName,
    file_id: str,
    run: RunRef,
    now: datetime,
    later: Later = "refuse",
    landed: Landed | None = None,
) -> Json:
    """Takes back the load of a file. `landed` is needed for `later="replay"`.

    Answers `{table, file_id, undone: [file ids], replayed: [file ids], removed, restored, kept}`;
    `kept`: changes of the table's shape that something else rests on, such as a view of somebody's.
    With `replay`, corrections of the file's rows are undone with it.
    A file keeps its receipt, marked as undone: it is not loaded again by itself. Raises
    LoadNotFound, UndoRefused, and LandingDamaged when a later file's rows are not there as they
    were.
    """
    with conn.transaction():
        lock_table(conn, table)
        chain = records.loads_since(conn, table, file_id)
        if not chain:
            raise LoadNotFound(f"No load of the file {file_id} into {table} can be undone.")
        after = [one for _, one in chain if one != file_id]
        if after and later == "refuse":
            raise _refusal(table, file_id, after)
        known = landed.manifests() if landed and later == "replay" else {}
        if later == "replay":
            _require_landed(after, known)
        require_whole(conn, table)
        before = standing_loads(conn, table)
        shapes = [records.shape(conn, load_id) for load_id, _ in chain]
        rekeyed = any(shape.get("key_before") is not None for shape in shapes)
        counts: Json = {"removed": 0, "restored": 0, "kept": []}
        for load_id, one in chain:  # the newest first
            for name, value in _taken_back(conn, table, load_id, file_id=one).items():
                counts[name] += value
            reach("undo.taken_back")
        replayed = _to_replay(conn, file_id, after) if later == "replay" else []
        undone = [one for _, one in chain if one not in replayed]
        for load_id, one in chain:
            if one in undone:
                records.mark_undone(conn, load_id, now)
        if not replayed and (rekeyed or not standing_loads(conn, table)):
            _forget_proposed_key(conn, table, run, now)
        answer = {"table": table, "file_id": file_id, "undone": undone, "replayed": replayed}
        events.append(
            conn,
            org=org,
            kind="load.undone",
            actor=run.user_id,
            subject=table,
            detail={**answer, **counts},
            run_id=run.run_id,
            correlation_id=run.correlation_id,
            now=lambda: now,
        )
        for one in replayed:
            records.forget_load(conn, one)
        if landed is not None:
            loaded_at = times(replayed, before, now=now)
            for one in replayed:
                manifest = known[one]
                rows = landed.stream(manifest)
                certificate = load_within(
                    org, conn=conn, manifest=manifest, batches=rows, run=run, now=now,
                    loaded_at=loaded_at[one], accepted=before[one].policy,
                )  # fmt: skip
                require_same_rows(certificate, before)
        records.check_claimed(conn, run)
        reach("undo.before_commit")
    reach("undo.after_commit")
    return {**answer, **counts}


def _to_replay(conn: Connection, file_id: str, after: Sequence[str]) -> list[str]:
    """The later files in their order; corrections of the file go with it, unless the same content
    stands in another file."""
    rows = conn.execute(
        "SELECT l.file_id FROM supplyline.loads l WHERE l.file_id = ANY (%(after)s)"
        " AND (l.replay_of IS DISTINCT FROM %(f)s OR EXISTS (SELECT FROM supplyline.loads o"
        " JOIN supplyline.loads t USING (file_key) WHERE o.file_id = %(f)s AND t.file_id <> %(f)s"
        " AND t.undone_at IS NULL)) ORDER BY l.sequence, l.ordinal",
        {"after": list(after), "f": file_id},
    ).fetchall()
    return [one for (one,) in rows]


def _refusal(table: str, file_id: str, after: Sequence[str]) -> UndoRefused:
    some = ", ".join(after[:5]) + (", ..." if len(after) > 5 else "")
    return UndoRefused(
        f"The file {file_id} is not the newest load of {table}: {len(after)} later"
        f" {'loads rest' if len(after) > 1 else 'load rests'} on it ({some}).",
        next_step="With --replay the later files are loaded again without it; with --cascade they"
        " are undone too.",
        file_id=file_id,
    )


def _require_landed(after: Sequence[str], known: Mapping[str, Manifest]) -> None:
    if missing := [one for one in after if one not in known]:
        raise UndoRefused(
            f"The landed rows of {', '.join(missing)} are not there, so that these files cannot be"
            " loaded again.",
            next_step="Use --cascade, and upload those files again.",
        )


def _taken_back(conn: Connection, table: TableName, load_id: str, *, file_id: str) -> Json:
    try:
        return _take_back(conn, table, load_id)
    except psycopg.Error as error:
        if rule := rule_of_others(error):
            raise UndoRefused(
                f"The load of {file_id} cannot be taken back: {rule}.",
                next_step=f"Drop or change what somebody put on {table} there, then repeat this.",
                file_id=file_id,
            ) from error
        raise


def _take_back(conn: Connection, table: TableName, load_id: str) -> Json:
    current, history = sql.Identifier("public", table), sql.Identifier("public", f"{table}_history")
    names = sql.SQL(", ").join(map(sql.Identifier, [*types.remembered(conn, table), *HIDDEN]))
    removed = conn.execute(
        sql.SQL("DELETE FROM {} WHERE _load = {}").format(current, sql.Literal(load_id))
    ).rowcount
    restored = conn.execute(
        sql.SQL(
            "WITH back AS (DELETE FROM {h} WHERE _replaced_by = {l} RETURNING {n})"
            " INSERT INTO {t} ({n}) SELECT {n} FROM back"
        ).format(h=history, l=sql.Literal(load_id), n=names, t=current)
    ).rowcount
    kept = _reshape(conn, table, records.shape(conn, load_id))
    return {"removed": removed, "restored": restored, "kept": kept}


def _reshape(conn: Connection, table: TableName, shape: Json) -> list[str]:
    """Takes back what a load did to the table's shape; answers what had to stay, and why."""
    relations, kept = (table, f"{table}_history"), []
    before = shape.get("key_before")
    if before is not None or any(shape.get(what) for what in ("created", "added", "changed")):
        take_exclusively(conn, relations)
    if shape.get("created"):
        if _tried(conn, [_drop(relation) for relation in relations]):
            conn.execute("DELETE FROM supplyline.column_types WHERE table_name = %s", (table,))
        else:
            kept.append(f"table {table}: something else rests on it")
        return kept
    if before is not None and not _tried(conn, _key_back(conn, table, tuple(before))):
        kept.append("the key: something else rests on it")
    for column in shape.get("added", {}):
        if _tried(conn, [_drop_column(relation, column) for relation in relations]):
            conn.execute(
                "DELETE FROM supplyline.column_types WHERE table_name = %s AND column_name = %s",
                (table, column),
            )
        else:
            kept.append(f"column {column}: something else rests on it")
    for column, (before, after, remark) in shape.get("changed", {}).items():
        ddl = [schema.retype(r, column, before=after, after=before) for r in relations]
        if not read_alike(before, after) and not _tried(conn, ddl):
            kept.append(f"type {after} of {column}: something else rests on it")
            continue
        if before == TEXT:
            restore_empties(conn, table, column)
        types.remember(conn, table, {column: before}, {column: remark})
    return kept


def _key_back(conn: Connection, table: TableName, before: tuple[str, ...]) -> list[sql.Composed]:
    """DDL: the primary key that a table without rows had before; columns may be empty again."""
    name, columns = primary_key(conn, table)
    *drop, add = schema.rekey(table, name, before)
    nullable = [
        sql.SQL("ALTER TABLE {} ALTER {} DROP NOT NULL").format(
            sql.Identifier("public", table), sql.Identifier(column)
        )
        for column in columns
        if column not in ROW_OF_FILE
    ]
    return [*drop, *nullable, add]


def _tried(conn: Connection, statements: Sequence[sql.Composed]) -> bool:
    """Runs them all, or none when a view or the like depends on what they change."""
    try:
        with conn.transaction():
            for statement in statements:
                conn.execute(statement)
    except (
        psycopg.errors.DependentObjectsStillExist,
        psycopg.errors.FeatureNotSupported,  # the type of a column that a view uses
        psycopg.DataError,  # a value that was put there by hand
    ):
        return False
    return True


def _drop(relation: str) -> sql.Composed:
    return sql.SQL("DROP TABLE {}").format(sql.Identifier("public", relation))


def _drop_column(relation: str, column: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} DROP COLUMN {}").format(
        sql.Identifier("public", relation), sql.Identifier(column)
    )


def _forget_proposed_key(conn: Connection, table: TableName, run: RunRef, now: datetime) -> None:
    """A key that was proposed from the file that is gone is proposed anew from the next."""
    settings = table_settings(conn, table)
    if settings.key_source != "configured":
        fresh = replace(settings, key=None, key_source="")
        save_table_settings(conn, fresh, actor=run.user_id, run_id=run.run_id, now=lambda: now)
