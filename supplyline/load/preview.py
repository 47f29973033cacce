"""What loading a file would do to its table, without doing it.

Promises: nothing is changed; the file is staged in a transaction that is always rolled back, and no
lock is taken that a reader or a load would wait for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pyarrow as pa

from supplyline.contracts import Json, Manifest
from supplyline.load import planning, schema
from supplyline.load.exclusive import hold_shape
from supplyline.load.form import require_whole
from supplyline.load.keys import actual_key, disagreement, is_key, is_open
from supplyline.load.own_fault import own_fault
from supplyline.load.quarantine import misfits_by_reason
from supplyline.load.staging import stage
from supplyline.load.types import Evidence, remembered
from supplyline.tenancy.catalog import table_settings
from supplyline.tenancy.connections import Connection

_PATIENCE_S = 10
"""For a load that is changing the table: somebody waits for the answer."""


def preview(
    conn: Connection,
    *,
    manifest: Manifest,
    batches: Iterator[pa.RecordBatch],
    key_candidates: Callable[[Sequence[str]], Sequence[tuple[str, ...]]] = lambda _: (),
) -> Json:
    """The statements that would run, every column's kind before and after, and rows set aside.

    `{table, file_id, file_name, policy, rows, creates_table, key, columns: [{name, before, after,
    change, remark}], ddl: [...], refused, set_aside, reasons: [{reason, rows}]}`. Raises
    FileNotLoaded for a row that no table holds.
    """
    columns = manifest.columns
    hold_shape(conn, manifest.table, patience_s=_PATIENCE_S)
    require_whole(conn, manifest.table)
    with own_fault(manifest) as fault, conn.transaction(force_rollback=True):
        there = remembered(conn, manifest.table)
        evidence = Evidence(columns, known=there, source=manifest.name)
        staged = stage(conn, columns=columns, batches=fault.watched(batches), evidence=evidence)
        settings, differs = table_settings(conn, manifest.table), ""
        actual: tuple[str, ...] | None = None
        if schema.exists(conn, manifest.table):
            actual = actual_key(conn, manifest.table)
            known = there
        else:
            known = {}
        if actual is not None and not is_open(conn, settings, actual):
            key = actual
            differs = disagreement(settings, key)
        elif settings.key is not None:
            key = settings.key
        else:
            key = _proposed(conn, key_candidates(columns))
        lacking = [c for c in key if c not in columns]
        plan = planning.plan(
            conn,
            table=manifest.table,
            columns=columns,
            evidence=evidence,
            settings=settings,
            key=[c for c in key if c in columns],
            rekeyed=actual is not None and key != actual,
            replay=bool(manifest.replay_of),
        )
        reasons = misfits_by_reason(conn, plan)
        refused = differs or (plan.refusal.detail if plan.refusal else "")
        if lacking and not refused:
            refused = f"The key column {lacking[0]} is missing."
        return {
            "table": manifest.table,
            "file_id": manifest.file_id,
            "file_name": manifest.name,
            "policy": settings.drift,
            "rows": staged.rows,
            "creates_table": plan.created,
            "key": list(key),
            "columns": [
                _column(c, known.get(c), plan) for c in (*columns, *sorted({*known} - {*columns}))
            ],
            "ddl": [] if refused else [s.as_string(conn) for s in plan.statements()],
            "refused": refused,
            "set_aside": sum(rows for _, rows in reasons),
            "reasons": [{"reason": reason, "rows": rows} for reason, rows in reasons],
        }


def _proposed(conn: Connection, candidates: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    return next((k for k in candidates if is_key(conn, k)), ())


def _column(name: str, before: str | None, plan: schema.Plan) -> Json:
    change = "none"
    if name in plan.barred:
        change = "not taken"
    elif before is None:
        change = "new"
    elif name not in plan.types:
        change = "missing"
    elif name in plan.changed:
        change = "changed"
    return {
        "name": name,
        "before": before,
        "after": plan.types.get(name),
        "change": change,
        "remark": plan.remarks.get(name, ""),
    }
