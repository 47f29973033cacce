"""One organization, its storage, and both stages as a person meets them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from dataclasses import replace as changed
from typing import Any

import pytest

from supplyline.contracts import Certificate, OrgId, ParseOptions, QuarantinedRow, RunRef
from supplyline.ingest import corrections
from supplyline.load import certificates
from supplyline.settings import Settings
from supplyline.stages import open_landing, run_ingest, run_load
from supplyline.storage import Storage
from supplyline.tenancy.catalog import save_table_settings, table_settings
from supplyline.tenancy.connections import session
from supplyline.tenancy.names import parse_table_name


@dataclass
class Shop:
    org: OrgId
    settings: Settings
    runs: int = field(default=0)

    @property
    def storage(self) -> Storage:
        return Storage(self.settings.storage_url)

    def run(self) -> RunRef:
        self.runs += 1
        return RunRef(run_id=f"run-{self.runs}", user_id="alice")

    def put(self, file_id: str, text: str | bytes, *, name: str = "sales.csv", **said: Any) -> None:
        content = text.encode() if isinstance(text, str) else text
        stored = self.storage.put(self.org, file_id=file_id, name=name, chunks=[content])
        if said:
            self.storage.describe(stored, **said)

    def ingest(self, file_id: str, *, table: str = "sales") -> Mapping[str, Any]:
        return run_ingest(
            org_id=self.org, table=table, file_id=file_id, run=self.run(), settings=self.settings
        )

    def load(self, *, table: str = "sales") -> Mapping[str, Any]:
        return run_load(org_id=self.org, table=table, run=self.run(), settings=self.settings)

    def agree(self, *, table: str = "sales", **parts: Any) -> None:
        with session(self.org, settings=self.settings) as conn:
            known = table_settings(conn, parse_table_name(table))
            save_table_settings(conn, changed(known, **parts), actor="alice")

    def quarantine(self, file_id: str, *, open_only: bool = True) -> list[QuarantinedRow]:
        with open_landing(self.settings) as landing:
            return list(landing.quarantined(self.org, file_id=file_id, open_only=open_only))

    def certificate(self, file_id: str) -> Certificate:
        with session(self.org, settings=self.settings) as conn:
            return certificates(conn, file_id=file_id)[0]

    def corrected(self, file_id: str, changes: dict[int, dict[str, str]]) -> str:
        """The quarantine as it is downloaded, some cells changed, as a spreadsheet saves it."""
        with open_landing(self.settings) as landing:
            manifest = landing.manifest(self.org, file_id)
            rows = list(landing.quarantined(self.org, file_id=file_id, open_only=True))
        assert manifest is not None
        names = corrections.header([c["name"] for c in manifest.layout["columns"]])
        out = io.StringIO()
        writer = csv.writer(out, delimiter=";")
        writer.writerow(names)
        for row in rows:
            line = dict(zip(names, corrections.line(row, layout=manifest.layout), strict=True))
            line.update(changes.get(row.row, {}))
            writer.writerow(line.values())
        return out.getvalue()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with session(self.org, settings=self.settings) as conn:
            return conn.execute(query.encode()).fetchall()


@pytest.fixture
def shop(new_org: Callable[..., OrgId], engine_settings: Settings) -> Iterator[Shop]:
    org = new_org()
    yield Shop(org, engine_settings)
    with open_landing(engine_settings) as landing:
        landing.erase(org)


__all__ = ["ParseOptions", "Shop"]
