"""JSON Lines and arrays of objects, streamed; numbers keep the digits they were written with.

Nested values become JSON text, `true`, `false` stay so, null and a missing key are null cells at
the row's end and empty cells elsewhere. Columns are all keys, in order of first appearance; a key
that an object has twice is two columns, as a header that a file has twice.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from supplyline.contracts import Layout
from supplyline.errors import UnreadableFile
from supplyline.ingest.plan import columns
from supplyline.ingest.readers.delimited import TOO_LONG, numbered
from supplyline.ingest.readers.lines import BAD, MAX_LINE, decoded, lines, readable
from supplyline.ingest.records import Event, Record, Refused
from supplyline.ingest.sniff import encoding
from supplyline.ingest.source import Opened
from supplyline.ingest.storable import BAD as UNSTORABLE
from supplyline.ingest.storable import NUL

MAX_KEYS = 4_096
MAX_VALUE = 16 << 20


class _Number(str):
    """A number's own text."""

    __slots__ = ()


def _constant(text: str) -> _Number:
    return _Number(text)


class Repeated(list[tuple[str, Any]]):
    """An object of which a key comes more than once: its pairs, in order."""


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any] | Repeated:
    made = dict(pairs)
    return made if len(made) == len(pairs) else Repeated(pairs)


_DECODER = json.JSONDecoder(
    parse_float=_Number,
    parse_int=_Number,
    parse_constant=_constant,
    object_pairs_hook=_pairs,
)
_SPACE = re.compile(r"[\s,]*")


def read_json(opened: Opened) -> tuple[Layout, Callable[[], Iterator[Event]]]:
    """Two passes: the first finds all keys, the second gives the rows."""
    opened.stream.seek(0)
    found = encoding.detect(opened.stream.read(1 << 18), whole=False)
    keys: dict[Key, None] = {}
    for item in _items(opened, found.name):
        if not isinstance(item, Refused):
            keys.update(dict.fromkeys(item[1]))
            if len(keys) > MAX_KEYS:
                raise UnreadableFile(f"The objects have more than {MAX_KEYS} different keys.")
    wanted = tuple(keys)
    names = tuple(key if isinstance(key, str) else key[0] for key in wanted)
    layout = Layout(
        format=opened.format,
        columns=columns(names, len(names)),
        header_row=1 if names else 0,
        compression=opened.compression,
        reasons=(f"encoding {found.name}: {found.reason}", "objects with named values"),
    )

    def events() -> Iterator[Event]:
        for item in _items(opened, found.name):
            if isinstance(item, Refused):
                yield item
            else:
                line, values = item
                yield Record(line, [text(values.get(key)) for key in wanted])

    return layout, events


def text(value: Any) -> str:
    """A value as text: strings and numbers as they are, null empty, the rest as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return str(value)
    return _dump(value)


def _dump(value: Any) -> str:
    if isinstance(value, _Number):
        return str(value)
    if isinstance(value, dict | Repeated):
        pairs = value.items() if isinstance(value, dict) else value
        inner = (f"{json.dumps(k, ensure_ascii=False)}: {_dump(v)}" for k, v in pairs)
        return "{" + ", ".join(inner) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_dump, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


Key = str | tuple[str, int]
"""A key, with its number from 2 on where an object has it again."""
Item = tuple[int, dict[Key, Any]] | Refused


def _items(opened: Opened, name: str) -> Iterator[Item]:
    opened.stream.seek(0)
    pieces = decoded(opened.stream, encoding=name)
    if opened.format == "json":
        yield from _array(pieces)
        return
    cut = False
    for number, line, end in numbered(lines(pieces, line_end="\n")):
        too_long, cut = cut or len(line) > MAX_LINE, not end
        if too_long:
            yield Refused(number, "row_too_long", TOO_LONG, readable(line))
            continue
        if not line.strip():
            continue
        if BAD.search(line):
            reason = "The row has bytes that are no text in the file's encoding."
            yield Refused(number, "undecodable", reason, readable(line))
            continue
        try:
            value = _DECODER.decode(line)
        except (ValueError, RecursionError) as error:
            yield Refused(number, "invalid_json", f"The line is no JSON: {error}.", line)
            continue
        yield _object(number, value, line)


def _object(number: int, value: object, raw: str) -> Item:
    if not isinstance(value, dict | Repeated):
        return Refused(number, "not_an_object", "The value is no JSON object.", raw)
    values = value if isinstance(value, dict) else _numbered(value)
    if "\\u" in raw:
        texts = [k if isinstance(k, str) else k[0] for k in values]
        found = [m[0] for t in (*texts, *map(text, values.values())) if (m := UNSTORABLE.search(t))]
        if "\0" in found:
            return Refused(number, "nul_character", NUL, raw)
        if found:
            return Refused(number, "undecodable", "A value has half of a surrogate pair.", raw)
    return number, values


def _numbered(pairs: Repeated) -> dict[Key, Any]:
    out: dict[Key, Any] = {}
    seen: Counter[str] = Counter()
    for key, value in pairs:
        seen[key] += 1
        out[key if seen[key] == 1 else (key, seen[key])] = value
    return out


def _array(pieces: Iterator[str]) -> Iterator[Item]:
    """The objects of one array (or of one object, or of several behind one another)."""
    buffer, line, begun = "", 1, False
    finished = False
    while not finished or buffer.strip(" \t\r\n,]"):
        if not begun and buffer.lstrip()[:1]:
            stripped = buffer.lstrip()
            line += buffer[: len(buffer) - len(stripped)].count("\n")
            buffer, begun = (stripped[1:] if stripped[0] == "[" else stripped), True
        skipped = _SPACE.match(buffer)
        at = skipped.end() if skipped else 0
        try:
            value, end = _DECODER.raw_decode(buffer, at)
        except RecursionError:
            raise UnreadableFile("The JSON is nested too deeply.") from None
        except ValueError as error:
            if not finished and len(buffer) < MAX_VALUE:
                more = next(pieces, None)
                finished, buffer = more is None, buffer + (more or "")
                continue
            if not buffer[at:].strip(" \t\r\n]"):
                return
            reason = f"From here on the file is no JSON: {error}."
            yield Refused(line, "invalid_json", reason, buffer[at : at + 4096])
            return
        line += buffer.count("\n", 0, at)
        yield _object(line, value, buffer[at:end])
        line += buffer.count("\n", at, end)
        buffer = buffer[end:]
