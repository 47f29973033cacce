"""Servers, the generated file and the measuring that the benchmarks share."""

from __future__ import annotations

import csv
import multiprocessing
import os
import random
import resource
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supplyline import settings as environment
from supplyline.settings import Settings
from tests import servers

COLUMNS = (
    "order_id", "line", "item_code", "description", "quantity", "unit_price", "order_date",
    "shipped_at", "customer_id", "country", "channel", "note",
)  # fmt: skip
KEY = ("order_id", "line")


@dataclass(frozen=True)
class Place:
    settings: Settings
    folder: Path


@contextmanager
def place(*, durable: bool = True) -> Iterator[Place]:
    """A PostgreSQL (with fsync) and a MongoDB wire server of this run's own."""
    dog = servers.Watchdog()
    try:
        pg, mongo, folder = (
            servers.start_postgres(dog, durable=durable),
            servers.start_mongo(dog),
            dog.folder(),
        )
        env = servers.engine_environment(pg, mongo.uri, storage=folder / "storage", name="bench")
        yield Place(environment.read(env), folder)
    finally:
        dog.close()


def write_csv(path: Path, *, rows: int, changed: int = 0) -> Path:
    """`rows` lines of 12 columns; the last `changed` have another quantity than before."""
    rng = random.Random(1)
    with path.open("w", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(COLUMNS)
        for n in range(rows):
            day = f"2024-{n // 31 % 12 + 1:02}-{n % 28 + 1:02}"
            quantity = rng.randrange(1, 500) + (1000 if n >= rows - changed else 0)
            writer.writerow(
                (
                    f"O{n // 4:08}", n % 4, f"SKU-{rng.randrange(4000):05}",
                    f"Widget, size {n % 40}", quantity, f"{rng.randrange(100, 99999) / 100:.2f}",
                    day, f"{day} {n % 24:02}:{n % 60:02}:00", 10000 + n % 5000,
                    ("Germany", "France", "United Kingdom")[n % 3], ("web", "shop")[n % 2], "",
                )
            )  # fmt: skip
    return path


def measured(work: Callable[..., Any], *args: Any) -> dict[str, float]:
    """Runs `work` in a process of its own: seconds, client CPU seconds, peak memory in MB.

    What runs before left to be written is on disk when it begins.
    """
    os.sync()
    context = multiprocessing.get_context("spawn")
    parent, child = context.Pipe()
    process = context.Process(target=_child, args=(child, work, args))
    process.start()
    child.close()
    answer: dict[str, float] = parent.recv()
    process.join()
    return answer


def _child(pipe: Any, work: Callable[..., Any], args: tuple[Any, ...]) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    more = work(*args) or {}
    pipe.send(
        {
            "seconds": time.perf_counter() - wall,
            "cpu_s": time.process_time() - cpu,
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
            **more,
        }
    )
