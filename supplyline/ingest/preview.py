"""How a file would be understood, with the reasons: the same for the command and the API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, BinaryIO

from supplyline.contracts import Json, ParseOptions, file_remarks
from supplyline.errors import UnreadableFile
from supplyline.ingest.plan import known_encoding
from supplyline.ingest.reading import Reading, open_file
from supplyline.ingest.records import Record
from supplyline.vocabulary import recognise

_CHARACTERS = ("delimiter", "quote", "escape")


def options_of(given: Mapping[str, Any]) -> ParseOptions:
    """Parse options as a person writes them: `\\t` stands for a tab, an empty quote for none.

    Raises UnreadableFile for an empty delimiter, an encoding that nobody knows, and a quote or
    escape of several characters.
    """
    said = {k: v for k, v in given.items() if v is not None}
    for name in _CHARACTERS:
        if name in said:
            said[name] = said[name].replace("\\t", "\t")
    if said.get("delimiter") == "":
        raise UnreadableFile(
            "The delimiter may not be empty.", next_step="Give one or more characters, or none."
        )
    for name in ("quote", "escape"):
        if len(said.get(name, "")) > 1:
            raise UnreadableFile(
                f"The {name} {said[name]!r} has several characters.",
                next_step="Give one character, or an empty text for none.",
            )
    if said.get("encoding") is not None:
        known_encoding(said["encoding"])
    return ParseOptions(**said)


def overruled(remembered: ParseOptions, given: ParseOptions) -> ParseOptions:
    """What is said now goes before what was said earlier."""
    return ParseOptions(**{**remembered.as_json(), **given.as_json()})


def preview(
    source: BinaryIO, *, name: str, options: ParseOptions, rows: int = 10, count: bool = False
) -> Json:
    """`{layout, table, preview}`: what was understood and why, the table it looks like with the
    mapping of its columns, and the first `rows` rows.

    With `count` the whole file is read and `rows: {read, parsed, quarantined}` added. `remarks`:
    what to look at, such as sheets left out. Writes nothing. Raises UnreadableFile, also for a file
    with no column.
    """
    from supplyline.ingest.checks import require_table

    reading = open_file(source, name=name, options=options)
    require_table(reading.layout)
    shown, aside = _first(reading, rows=max(rows, 1), everything=count)
    headers = [c.header or c.name for c in reading.layout.columns]
    answer: Json = {
        "layout": reading.layout.as_json(),
        "table": asdict(recognise(headers, file_name=name)),
        "preview": shown[:rows],
        "remarks": list(file_remarks(reading.layout.as_json(), rows_read=reading.rows_read)),
    }
    if count:
        read = reading.rows_read
        answer["rows"] = {"read": read, "parsed": read - aside, "quarantined": aside}
    return answer


def _first(reading: Reading, *, rows: int, everything: bool) -> tuple[list[list[str]], int]:
    shown: list[list[str]] = []
    aside = 0
    for _, event in reading.events():
        if isinstance(event, Record):
            if len(shown) < rows:
                shown.append(list(event.cells))
        else:
            aside += 1
        if not everything and len(shown) >= rows:
            break
    return shown, aside
