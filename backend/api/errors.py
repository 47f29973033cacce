"""Errors of the front door itself."""

from __future__ import annotations

from typing import Any

from supplyline.errors import Terminal

_NAMED = "Correct what is named; /api/schema/ describes every request."
"""The next step where no field has an error of its own."""


class InvalidPayload(Terminal):
    """`errors` maps each wrong field to its sentences."""

    code = "invalid_payload"
    next_step = "Correct the fields that `errors` names; /api/schema/ describes every payload."

    def __init__(
        self, detail: str, *, errors: dict[str, Any] | None = None, next_step: str | None = None
    ) -> None:
        super().__init__(detail, next_step=next_step or (None if errors else _NAMED))
        self.errors = errors or {}


class IdempotencyKeyReused(Terminal):
    code = "idempotency_key_reused"
    next_step = "Use a new Idempotency-Key for a new request; repeat an old one unchanged."


class RunNotFound(Terminal):
    code = "run_not_found"
    next_step = "Check dag_id and dag_run_id; GET /api/airflow/status/<dag_id>/ lists your runs."


class UnknownDag(Terminal):
    code = "unknown_dag"
    next_step = (
        "Known are enhanced_org_aware_ingest_dag, enhanced_mongo_to_postgres_dag, "
        "forecast_inventory_dag and ingest_csv_to_mongo_dag."
    )


class UnknownFileType(Terminal):
    code = "unknown_file_type"
    next_step = "Ask for csv or xlsx."


class UnknownHost(Terminal):
    code = "unknown_host"
    next_step = "Add the name to SUPPLYLINE_ALLOWED_HOSTS."
