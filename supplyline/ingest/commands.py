"""`supplyline parse` and `supplyline preview`."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, nullcontext
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Any, TextIO

import click

from supplyline.contracts import ParseOptions
from supplyline.ingest.preview import options_of
from supplyline.ingest.preview import preview as preview_of
from supplyline.ingest.reading import Reading, open_file
from supplyline.ingest.records import Record, Refused
from supplyline.outputs import written

Command = Callable[..., Any]


def parse_options(command: Command) -> Command:
    """The options by which every guess can be overruled."""
    for option in reversed(
        (
            click.option("--encoding", help="Such as utf-8, cp1252, utf-16."),
            click.option("--delimiter", help="One or more characters; \\t for a tab."),
            click.option("--quote", help="The quote character; '' for none."),
            click.option("--escape", help="The escape character; '' for none."),
            click.option(
                "--header-row",
                type=click.IntRange(0),
                help="The header's line, from 1; 0: there is none.",
            ),
            click.option(
                "--skip-footer", type=click.IntRange(0), help="Lines at the end that are no rows."
            ),
            click.option("--sheet", help="A workbook's sheet."),
            click.option(
                "--format", "format_", help="csv, xlsx, xls, xlsb, ods, jsonl, json or parquet."
            ),
        )
    ):
        command = option(command)
    return command


def options_from(given: dict[str, Any]) -> ParseOptions:
    if given.get("delimiter") == "":
        raise click.UsageError("--delimiter may not be empty.")
    return options_of({k.rstrip("_"): v for k, v in given.items()})


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--output", "-o", required=True, help="Where the CSV goes; - for standard output.")
@click.option("--report", help="Where the JSON report goes; - for standard output.")
@parse_options
def parse(file: Path, output: str, report: str | None, **given: Any) -> None:
    """Write what was understood of FILE as standard CSV: UTF-8, comma, header first.

    Every cell's text is as read, rows too short or too long stay so. Rows that cannot be read are
    in the report, with line, column, reason and raw text; the exit code is then 1. It is 3 when
    there is no table: of a blank file the output is empty too.

    Example: supplyline parse sales.txt --output sales.csv --report -
    """
    with ExitStack() as stack:
        reading = open_file(
            stack.enter_context(file.open("rb")), name=file.name, options=options_from(given)
        )
        aside = stack.enter_context(SetAside())
        with _out(output) as out:
            write_csv(reading, out, aside)
        if report is not None:
            with _out(report) as told:
                write_report(reading, aside, told)
        if aside.count:
            click.echo(f"{aside.count} of {reading.rows_read} rows were set aside.", err=True)
            raise SystemExit(1)
        if not reading.layout.columns:
            click.echo("The file has neither a header nor a row: the output is empty.", err=True)
            raise SystemExit(3)


def _out(path: str) -> AbstractContextManager[TextIO]:
    return nullcontext(sys.stdout) if path == "-" else written(Path(path))


class SetAside:
    """Rows set aside while a file is read, as JSON; many of them are kept on disk."""

    def __init__(self) -> None:
        self.count = 0
        self._kept = SpooledTemporaryFile(1 << 20, "w+", encoding="utf-8", errors="surrogatepass")  # noqa: SIM115 - closed by `__exit__`

    def __enter__(self) -> SetAside:
        return self

    def __exit__(self, *_: object) -> None:
        self._kept.close()

    def add(self, row: dict[str, Any]) -> None:
        self.count += 1
        self._kept.write(json.dumps(row, ensure_ascii=False) + "\n")

    def __iter__(self) -> Iterator[str]:
        self._kept.seek(0)
        return (line.rstrip("\n") for line in self._kept)


class _Lines:
    """Ends the rows of a `csv.writer`, which quotes only the line ends that it writes, with LF."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def write(self, row: str) -> None:
        self._out.write(row.removesuffix("\r\n") + "\n")


def write_csv(reading: Reading, out: TextIO, aside: SetAside) -> None:
    """Writes header (if the file has one) and rows; adds the rows set aside to `aside`."""
    writer = csv.writer(_Lines(out), lineterminator="\r\n")
    if reading.names:
        writer.writerow(reading.names)
    for number, event in reading.events():
        if isinstance(event, Record):
            writer.writerow(event.cells)
        else:
            aside.add(_aside(number, event, reading))


def _aside(number: int, event: Refused, reading: Reading) -> dict[str, Any]:
    columns = reading.layout.columns
    named = event.column is not None and event.column <= len(columns)
    return {
        "row": number,
        "line": event.line,
        "column": columns[event.column - 1].name if named and event.column else None,
        "code": event.code,
        "reason": event.reason,
        "raw": event.raw,
    }


def write_report(reading: Reading, aside: SetAside, out: TextIO) -> None:
    """One JSON object: format, dialect, layout, rows, and every row that was set aside."""
    layout = reading.layout.as_json()
    told = {
        "format": layout["format"],
        "dialect": layout["dialect"],
        "layout": layout,
        "rows": {
            "read": reading.rows_read,
            "parsed": reading.rows_read - aside.count,
            "quarantined": aside.count,
        },
    }
    out.write(json.dumps(told, ensure_ascii=False, indent=1).removesuffix("\n}"))
    out.write(',\n "quarantined": [')
    for at, row in enumerate(aside):
        out.write(f"{',' if at else ''}\n  {row}")
    out.write("\n ]\n}\n" if aside.count else "]\n}\n")


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--rows", default=10, show_default=True, help="How many rows to show.")
@click.option("--count", is_flag=True, help="Read the whole file and count (dry run).")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@parse_options
def preview(file: Path, rows: int, count: bool, as_json: bool, **given: Any) -> None:
    """Show how FILE would be understood: format, dialect, header, the table it looks like.

    Example: supplyline preview stock.xlsx --json
    """
    with file.open("rb") as source:
        answer = preview_of(
            source, name=file.name, options=options_from(given), rows=rows, count=count
        )
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
        return
    _print_preview(answer)


def _print_preview(answer: dict[str, Any]) -> None:
    layout, table = answer["layout"], answer["table"]
    click.echo(f"format      {layout['format']}  (confidence {layout['confidence']})")
    if layout["dialect"]:
        d = layout["dialect"]
        click.echo(
            f"dialect     {d['encoding']}, delimiter {d['delimiter']!r}, "
            f"quote {d['quote']!r}, escape {d['escape']!r}, line end {d['line_end']!r}"
        )
    click.echo(
        f"header      line {layout['header_row']}; {layout['preamble_lines']} lines before, "
        f"{layout['footer_lines']} after the table"
    )
    click.echo(
        f"table       {table['table']} ({table['kind'] or 'unknown kind'}, "
        f"confidence {table['confidence']})"
    )
    for field, column in table["mapping"].items():
        click.echo(f"  {field:18s} {column}")
    click.echo("columns     " + ", ".join(c["name"] for c in layout["columns"]))
    for reason in (*layout["reasons"], *table["reasons"]):
        click.echo(f"  because   {reason}")
    if "rows" in answer:
        rows = answer["rows"]
        click.echo(
            f"rows        {rows['read']} read, {rows['parsed']} would be landed, "
            f"{rows['quarantined']} set aside"
        )
    for cells in answer["preview"]:
        click.echo("| " + " | ".join(c.replace("\n", "\\n")[:30] for c in cells))
