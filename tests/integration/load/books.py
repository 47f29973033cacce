"""A table `t` keyed by `id`, the files that it is loaded from, and what can be asked of it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from pymongo import MongoClient

from supplyline.operations import rebuild_table, undo_load
from supplyline.settings import Settings
from supplyline.tenancy.connections import session
from supplyline.tenancy.names import parse_org_id, parse_table_name
from supplyline.tenancy.provisioning import provision
from supplyline.verification import Report, verify_table
from tests.integration.ingest.conftest import Shop

TABLE = parse_table_name("t")
FILES = {
    "a": b"id,a,n,d\n1,x,1.5,2024-01-01\n2,y,2.50,2024-01-02\n3,z,,\n",
    "b": b"id,a,n,d\n1,x2,1.50,2024-01-01\n4,w,9,2024-01-04\n",
    "c": b"id,a\n1,x3\n2,y2\n5,v\n",
    "d": b"id,a,n,d\n2,y,many,2024-01-02\n3,z,3\n6,b\x00,1,\n",
}
"""A plain file, a correction, one without two of the columns, and one that widens `n`, has a short
row and a row that is set aside."""


class Books(Shop):
    """An organization with this table."""

    def deliver(self, file_id: str, content: bytes, *, load: bool = True) -> None:
        self.put(file_id, content, name=f"{file_id}.csv")
        self.ingest(file_id, table=TABLE)
        if load:
            self.load(table=TABLE)

    def undo(self, file_id: str, *, later: Literal["refuse", "replay"]) -> None:
        undo_load(
            self.org, table=TABLE, file_id=file_id, later=later, user="u", settings=self.settings
        )

    def rebuild(self) -> None:
        rebuild_table(self.org, table=TABLE, user="u", settings=self.settings)

    def verify(self, **more: Any) -> Report:
        return verify_table(self.org, table=TABLE, settings=self.settings, **more)

    def sql(self, *statements: str) -> None:
        with session(self.org, settings=self.settings) as conn:
            for statement in statements:
                conn.execute(statement.encode())

    def path(self, file_id: str) -> Path:
        return Path(self.storage.find(self.org, file_id).url)

    @contextmanager
    def collection(self, name: str) -> Iterator[Any]:
        client: MongoClient = MongoClient(self.settings.mongo_uri)
        yield client[self.settings.mongo_database][f"{self.org}{name}"]
        client.close()


def opened(settings: Settings) -> Books:
    org = parse_org_id(f"v{secrets.token_hex(4)}")
    provision(org, settings=settings)
    books = Books(org, settings)
    books.agree(table=TABLE, key=("id",), key_source="configured")
    return books


def said(report: Report) -> str:
    """Everything that differs, in one text."""
    files = [d for one in report.files for d in one.differences]
    return "; ".join([*files, *report.table, *report.trail, *report.missing, *(report.anew or [])])
