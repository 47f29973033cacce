"""Scores importers on the Pollock benchmark of polluted CSV files, all in one run.

    python benchmarks/pollock.py --archive ../shared/data/pollock/polluted_files.tar.xz

Measures as published (Vitagliano et al., "Pollock: A Data Loading Benchmark", VLDB 2023): success,
and precision, recall and F1 of header, records and cells as multisets; the simple score is the sum
of the ten means over all files, the weighted one weighs each file by how common its pollution is.
Records and header are compared after normalising each cell: numbers by value, text without case.
(The published code also folds spellings of dates and prices; here these must match as text, which
is stricter for everyone.) No importer is told anything about a file; peers that are not installed
(`benchmarks/requirements.txt`) are named and left out.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import io
import json
import statistics
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
csv.field_size_limit(1 << 30)
Rows = list[list[str]]
Importer = Callable[[Path], Rows]


def supplyline(path: Path) -> Rows:
    from supplyline.ingest import open_file
    from supplyline.ingest.commands import SetAside, write_csv

    with path.open("rb") as source, SetAside() as aside:
        out = io.StringIO()
        write_csv(open_file(source, name="file.csv"), out, aside)
    return list(csv.reader(io.StringIO(out.getvalue())))


def python_csv(path: Path) -> Rows:
    with path.open(newline="", encoding="utf-8") as source:
        return list(csv.reader(source))


def python_sniffer(path: Path) -> Rows:
    text = path.read_text("utf-8")
    if not text:
        return []
    return list(csv.reader(io.StringIO(text, newline=""), csv.Sniffer().sniff(text)))


def pandas(path: Path) -> Rows:
    import pandas as pd

    if not path.stat().st_size:
        return []
    frame = pd.read_csv(
        path, sep=None, engine="python", header=None, dtype=str, keep_default_na=False,
        on_bad_lines="warn",
    )  # fmt: skip
    return frame.fillna("").to_numpy().tolist()


def polars(path: Path) -> Rows:
    import polars as pl

    if not path.stat().st_size:
        return []
    frame = pl.read_csv(
        path, has_header=False, infer_schema=False, truncate_ragged_lines=True, ignore_errors=True
    )
    return [["" if v is None else v for v in row] for row in frame.rows()]


def duckdb(path: Path) -> Rows:
    import duckdb as db

    if not path.stat().st_size:
        return []
    found = db.execute(
        "SELECT * FROM read_csv(?, all_varchar=true, header=false, ignore_errors=true)", [str(path)]
    ).fetchall()
    return [["" if v is None else v for v in row] for row in found]


def clevercsv(path: Path) -> Rows:
    import clevercsv as cc

    text = path.read_text("utf-8")
    if not text:
        return []
    dialect = cc.Sniffer().sniff(text)
    return list(cc.reader(io.StringIO(text, newline=""), dialect))


def frictionless(path: Path) -> Rows:
    from frictionless import Dialect, system
    from frictionless.resources import TableResource

    if not path.stat().st_size:
        return []
    with system.use_context(trusted=True):
        resource = TableResource(path=str(path), dialect=Dialect(header=False))
        with resource.open():
            return [["" if c is None else str(c) for c in row] for row in resource.cell_stream]


IMPORTERS: dict[str, tuple[str, Importer]] = {
    "supplyline": ("supplyline", supplyline),
    "csv": ("csv", python_csv),
    "csv with Sniffer": ("csv", python_sniffer),
    "pandas sep=None": ("pandas", pandas),
    "polars": ("polars", polars),
    "duckdb auto": ("duckdb", duckdb),
    "clevercsv": ("clevercsv", clevercsv),
    "frictionless": ("frictionless", frictionless),
}


def normal(cell: str) -> str:
    try:
        return str(float(cell))
    except ValueError:
        return cell.lower()


def agreement(true: Sequence[str], got: Sequence[str]) -> tuple[float, float, float]:
    """Precision, recall, F1 as in the published code (1 where there is nothing to find)."""
    if not true:
        return 1.0, 1.0, 1.0
    both = sum((Counter(true) & Counter(got)).values())
    if not both:
        return 0.0, 0.0, 0.0
    precision, recall = both / len(true), both / len(got)
    return precision, recall, 2 * precision * recall / (precision + recall)


def measures(true: Rows, got: Rows) -> list[float]:
    if not true:
        return [1.0] * 10
    header = agreement([normal(c) for c in true[0]], [normal(c) for c in got[0]] if got else [])
    records = agreement(
        ["".join(map(normal, r)) for r in true[1:]], ["".join(map(normal, r)) for r in got[1:]]
    )
    cells = agreement([c for r in true for c in r], [c for r in got for c in r])
    return [1.0, *header, *records, *cells]


def score(importer: Importer, folder: Path, weights: dict[str, float]) -> dict[str, float]:
    sums: list[float] = []
    shares: list[float] = []
    failures = 0
    started = time.perf_counter()
    for path in sorted((folder / "csv").iterdir()):
        with (folder / "clean" / path.name).open(newline="", encoding="utf-8-sig") as source:
            true = list(csv.reader(source))
        try:
            got = measures(true, importer(path))
        except Exception:  # a peer that fails on a file is scored as failed
            failures += 1
            got = [0.0] * 10
        sums.append(sum(got))
        shares.append(weights[path.name])
    weighted = sum(s * w for s, w in zip(sums, shares, strict=True)) / sum(shares)
    return {"simple": statistics.fmean(sums), "weighted": weighted, "failures": failures,
            "files": len(sums), "seconds": time.perf_counter() - started}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--archive", type=Path, required=True)
    parser.add_argument("--only", action="append", choices=list(IMPORTERS))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    results = {}
    with tempfile.TemporaryDirectory() as scratch:
        with tarfile.open(given.archive) as archive:
            archive.extractall(scratch, filter="data")
        folder = next(Path(scratch).rglob("csv")).parent
        weights = json.loads(next(Path(scratch).rglob("pollock_weights.json")).read_text())
        for name in given.only or IMPORTERS:
            module, importer = IMPORTERS[name]
            if importlib.util.find_spec(module) is None:
                print(f"{name:18s} not installed, left out", file=sys.stderr)
                continue
            results[name] = score(importer, folder, weights)
            r = results[name]
            if not given.json:
                print(f"{name:18s} simple {r['simple']:.3f}  weighted {r['weighted']:.3f}  "
                      f"failed {r['failures']:.0f}/{r['files']}  {r['seconds']:.0f} s",
                      flush=True)  # fmt: skip
    if given.json:
        print(json.dumps(results))


if __name__ == "__main__":
    main()
