"""One root for every error, so that one place can turn any of them into an answer.

An error is for a problem of the machine or of the request. A problem of the *data* is a row in a
report (`contracts.QuarantinedRow`), never an exception.

`Terminal`: trying again cannot help. `Transient`: the same call may succeed later.
"""

from __future__ import annotations

from typing import ClassVar


class SupplylineError(Exception):
    """Root of all errors.

    `code` is stable and documented in docs/errors.md; `next_step` says what a person does now;
    `context` carries ids (never cell values, never secrets).
    """

    code: ClassVar[str] = "internal_error"
    next_step: ClassVar[str] = "See the log (`supplyline logs`) for what happened."
    transient: ClassVar[bool] = False

    def __init__(
        self, detail: str, *, next_step: str | None = None, **context: str | int | None
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.context = context
        self.advice = next_step or self.next_step

    def __str__(self) -> str:
        return f"{self.detail} {self.advice}"


class Terminal(SupplylineError):
    """Trying the same again cannot help."""


class Transient(SupplylineError):
    """The same call may succeed later."""

    transient: ClassVar[bool] = True


class ConfigurationError(Terminal):
    code = "configuration_error"
    next_step = "Correct the environment variable that is named and start again."


class InvalidName(Terminal):
    code = "invalid_name"
    next_step = "Use lower-case letters, digits and underscores, beginning with a letter or digit."


class OrganizationNotFound(Terminal):
    code = "org_not_found"
    next_step = "Check the organization id; `manage.py list_organizations` shows the known ones."


class FileNotStored(Terminal):
    code = "file_not_found"
    next_step = "Check the file id, or upload the file again with POST /api/files/upload/."


class FileOfOtherTable(Terminal):
    """A file is landed once, in one table."""

    code = "file_of_other_table"
    next_step = (
        "Upload it again with `table`; where it does not belong, `supplyline undo` takes its load "
        "back."
    )


class UnreadableFile(Terminal):
    """The bytes as a whole cannot be understood (encrypted, a zip bomb, not a table)."""

    code = "unreadable_file"
    next_step = "Open the file, save it as CSV (UTF-8) and upload it again."


class StoredFileDamaged(UnreadableFile):
    """What lies in storage is not what was uploaded."""

    code = "stored_file_damaged"
    next_step = (
        "Restore storage from its backup and start the file's ingest again, or upload it again."
    )


class TableNotLanded(Terminal):
    code = "table_not_found"
    next_step = "Upload a file for this table first with POST /api/files/upload/."


class SchemaDrift(Terminal):
    """The table cannot take the file as it is, or not under its policy.

    `of_file`: it is the file's own fault, and the table's others are loaded; `reasons`: file id →
    why, of such files.
    """

    code = "schema_drift"
    next_step = (
        "Correct the file, or set the table's drift policy to `evolve`, and upload it again; the "
        "table's others are loaded."
    )

    def __init__(
        self, detail: str, *, of_file: bool = False, next_step: str | None = None, table: str = ""
    ) -> None:
        super().__init__(detail, next_step=next_step, table=table)
        self.of_file = of_file
        self.reasons: dict[str, str] = {}


class TableDamaged(Terminal):
    """A table or column that the loads made was dropped or changed with other tools."""

    code = "table_damaged"
    next_step = "`supplyline rebuild` makes the table again from the landed files."


class LandingDamaged(Terminal):
    """Landing has no more, or other, rows of a file than those that were loaded: a table that is
    whole is not made again from them."""

    code = "landing_damaged"
    next_step = (
        "Restore MongoDB from its backup, or undo the file's load and upload it again."
        " `supplyline rebuild` takes rows that are not in landing from the stored file."
    )


class FileNotLoaded(Terminal):
    """PostgreSQL cannot hold files as they are; `reasons`: file id → why. The others are loaded."""

    code = "file_not_loaded"
    next_step = "Correct the file that is named and upload it again; the table's others are loaded."

    def __init__(self, detail: str, *, reasons: dict[str, str]) -> None:
        super().__init__(detail)
        self.reasons = reasons


class LandingReleased(Terminal):
    """The rows of a file were released from landing by the organization's policy."""

    code = "landing_released"
    next_step = "The stored file still has them; `supplyline rebuild` reads it again."


class LoadNotFound(Terminal):
    code = "load_not_found"
    next_step = "Check the file id; `supplyline verify` without --file lists the loaded files."


class UndoRefused(Terminal):
    """A later load rests on this one."""

    code = "undo_refused"
    next_step = "Undo the later loads first, newest first."


class StaleWorker(Terminal):
    """Another attempt has taken over; this one must not commit (promise P6)."""

    code = "stale_worker"
    next_step = "Nothing to do: a newer attempt owns this load."


class NotEnoughHistory(Terminal):
    code = "insufficient_history"
    next_step = "Load sales history first; a forecast needs dated quantities per item."


class InvalidColumnType(Terminal):
    """A type set by hand is none that a column can have."""

    code = "invalid_column_type"
    next_step = (
        "Use text, bigint, numeric, boolean, date, timestamp, uuid or json, with a format where "
        "needed, such as `date DD.MM.YYYY` or `timestamptz YYYY-MM-DDTHH24:MI:SSZ` (docs/load.md)."
    )


class SettingsConflict(Terminal):
    """The settings were changed by somebody else since they were read."""

    code = "settings_conflict"
    next_step = "Read the table's settings again, make the change in them, and save."


class SchemaMismatch(Terminal):
    """An organization's database is not as this version of the software expects it."""

    code = "schema_mismatch"
    next_step = "Install the version that ran last, or restore the schema file, then migrate again."


class SchemaBehind(Transient):
    """The software is newer than an organization's database."""

    code = "schema_behind"
    next_step = "Run `supplyline migrate --all`; what was asked for goes on by itself."


class DatabaseUnavailable(Transient):
    code = "database_unavailable"
    next_step = (
        "Check that the database runs and that MONGO_URI, PG_HOST, PG_PORT, APP_DB_USER and "
        "APP_DB_PASSWORD are right (`supplyline status`), then try again."
    )


class StorageUnavailable(Transient):
    code = "storage_unavailable"
    next_step = "Check that SUPPLYLINE_STORAGE_URL can be reached, then try again."


class ServiceFailed(Terminal):
    """An embedded service did not start or died at once."""

    code = "service_failed"
    next_step = "Read its log with `supplyline logs SERVICE`."


class UnwritableOutput(Terminal):
    code = "unwritable_output"
    next_step = "Name a file in a folder that exists, with room and the right to write there."
