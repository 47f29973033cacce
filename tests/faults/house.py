"""An organization under faults, and the one checker that asserts every promise afterwards."""

from __future__ import annotations

import csv
import io
import os
import random
import secrets
from collections import Counter
from dataclasses import dataclass, field

from supplyline.audit import chain
from supplyline.contracts import OrgId
from supplyline.load import certificates, verify
from supplyline.settings import Settings
from supplyline.stages import open_landing
from supplyline.storage import Storage
from supplyline.tenancy.connections import connect
from supplyline.tenancy.names import parse_org_id, parse_table_name, rows_collection
from supplyline.tenancy.provisioning import provision
from tests.forked import Forked

TABLE = parse_table_name("movements")
HEADER = ("code", "place", "quantity", "note")

Row = tuple[str, ...]


def start_module(module: str, *arguments: str, env: dict[str, str], fault: str) -> Forked:
    """Starts a module that is killed, or stopped, when it comes to the point `fault`."""
    told = {"SUPPLYLINE_FAULT": fault} if fault else {}
    return Forked(module, *arguments, env={**os.environ, **env, **told})


@dataclass
class FaultyHouse:
    settings: Settings
    env: dict[str, str]
    org: OrgId = field(default_factory=lambda: parse_org_id(f"x{secrets.token_hex(4)}"))
    written: dict[str, list[Row]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        provision(self.org, settings=self.settings)

    def upload(self, rows: list[Row], *, name: str = "movements.csv") -> str:
        """Puts a file into storage; the answer is its id."""
        text = io.StringIO()
        csv.writer(text).writerows([HEADER, *rows])
        file_id = f"f{len(self.written) + 1}"
        Storage(self.settings.storage_url).put(
            self.org, file_id=file_id, name=name, chunks=[text.getvalue().encode()]
        )
        self.written[file_id] = rows
        return file_id

    def start(
        self, stage: str, *files: str, fault: str = "", run: str = "run", attempt: int = 1
    ) -> Forked:
        place = (stage, self.org, TABLE, run, str(attempt))
        return start_module("tests.faults.worker", *place, *files, env=self.env, fault=fault)

    def command(self, name: str, *arguments: str, fault: str = "") -> Forked:
        """Starts one of the operator's commands on the table."""
        place = (name, "--org", self.org, "--table", TABLE)
        return start_module("supplyline.cli", *place, *arguments, env=self.env, fault=fault)

    def work(
        self, stage: str, *files: str, fault: str = "", run: str = "run", attempt: int = 1
    ) -> int:
        """Runs a stage to its end or its death; answers the exit code (-9: killed)."""
        process = self.start(stage, *files, fault=fault, run=run, attempt=attempt)
        return process.wait(120)

    def current_rows(self) -> Counter[Row]:
        columns = ", ".join(f"coalesce({c}::text, '')" for c in HEADER)
        with connect(self.org, settings=self.settings) as conn:
            return Counter(conn.execute(f"SELECT {columns} FROM {TABLE}".encode()).fetchall())

    def table_exists(self) -> bool:
        with connect(self.org, settings=self.settings) as conn:
            row = conn.execute("SELECT to_regclass(%s) IS NOT NULL", (f"public.{TABLE}",))
            return bool((row.fetchone() or (False,))[0])

    def check(self, *, expected: Counter[Row]) -> None:
        """P3 to P7 and P9 in one: what was written is there once, accounted for, unbroken."""
        # P7, P5, P4: the text of every row, exactly as often as it should be there.
        assert self.current_rows() == expected
        with (
            open_landing(self.settings) as landing,
            connect(self.org, settings=self.settings) as conn,
        ):
            manifests = landing.manifests(self.org, table=TABLE)
            # P3: every row of every file at every stage.
            assert {m.file_id for m in manifests} == set(self.written)
            for manifest in manifests:
                rows = self.written[manifest.file_id]
                assert (manifest.state, manifest.rows_read) == ("closed", len(rows))
                assert manifest.landed + manifest.quarantined + manifest.duplicate == len(rows)
                (certificate,) = certificates(conn, file_id=manifest.file_id)
                assert certificate.verdict == "success", certificate.differences
                assert len(rows) == sum(
                    getattr(certificate, fate)
                    for fate in ("inserted", "updated", "unchanged", "superseded", "rejected")
                )
                again = verify(
                    conn, manifest=manifest, stream=lambda m: landing.stream(self.org, manifest=m)
                )
                assert again.differences == ()
            # P4: nothing is landed twice.
            contents = {m.file_key: m.rows_read for m in manifests}
            documents = landing._db[rows_collection(self.org, TABLE)].count_documents({})
            assert documents == sum(contents.values())
            # P6, P9: one receipt and one event for each file, and the chain holds.
            events = conn.execute(
                "SELECT detail ->> 'file_id' FROM supplyline.audit_events"
                " WHERE kind = 'load.published'"
            ).fetchall()
            assert sorted(e[0] for e in events) == sorted(self.written)
            assert chain.verify(conn).ok


HOSTILE = ("", " ", "00123", "1_000", "1E5", "NaN", "null", "Ä\u2028€", '"', "a\nb", "0.10", "-0")


def random_rows(seed: int, *, count: int) -> list[Row]:
    """Rows without a key: codes repeat, and notes are ugly."""
    rng = random.Random(seed)
    return [
        (f"c{rng.randrange(50)}", rng.choice("AB"), str(rng.randrange(9)), rng.choice(HOSTILE))
        for _ in range(count)
    ]
