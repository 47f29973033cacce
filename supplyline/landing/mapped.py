"""MongoDB's errors as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pymongo.errors import ConnectionFailure, PyMongoError

from supplyline.errors import DatabaseUnavailable


@contextmanager
def mapped() -> Iterator[None]:
    """MongoDB being away, restarting or refusing us is transient and named."""
    try:
        yield
    except ConnectionFailure as error:
        raise DatabaseUnavailable(
            f"MongoDB cannot be reached: {type(error).__name__}.",
            next_step="Check that MongoDB runs and that MONGO_URI is right (`supplyline status`), "
            "then try again.",
        ) from error
    except PyMongoError as error:
        raise DatabaseUnavailable(f"MongoDB refused the work: {error}.") from error
