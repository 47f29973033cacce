"""DataPipelineManager: the pipeline for scripts and commands. A facade without logic of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.utils import timezone

from backend.accounts.access import existing_org
from backend.accounts.models import Organization
from backend.airflow_client import AirflowClient, Exchange
from backend.files.services import require_upload
from backend.runs import selectors
from backend.runs.beat import NEXT_STEP, is_silent
from backend.runs.models import Run
from backend.runs.services import FORECAST, INGEST, LOAD, request_run
from supplyline import overview
from supplyline import settings as supplyline_settings
from supplyline.errors import SupplylineError
from supplyline.settings import Settings
from supplyline.tenancy.names import parse_client_id, parse_org_id, parse_table_name


class DataPipelineManager:
    """Every method checks its organization and raises SupplylineError with a next step.

    `observe` is told of each request to Airflow, without secrets.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        *,
        observe: Callable[[Exchange], None] | None = None,
    ) -> None:
        self.settings = settings or supplyline_settings.get()
        self._observe = observe

    def airflow(self, *, timeout: float = 5.0) -> AirflowClient:
        return AirflowClient.of(self.settings, timeout=timeout, observe=self._observe)

    def trigger_enhanced_ingest_dag(
        self,
        org_id: str,
        *,
        table: str,
        file_id: str,
        user_id: str = "system",
        triggered_by: str = "command",
        idempotency_key: str | None = None,
    ) -> dict[str, Any]:
        """Starts the ingest of an uploaded file into the table that it was uploaded for.

        Raises FileNotStored, InvalidPayload, OrganizationNotFound.
        """
        org, name = existing_org(org_id), parse_table_name(table)
        require_upload(org, file_id=file_id, table=name)
        conf = {
            "org_id": str(org),
            "table": str(name),
            "file_id": file_id,
            "user_id": user_id,
            "triggered_by": triggered_by,
        }
        return self._trigger(org, INGEST, conf, user_id, idempotency_key)

    def trigger_postgres_load_dag(
        self,
        org_id: str,
        *,
        table: str,
        user_id: str = "system",
        triggered_by: str = "command",
        idempotency_key: str | None = None,
    ) -> dict[str, Any]:
        """Starts the load of a table's landed files."""
        org = existing_org(org_id)
        conf = {
            "org_id": str(org),
            "table": str(parse_table_name(table)),
            "triggered_by": triggered_by,
        }
        return self._trigger(org, LOAD, conf, user_id, idempotency_key)

    def trigger_forecast_dag(
        self, client_id: str, *, user_id: str = "system", idempotency_key: str | None = None
    ) -> dict[str, Any]:
        """Starts the forecast; `client_id` is `org_123` or `123`."""
        org = existing_org(parse_client_id(client_id))
        return self._trigger(org, FORECAST, {"client_id": f"org_{org}"}, user_id, idempotency_key)

    def _trigger(
        self, org: Any, dag_id: str, conf: dict[str, Any], user_id: str, key: str | None
    ) -> dict[str, Any]:
        run = request_run(
            org, dag_id=dag_id, conf=conf, user_id=user_id, source="command", idempotency_key=key
        )
        return selectors.describe(run)

    def run_status(self, dag_id: str, dag_run_id: str) -> dict[str, Any]:
        """One run with its tasks, as Airflow knows it now."""
        run = selectors.run_of(None, dag_id=dag_id, dag_run_id=dag_run_id)
        with self.airflow() as client:
            return selectors.run_detail(run, client=client)

    def get_organization_status(self, org_id: str) -> dict[str, Any]:
        """Stages, tables, certificates, freshness and what to do next."""
        org = existing_org(org_id)
        return selectors.pipeline_status(org, settings=self.settings, now=timezone.now())

    def get_overall_status(self) -> dict[str, Any]:
        """Airflow's health, whether a relay is at work and, per organization, its stages."""
        try:
            with self.airflow() as client:
                airflow: dict[str, Any] = {"components": client.health().components}
                airflow["dags"] = {
                    dag: {"paused": client.get_dag(dag).is_paused}
                    for dag in (INGEST, LOAD, FORECAST)
                }
        except SupplylineError as error:
            airflow = {"code": error.code, "detail": error.detail, "next_step": error.advice}
        rows = Organization.objects.filter(state=Organization.State.ACTIVE).order_by("id")
        ids = list(rows.values_list("id", flat=True))
        away = overview.landing_away(self.settings) if ids else None
        organizations = [
            selectors.pipeline_status(
                parse_org_id(org), settings=self.settings, now=timezone.now(), away=away
            )
            for org in ids
        ]
        return {
            "airflow": airflow,
            "relay": {"silent": True, "next_step": NEXT_STEP} if is_silent() else {"silent": False},
            "unfinished_runs": Run.objects.filter(state__in=Run.UNFINISHED).count(),
            "organizations": organizations,
        }

    def generate_quality_report(self, org_id: str, *, table: str, days: int = 7) -> dict[str, Any]:
        """How good a table's data is, and was over the last `days` days."""
        return overview.quality_report(
            existing_org(org_id),
            table=table,
            days=days,
            settings=self.settings,
            now=timezone.now(),
        )

    def get_audit_trail(
        self, org_id: str, *, limit: int = 50, before: int | None = None
    ) -> dict[str, Any]:
        """The newest events (before a number), and whether the chain holds."""
        org = existing_org(org_id)
        return overview.audit_trail(org, settings=self.settings, limit=limit, before=before)
