"""What `--verbose` shows: each connection, request and command with its time, and no secret."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from django.db import connection
from pymongo import monitoring

from backend.airflow_client import Exchange
from supplyline.settings import Settings


def places(settings: Settings) -> list[str]:
    """Where each service is asked; passwords and options of addresses are left out."""
    mongo = re.sub(r"//(?:[^@/]*@)?", "//", settings.mongo_uri).split("?")[0]
    return [
        f"airflow     {settings.airflow_api_base} as {settings.airflow_username}, password ***",
        f"postgresql  {settings.pg_host}:{settings.pg_port} as {settings.app_db_user}, password"
        f" ***; control database {settings.control_db}, organizations {settings.pg_db_prefix}*",
        f"mongodb     {mongo}, database {settings.mongo_database}",
    ]


class Watch(monitoring.CommandListener, logging.Handler):
    """Collects lines while it is entered: Airflow, MongoDB, PostgreSQL, the control database."""

    def __init__(self) -> None:
        logging.Handler.__init__(self, level=logging.DEBUG)
        self.lines: list[str] = []
        self._statements, self._seconds = 0, 0.0
        self._wrapper: Any = None

    def __enter__(self) -> Watch:
        monitoring.register(self)
        connecting = logging.getLogger("supplyline.tenancy.connections")
        connecting.setLevel(logging.DEBUG)
        connecting.addHandler(self)
        connecting.propagate = False
        self._wrapper = connection.execute_wrapper(self._control)
        self._wrapper.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._wrapper.__exit__(kind, error, at)
        connecting = logging.getLogger("supplyline.tenancy.connections")
        connecting.removeHandler(self)
        connecting.propagate = True
        if self._statements:
            self.lines.append(
                f"  control database: {self._statements} statements in"
                f" {self._seconds * 1000:.0f} ms"
            )

    def airflow(self, exchange: Exchange) -> None:
        self.lines.append(
            f"  {exchange.method} {exchange.url} -> {exchange.status or exchange.error}"
            f" in {exchange.seconds * 1000:.0f} ms"
        )

    def emit(self, record: logging.LogRecord) -> None:
        """A connection to an organization's database."""
        self.lines.append(f"  postgresql {record.getMessage()}")

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Only ended commands are shown."""

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        self.lines.append(
            f"  mongodb {event.command_name} in {event.duration_micros / 1000:.0f} ms"
        )

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        self.lines.append(
            f"  mongodb {event.command_name} failed after {event.duration_micros / 1000:.0f} ms"
        )

    def _control(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        began = time.perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            self._statements += 1
            self._seconds += time.perf_counter() - began
