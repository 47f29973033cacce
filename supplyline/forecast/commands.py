"""`supplyline forecast-series` and `plan-series`: the engine on a CSV, without databases."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

MAX_HORIZON = 1000


class ManyValues(click.Command):
    """Lets `--fill-rate 0.90 0.95` take several values after one flag, beside repeating it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, spread(args, flag="--fill-rate"))


def spread(args: Sequence[str], *, flag: str) -> list[str]:
    """`[flag, a, b]` → `[flag, a, flag, b]`; only numbers are taken as further values."""
    out: list[str] = []
    taking = False
    for arg in args:
        if arg == flag:
            taking = True
            continue
        if taking and _is_number(arg):
            out += [flag, arg]
            continue
        if taking and out[-2:-1] != [flag]:
            out.append(flag)
        taking = False
        out.append(arg)
    return out


def _is_number(text: str) -> bool:
    try:
        float(text.removesuffix("%"))
    except ValueError:
        return False
    return True


def _workers(count: int) -> int:
    return 1 if count < 128 else min(len(os.sched_getaffinity(0)), 8)


def _say(report: dict[str, Any], *, as_json: bool) -> None:
    """Statements go to stderr, so that stdout stays for what was asked for."""
    for note in report["notes"]:
        click.echo(note, err=True)
    for item, notes in report["items"].items():
        for note in notes:
            click.echo(f"{item}: {note}", err=True)
    if as_json:
        click.echo(json.dumps(report))
    else:
        click.echo(f"{report['written']} of {report['series']} series written.", err=True)


SOURCE = click.argument("source", type=click.Path(exists=True, dir_okay=False, path_type=Path))


def _writable(ctx: click.Context, param: click.Parameter, value: Path) -> Path:
    if not value.absolute().parent.is_dir():
        raise click.BadParameter(f"the folder {value.parent} does not exist.", ctx, param)
    if not os.access(value.absolute().parent, os.W_OK):
        raise click.BadParameter(
            f"in the folder {value.parent} nothing may be written.", ctx, param
        )
    return value


def _fill_rates(ctx: click.Context, param: click.Parameter, value: tuple[str, ...]) -> Any:
    """0.95, 95 and 95% are the same (1.5 is a slip); none and all of demand are no targets."""
    out = []
    for text in value:
        if not _is_number(text):
            raise click.BadParameter(f"{text!r} is no number such as 0.95.", ctx, param)
        number = float(text.removesuffix("%"))
        rate = number / 100 if text.endswith("%") or number >= 50 else number
        if not 0 < rate < 1:
            raise click.BadParameter(
                f"{text} is not between 0 and 1 (0.95 or 95% of demand; no stock is sure to serve "
                "all of it).",
                ctx,
                param,
            )
        out.append(float(f"{rate:.12g}"))
    return tuple(dict.fromkeys(out))


def _cell(value: float) -> str:
    """Six digits; no negative zero."""
    text = f"{value:.6g}"
    return "0" if text == "-0" else text


OUTPUT = click.option(
    "--output", required=True, type=click.Path(dir_okay=False, path_type=Path),
    callback=_writable, help="CSV to write.",
)  # fmt: skip
AS_JSON = click.option("--json", "as_json", is_flag=True, help="Print the report as JSON.")


@click.command(name="forecast-series")
@SOURCE
@click.option(
    "--horizon", required=True, type=click.IntRange(1, MAX_HORIZON), help="Periods ahead."
)
@click.option(
    "--season", default=1, type=click.IntRange(1, 400), show_default=True,
    help="Periods in a season: 12 for months, 52 for weeks, 7 for days.",
)  # fmt: skip
@OUTPUT
@AS_JSON
@click.pass_context
def forecast_series(
    ctx: click.Context, *, source: Path, horizon: int, season: int, output: Path, as_json: bool
) -> None:
    """Forecast every series of SOURCE (columns unique_id, ds, y).

    \b
    Example:
      supplyline forecast-series sales.csv --horizon 18 --season 12 --output forecast.csv

    Writes unique_id, ds, mean, lo-80, hi-80, lo-95, hi-95, one row per series and period ahead.
    Exit code 1 when a series was set aside (no value, values beyond 1e15, a date far out of the
    others) and so has no rows; the reason is on stderr.
    """
    from supplyline.forecast.engine import LEVELS, forecast_batch
    from supplyline.forecast.series_io import read_series, write_rows

    book = read_series(source, season=season)
    found = forecast_batch(
        book.series, horizon=horizon, season=season, workers=_workers(len(book.series))
    )
    last = {s.id: when for s, when in zip(book.series, book.last, strict=True)}
    rows = [
        [
            f.id,
            book.calendar.after(last[f.id], step + 1),
            *(
                _cell(v)
                for v in (
                    f.mean[step],
                    *(end[level][step] for level in LEVELS for end in (f.lo, f.hi)),
                )
            ),
        ]
        for f in found
        for step in range(horizon)
    ]
    header = ["unique_id", "ds", "mean"]
    header += [f"{end}-{level}" for level in LEVELS for end in ("lo", "hi")]
    write_rows(output, header=header, rows=rows)
    items = {f.id: list(f.notes) for f in found if f.notes}
    items |= {s.id: list(s.notes) for s in book.series if not s.values.size}
    _finish(ctx, book, items, written=len(found), as_json=as_json)


@click.command(name="plan-series", cls=ManyValues)
@SOURCE
@click.option(
    "--lead-time", required=True, type=click.IntRange(0, MAX_HORIZON),
    help="Periods between order and arrival.",
)  # fmt: skip
@click.option(
    "--review", default=1, type=click.IntRange(1, MAX_HORIZON), show_default=True,
    help="Periods between two orders.",
)  # fmt: skip
@click.option(
    "--fill-rate", "fill_rates", required=True, multiple=True,
    type=str, callback=_fill_rates, metavar="SHARE",
    help="Share of demand to be served from the shelf, 0.95 or 95%; several may follow.",
)  # fmt: skip
@click.option(
    "--season", default=1, type=click.IntRange(1, 400), show_default=True,
    help="Periods in a season that S is to follow: 12 for months, 52 for weeks, 7 for days.",
)  # fmt: skip
@click.option(
    "--prices", type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV with unique_id and price: the same service of dear and of cheap goods together, less "
    "money on the shelf.",
)  # fmt: skip
@OUTPUT
@AS_JSON
@click.pass_context
def plan_series(
    ctx: click.Context,
    *,
    source: Path,
    lead_time: int,
    review: int,
    fill_rates: tuple[float, ...],
    season: int,
    prices: Path | None,
    output: Path,
    as_json: bool,
) -> None:
    """Order-up-to levels for every series of SOURCE (columns unique_id, ds, y).

    \b
    Example:
      supplyline plan-series parts.csv --lead-time 3 --review 1 --fill-rate 0.90 0.95 0.98 \\
        --output plan.csv

    Writes unique_id, ds, target, S: the stock position to order up to, decided after the last
    period seen (ds). A season is followed with --season alone: without it S is too high just
    after a peak, and too low before it. Lead time and review count days of the week without any
    row as well, unless a --season of other than weeks (5 for working days) leaves them out. Exit
    code 1 when a series was set aside (no value, values beyond 1e15, a date far out of the
    others) and so has no rows; the reason is on stderr.
    """
    from supplyline.forecast.series_io import Prices, read_prices, read_series, write_rows
    from supplyline.forecast.stocking import plan_levels

    book = read_series(source, season=season if season > 1 else 7)
    known = read_prices(prices, items=[s.id for s in book.series]) if prices else Prices()
    levels, notes = plan_levels(
        book.series,
        lead_time=lead_time,
        review=review,
        targets=fill_rates,
        prices=known.known,
        season=season,
    )
    rows = [
        [s.id, book.calendar.after(when, 0), f"{t:g}", _cell(levels[s.id][t])]
        for s, when in zip(book.series, book.last, strict=True)
        if s.id in levels
        for t in fill_rates
    ]
    write_rows(output, header=["unique_id", "ds", "target", "S"], rows=rows)
    items = dict(notes)
    _finish(ctx, book, items, written=len(levels), as_json=as_json, more=known.notes)


def _finish(
    ctx: click.Context, book: Any, items: dict[str, list[str]], *, written: int, as_json: bool,
    more: Sequence[str] = (),
) -> None:  # fmt: skip
    report = {
        "series": len(book.series),
        "written": written,
        "notes": [*book.notes, *more],
        "items": items,
    }
    _say(report, as_json=as_json)
    if written < len(book.series):
        ctx.exit(1)
