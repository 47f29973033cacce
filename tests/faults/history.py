"""An organization that lives through random events, and a model of its table that knows no SQL.

The model folds the files that stand, in the order in which they came, into rows and versions. What
it says is compared with the table, its history and the receipts after every event.
"""

from __future__ import annotations

import csv
import io
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from supplyline import retention
from supplyline.contracts import RunRef
from supplyline.errors import SupplylineError
from supplyline.operations import rebuild_table, undo_load
from supplyline.stages import open_landing, run_ingest, run_load, utc_now
from supplyline.storage import Storage
from supplyline.tenancy.catalog import save_table_settings, table_settings
from supplyline.tenancy.connections import connect, session
from supplyline.tenancy.names import rows_collection
from supplyline.verification import verify_table
from tests.faults.house import TABLE, FaultyHouse

COLUMNS = ("id", "a", "n", "d")
_POOL = {
    "a": ("x", "y", "", "Ä b", "null", "007"),
    "n": ("1", "2.50", "2.5", "", "12", "-3", "many"),
    "d": ("2024-01-01", "2024-02-29", "", "2023-12-31", "soon"),
}
_ODD = {"n": 6, "d": 4}
"""From where in the pool values widen a column; few files have one."""

Version = tuple[tuple[str, ...], str, str]


@dataclass
class File:
    columns: list[str]
    rows: list[list[str]]
    text: str
    state: str = "landed"


@dataclass
class History:
    """`files`: in the order of their places; `states`: landed, loaded, undone."""

    house: FaultyHouse
    rng: random.Random
    keyed: bool
    files: dict[str, File] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    lost: bool = False

    def __post_init__(self) -> None:
        self.org, self.settings = self.house.org, self.house.settings
        key, source = (("id",), "configured") if self.keyed else ((), "none")
        with session(self.org, settings=self.settings) as conn:
            decided = replace(table_settings(conn, TABLE), key=key, key_source=source)
            save_table_settings(conn, decided, actor="u")

    # what happens

    def step(self, *, kills: float) -> None:
        """One random event, and the comparison."""
        events = {"put": 5, "load": 5, "undo": 3, "rebuild": 2, "release": 1, "lose": 1}
        (event,) = self.rng.choices(list(events), list(events.values()))
        fault = ""
        if event in ("load", "undo", "rebuild") and self.rng.random() < kills:
            point = {"load": "load.before_commit", "undo": "undo.before_commit"}.get(
                event, "rebuild.before_commit"
            )
            fault = f"{point}:{self.rng.choice((1, 2))}"
        getattr(self, event)(fault)

    def put(self, _fault: str) -> None:
        name = f"f{len(self.files) + 1}"
        file = self._twin() or self._new()
        Storage(self.settings.storage_url).put(
            self.org, file_id=name, name=f"{name}.csv", chunks=[file.text.encode()]
        )
        run = RunRef(run_id=f"ingest-{name}")
        run_ingest(org_id=self.org, table=TABLE, file_id=name, run=run, settings=self.settings)
        self.files[name] = file
        self.told.append(f"put {name}: {file.text!r}")

    def load(self, fault: str) -> None:
        run = f"load-{len(self.told)}"
        if fault:
            code: object = self.house.work("load", fault=fault, run=run)
        else:
            code = self._done(
                lambda: run_load(
                    org_id=self.org, table=TABLE, run=RunRef(run_id=run), settings=self.settings
                )
            )
        self.told.append(f"load {fault}: {code}")
        waiting = [f for f in self.files if self.files[f].state == "landed"]
        whole = [dict.fromkeys(waiting[:n], "loaded") for n in range(len(waiting), -1, -1)]
        self._settle(whole if fault else whole[:1])

    def undo(self, fault: str) -> None:
        standing = self.standing()
        if not standing:
            return
        gone = self.rng.choice(standing)
        how = self.rng.choice(("refuse", "cascade", "replay"))
        after = standing[standing.index(gone) + 1 :]
        if fault:
            more = [] if how == "refuse" else [f"--{how}"]
            process = self.house.command("undo", "--file", gone, *more, fault=fault)
            process.communicate(timeout=120)
            code: object = process.returncode
        else:
            code = self._done(
                lambda: undo_load(
                    self.org, table=TABLE, file_id=gone, later=how, user="u",
                    settings=self.settings,
                )
            )  # fmt: skip
        self.told.append(f"undo {gone} {how} {fault}: {code}")
        undone = {gone: "undone"} | (dict.fromkeys(after, "undone") if how == "cascade" else {})
        if how == "refuse" and after:
            undone = {}
        self._settle([undone, {}] if fault else [undone])

    def rebuild(self, fault: str) -> None:
        if not self.files:
            return
        if fault:
            process = self.house.command("rebuild", fault=fault)
            process.communicate(timeout=120)
        else:
            rebuild_table(self.org, table=TABLE, user="u", settings=self.settings)
        self.told.append(f"rebuild {fault}")
        landed = {f: "loaded" for f in self.files if self.files[f].state == "landed"}
        self._settle([landed, {}] if fault else [landed])

    def release(self, _fault: str) -> None:
        with session(self.org, settings=self.settings) as conn:
            retention.set_landing_days(conn, self.org, 0, actor="u", now=utc_now())
        found = retention.release(self.org, run=RunRef(run_id="r"), settings=self.settings)
        self.told.append(f"release {found['released']}")
        self._settle([{}])

    def lose(self, _fault: str) -> None:
        """Landing loses rows of a file that is loaded; the stored file has them."""
        waiting = {f.text for f in self.files.values() if f.state != "loaded"}
        whole = [f for f in self.standing() if self.files[f].text not in waiting]
        if not whole:
            return
        one = self.rng.choice(whole)
        with open_landing(self.settings) as landing:
            rows = landing._db[rows_collection(self.org, TABLE)]
            self.lost |= rows.delete_many({"_file": one, "_row": {"$gt": 1}}).deleted_count > 0
        self.told.append(f"lost rows of {one}")

    # what is expected

    def standing(self) -> list[str]:
        return [f for f, file in self.files.items() if file.state == "loaded"]

    def expected(self) -> tuple[Counter[tuple[str, ...]], Counter[Version]]:
        """Rows with their file; versions with the files that wrote and replaced them."""
        now: dict[object, tuple[dict[str, str], str]] = {}
        past: Counter[Version] = Counter()
        for name in self.standing():
            file = self.files[name]
            for key, cells in self._last(file).items():
                before, writer = now.get(key, ({}, ""))
                if writer:
                    had = set(self.files[writer].columns)
                    if set(file.columns) <= had and all(before[c] == cells[c] for c in cells):
                        continue
                    past[_texts(before), writer, name] += 1
                now[key] = ({**before, **cells}, name)
        return Counter((*_texts(cells), name) for cells, name in now.values()), past

    def _last(self, file: File) -> dict[object, dict[str, str]]:
        rows = [dict(zip(file.columns, row, strict=True)) for row in file.rows]
        if self.keyed:
            return {row["id"]: row for row in rows}
        return {(file.text, n): row for n, row in enumerate(rows)}

    # what is there

    def actual(self) -> tuple[Counter[tuple[str, ...]], Counter[Version], dict[str, str]]:
        with connect(self.org, settings=self.settings) as conn:
            receipts = conn.execute(
                "SELECT load_id, file_id, undone_at IS NOT NULL FROM supplyline.loads"
            ).fetchall()
            states = {f: "undone" if undone else "loaded" for _, f, undone in receipts}
            if not self.house.table_exists():
                return Counter(), Counter(), states
            of = {load: f for load, f, _ in receipts}
            names = conn.execute(
                "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass"
                " AND attnum > 0 AND NOT attisdropped",
                (TABLE,),
            ).fetchall()
            there = {name for (name,) in names}
            cells = ", ".join(f"coalesce({c}::text, '')" if c in there else "''" for c in COLUMNS)
            rows = conn.execute(f"SELECT {cells}, _load FROM {TABLE}".encode()).fetchall()
            past = conn.execute(
                f"SELECT {cells}, _load, _replaced_by FROM {TABLE}_history".encode()
            ).fetchall()
        return (
            Counter((*row[:-1], of[row[-1]]) for row in rows),
            Counter((tuple(row[:-2]), of[row[-2]], of[row[-1]]) for row in past),
            states,
        )

    def _settle(self, outcomes: list[dict[str, str]]) -> None:
        """One of these changes of states has happened; table and history are as it says."""
        rows, past, states = self.actual()
        known = {f: file.state for f, file in self.files.items()}
        for outcome in outcomes:
            if {f: s for f, s in (known | outcome).items() if s != "landed"} == states:
                for name, state in outcome.items():
                    self.files[name].state = state
                break
        else:
            raise AssertionError(f"{states} is none of {outcomes} after {known}")
        assert (rows, past) == self.expected()

    def verify(self) -> None:
        if self.standing() and not self.lost:
            report = verify_table(self.org, table=TABLE, settings=self.settings, anew=True)
            assert report.holds, report

    # files

    def _twin(self) -> File | None:
        if not self.files or self.rng.random() > 0.1:
            return None
        return replace(self.rng.choice(list(self.files.values())), state="landed")

    def _new(self) -> File:
        columns = ["id", "a", *(c for c in "nd" if self.rng.random() < 0.8)]
        self.rng.shuffle(columns)
        odd = self.rng.random() < 0.2
        rows = [
            [self._cell(column, odd=odd) for column in columns]
            for _ in range(self.rng.choice((0, 1, 2, 4, 8)))
        ]
        text = io.StringIO()
        csv.writer(text).writerows([columns, *rows])
        return File(columns=columns, rows=rows, text=text.getvalue())

    def _cell(self, column: str, *, odd: bool) -> str:
        if column == "id":
            return str(self.rng.randrange(1, 7))
        return self.rng.choice(_POOL[column][: None if odd else _ODD.get(column)])

    def _done(self, work: Callable[[], object]) -> object:
        try:
            work()
        except SupplylineError as error:
            return error.code
        return 0


def _texts(cells: dict[str, str]) -> tuple[str, ...]:
    return tuple(cells.get(c, "") for c in COLUMNS)
