"""What every stage is given: a clock, the landing store, and a run where no scheduler made one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from supplyline.audit.events import utc_now
from supplyline.contracts import OrgId, RunRef, TableName
from supplyline.errors import ConfigurationError, TableNotLanded
from supplyline.settings import Settings

if TYPE_CHECKING:
    from supplyline.landing import Landing

__all__ = ["Clock", "open_landing", "require_landed", "run_by_hand", "utc_now"]

Clock = Callable[[], datetime]


def run_by_hand(command: str, *, user: str) -> RunRef:
    """The run of a command that somebody gave now."""
    return RunRef(run_id=f"{command}__{utc_now():%Y%m%dT%H%M%S%f}", user_id=user)


@contextmanager
def open_landing(settings: Settings) -> Iterator[Landing]:
    """The landing store of MONGO_URI; closed at the end.

    A server that is away is waited for 10 s, or as long as MONGO_URI says. Raises
    ConfigurationError, which repeats nothing of an address that may hold a password.
    """
    from pymongo import MongoClient
    from pymongo.errors import ConfigurationError as BadAddress
    from pymongo.errors import InvalidName as BadName

    from supplyline.landing import Landing

    patience: dict[str, Any] = {"serverSelectionTimeoutMS": 10_000}
    if "serverselectiontimeoutms=" in settings.mongo_uri.lower():
        patience = {}  # a keyword would win over the address
    try:
        client: MongoClient = MongoClient(settings.mongo_uri, appname="supplyline", **patience)
    except (BadAddress, ValueError) as error:
        raise ConfigurationError(
            f"MONGO_URI is no address that can be used ({type(error).__name__}).",
            next_step="Write it as mongodb://user:password@host:27017/?option=value, with %40 for "
            "@, %3A for : and %2F for / within the password.",
        ) from None
    try:
        try:
            database = client[settings.mongo_database]
        except BadName as error:
            raise ConfigurationError(f"MONGO_DATABASE cannot be used: {error}.") from error
        yield Landing(database)
    finally:
        client.close()


def require_landed(
    landing: Landing, org: OrgId, table: TableName, *, next_step: str | None = None
) -> None:
    """Raises TableNotLanded when landing knows no file of the table, not even a refused one."""
    if not landing.manifests(org, table=table):
        raise TableNotLanded(
            f"Organization {org} has no file of a table {table}.", next_step=next_step
        )
