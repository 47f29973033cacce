"""What every stage is given: a clock and the landing store."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from supplyline.settings import Settings

if TYPE_CHECKING:
    from supplyline.landing import Landing

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def open_landing(settings: Settings) -> Iterator[Landing]:
    """The landing store of MONGO_URI; closed at the end."""
    from pymongo import MongoClient

    from supplyline.landing import Landing

    client: MongoClient = MongoClient(
        settings.mongo_uri, serverSelectionTimeoutMS=10_000, appname="supplyline"
    )
    try:
        yield Landing(client[settings.mongo_database])
    finally:
        client.close()
