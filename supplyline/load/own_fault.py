"""Which errors of a load lie in the file itself: the table's other files go on without it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from supplyline.contracts import Manifest
from supplyline.errors import FileNotLoaded, InvalidColumnType, SchemaDrift
from supplyline.load.keys import MOST_BYTES
from supplyline.load.others import rule_of_others
from supplyline.load.widest import Widest

_FAULTS_OF_FILES = ("54", "22", "42701", "42P16")
"""Beginnings of SQLSTATEs: a limit of PostgreSQL, a value, a column that cannot be."""


@contextmanager
def own_fault(manifest: Manifest) -> Iterator[Widest]:
    """Errors of PostgreSQL that this file would meet again, whenever it is loaded.

    The batches that are loaded are to be `watched`, so that the widest row can be named.
    """
    if not manifest.layout["columns"]:
        reason = f"The file {manifest.name} has neither a header nor a row."
        raise FileNotLoaded(reason, reasons={manifest.file_id: reason})
    widest = Widest(manifest.columns)
    try:
        yield widest
    except SchemaDrift as error:
        if error.of_file:
            error.reasons = {manifest.file_id: error.detail}
        raise
    except InvalidColumnType as error:
        reason = f"The file {manifest.name} cannot be loaded into {manifest.table}: {error.detail}"
        raise FileNotLoaded(reason, reasons={manifest.file_id: reason}) from error
    except psycopg.Error as error:
        if "(_file, _row)" in (error.diag.message_detail or ""):  # the key of our own
            raise SchemaDrift(
                f"Landing holds a row of {manifest.name} twice, which was added with other tools.",
                next_step="Remove it from MongoDB (a row's `_id` ends in its `_row`), then load"
                " again.",
                table=manifest.table,
            ) from error
        if rule := rule_of_others(error):  # the file waits until the rule is gone, or fits
            raise SchemaDrift(
                f"Table {manifest.table} does not take the rows of {manifest.name}: {rule}.",
                next_step=f"Drop or change what somebody put on {manifest.table} there, or undo"
                " what it rests on, then load again.",
                table=manifest.table,
            ) from error
        if not (error.sqlstate or "").startswith(_FAULTS_OF_FILES):
            raise
        # The message of a wrong value quotes it; the others speak of limits and names.
        said = "" if isinstance(error, psycopg.DataError) else error.diag.message_primary
        why = f"{said or type(error).__name__}."
        if (said or "").startswith("row is too big"):
            why += (
                f" It has {len(manifest.columns):,} columns{widest.said}, and the values of a row"
                " must fit into one page of PostgreSQL: about 1,000 numbers or dates, or 450 texts"
                " of 17 letters. Nothing of the file is loaded. If only some rows are that wide,"
                " correct them or take them out, and upload it again; else split it into files of"
                " fewer columns for tables of their own."
            )
        if (said or "").startswith("tables can have at most"):
            why += (
                " Columns that were taken back with a load count too, until `supplyline rebuild"
                f" --table {manifest.table}` makes the table again. Otherwise upload the file for a"
                " table of its own."
            )
        if (said or "").startswith("index row"):
            why += (
                f" A value of the key is too long for an index, which takes {MOST_BYTES:,} bytes of"
                " text that cannot be compressed. Choose another key (`supplyline rebuild --key`)."
            )
        reason = f"The file {manifest.name} cannot be loaded into {manifest.table}: {why}"
        raise FileNotLoaded(reason, reasons={manifest.file_id: reason}) from error
