"""Cells of an xlsx that the reader of workbooks cannot tell: errors, and days that are none.

It gives errors as nothing and -1 day, day 60 (29 February 1900, which Excel believes in) and whole
days of zero as times or as other days. Here the sheet's XML is streamed past and their text noted.
Like `workbook`, it imports nothing of Supplyline; structure as in ECMA-376 part 1, section 18.3.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from typing import Any
from xml.etree import ElementTree
from xml.parsers import expat

CHUNK = 1 << 20
_ERROR = (b'"e"', b"'e'")
"""The type of a cell with an error; nearly no other attribute has this value."""
_TIME = re.compile(r"[hs]", re.I)
_LITERAL = re.compile(r"\"[^\"]*\"|\\.|\[(?!h+\]|m+\]|s+\])[^\]]*\]", re.I)
_TIMES = frozenset({18, 19, 20, 21, 22, 32, 33, 45, 46, 47})
"""Numbers of the formats with a time of day that every workbook has."""

Place = tuple[int, int]
"""Row and column, from 0."""


class Cells:
    """What one sheet says where the reader of workbooks does not."""

    def __init__(self, path: str, sheet: str) -> None:
        self._archive = zipfile.ZipFile(path)
        self._part, self._from_1904 = _part_of(self._archive, sheet)
        self._read = False
        self.error_rows: set[int] = set()
        self._errors: dict[Place, str] = {}
        self._days: dict[Place, str] = {}
        if self._part and any(sign in piece for piece in self._pieces() for sign in _ERROR):
            self._look()

    def error(self, place: Place) -> str:
        return self._errors.get(place, "")

    def no_day(self, place: Place) -> str | None:
        """The number's text where a day's or time's format shows it, but it is none."""
        if self._part and not self._read:
            self._look()
        return self._days.get(place)

    def _pieces(self) -> Iterator[bytes]:
        with self._archive.open(self._part) as source:
            before = b""
            while piece := source.read(CHUNK):
                yield before + piece
                before = piece[-16:]

    def _look(self) -> None:
        self._read = True
        timed = _styles_with_time(self._archive)
        found = _Scan(self._errors, self._days, timed, self._from_1904)
        with self._archive.open(self._part) as source:
            found.run(source)
        self.error_rows = {row for row, _ in self._errors}


class _Scan:
    """One pass over a sheet."""

    def __init__(
        self,
        errors: dict[Place, str],
        days: dict[Place, str],
        timed: set[int],
        from_1904: bool,
    ) -> None:
        self.errors, self.days, self.timed, self.from_1904 = errors, days, timed, from_1904
        self.row = self.column = -1
        self.kind = self.style = ""
        self.text: list[str] = []
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end

    def run(self, source: Any) -> None:
        while piece := source.read(CHUNK):
            self.parser.Parse(piece, False)
        self.parser.Parse(b"", True)

    def start(self, name: str, given: dict[str, str]) -> None:
        local = name.rpartition(" ")[2]
        if local == "c":
            self.kind, self.style = given.get("t", "n"), given.get("s", "")
            at = given.get("r")
            self.column = _column(at) if at else self.column + 1
        elif local == "v":
            self.text = []
            if self.kind == "e" or (self.kind == "n" and self.style):
                self.parser.CharacterDataHandler = self.text.append
        elif local == "row":
            at = given.get("r")
            self.row, self.column = int(at) - 1 if at else self.row + 1, -1

    def end(self, name: str) -> None:
        local = name.rpartition(" ")[2]
        if local == "v":
            self.parser.CharacterDataHandler = None
            self.note("".join(self.text).strip())

    def note(self, text: str) -> None:
        place = self.row, self.column
        if self.kind == "e":
            self.errors[place] = text or "#ERROR"
        elif text and self.kind == "n" and self.style and text[0] in "-0123456789.":
            try:
                value = float(text)
            except ValueError:
                return
            dated = int(self.style) not in self.timed
            no_day = not self.from_1904 and (60 <= value < 61 or (dated and 0 <= value < 1))
            if value < 0 or no_day:
                self.days[place] = str(int(value)) if value.is_integer() else text


def _column(reference: str) -> int:
    number = 0
    for sign in reference:
        if not sign.isalpha():
            break
        number = number * 26 + ord(sign.upper()) - 64
    return number - 1


def _tree(archive: zipfile.ZipFile, part: str) -> Any:
    with archive.open(part) as source:
        return ElementTree.parse(source).getroot()  # noqa: S314 - within limits of memory and time


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _part_of(archive: zipfile.ZipFile, sheet: str) -> tuple[str, bool]:
    """The part that holds a sheet ("" where it is not found), and whether days count from 1904."""
    parts = {name.lower(): name for name in archive.namelist()}
    try:
        book = _tree(archive, parts["xl/workbook.xml"])
        relations = _tree(archive, parts["xl/_rels/workbook.xml.rels"])
    except (KeyError, ElementTree.ParseError):
        return "", False
    targets = {r.get("Id"): r.get("Target", "") for r in relations}
    part, from_1904 = "", False
    for element in book.iter():
        if _local(element) == "workbookPr":
            from_1904 = element.get("date1904", "0").lower() in {"1", "true", "on"}
        elif _local(element) == "sheet" and element.get("name") == sheet:
            link = next((v for k, v in element.items() if k.endswith("}id")), "")
            target = targets.get(link, "")
            path = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            part = parts.get(path.lower(), "")
    return part, from_1904


def _styles_with_time(archive: zipfile.ZipFile) -> set[int]:
    """The cell formats that show a time of day."""
    parts = {name.lower(): name for name in archive.namelist()}
    if "xl/styles.xml" not in parts:
        return set()
    root = _tree(archive, parts["xl/styles.xml"])
    times = set(_TIMES)
    for element in root.iter():
        if _local(element) == "numFmt":
            code = _LITERAL.sub("", element.get("formatCode", ""))
            if _TIME.search(code):
                times.add(int(element.get("numFmtId", "0")))
    formats: Any = next((e for e in root if _local(e) == "cellXfs"), [])
    return {at for at, e in enumerate(formats) if int(e.get("numFmtId", "0")) in times}
