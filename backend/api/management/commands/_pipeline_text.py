"""The answers of manage_enhanced_pipeline as a person reads them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, Any, Literal

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from backend.runs.selectors import UNUSED

WIDE = 150
"""Columns of a terminal from which on the stages fit side by side."""


URGENT = "First what would be missing, at its price, before an order placed now arrives:"


def console_of(file: IO[str], **more: Any) -> Console:
    """What files brought, their names included, is printed as it is, not read as markup."""
    return Console(file=file, highlight=False, markup=False, emoji=False, **more)


def show(action: str, answer: dict[str, Any], console: Console) -> None:
    match action:
        case "status" if "stages" in answer:
            status(answer, console)
        case "status":
            overall(answer, console)
        case "quality":
            quality(answer, console)
        case "audit":
            audit(answer, console)
        case _:
            run(answer, console)


def status(answer: dict[str, Any], console: Console) -> None:
    """The stages, as a table where there is room and one below the other where there is not."""
    console.print(f"Organization {answer['org_id']}")
    if console.width >= WIDE:
        grid = Table("stage", "DAG", "state", "last run", "counts", "fresh as of", "lag", "next")
        for s in answer["stages"]:
            grid.add_row(
                s["stage"], s["dag_id"], s["state"], _last_run(s), _counts(s), _fresh(s),
                f"{s['lag_seconds']:.0f} s", s["next_step"],
            )  # fmt: skip
        console.print(grid)
    else:
        for s in answer["stages"]:
            stage(s, console)
    for t in answer["tables"]:
        certificate(t, console)
    if answer.get("problem"):
        console.print(f"{answer['problem']['detail']} {answer['problem']['next_step']}")


def stage(s: dict[str, Any], console: Console) -> None:
    """One stage in a few lines, which a narrow terminal wraps between words."""
    lag = f", oldest unfinished run {s['lag_seconds']:.0f} s" if s["lag_seconds"] else ""
    console.print(f"  {s['stage']:<8}  {s['state']}{lag}")
    lines = [
        ("DAG", s["dag_id"]),
        ("last run", _last_run(s)),
        ("counts", _counts(s)),
        ("fresh", _fresh(s)),
        ("next", s["next_step"]),
    ]
    block = Table.grid(padding=(0, 2))
    block.add_column(no_wrap=True)
    block.add_column(overflow="fold")
    for title, value in lines:
        if value != "-":
            block.add_row(title, value)
    console.print(Padding(block, (0, 0, 0, 4)))


def _last_run(s: dict[str, Any]) -> str:
    return s["last_run"]["dag_run_id"] if s["last_run"] else "-"


def _counts(s: dict[str, Any]) -> str:
    return ", ".join(f"{k.replace('_', ' ')} {v:,}" for k, v in s["counts"].items() if v) or "-"


def _fresh(s: dict[str, Any]) -> str:
    return (s["fresh_as_of"] or "-")[:19].replace("T", " ")


def certificate(table: dict[str, Any], console: Console) -> None:
    c = table["certificate"]
    rows = table["rows_in_table"]
    console.print(
        f"  {table['table']}: {table['files']} files, {rows if rows is not None else 0:,} rows in "
        f"PostgreSQL; last certificate: {c['verdict'] + ' for ' + c['file_name'] if c else 'none'}"
    )
    for difference in (c or {}).get("differences", ()):
        console.print(f"    - {difference}")
    for file in table.get("refused", ()):
        console.print(f"    - refused: {file['name']}: {file['reason']}")


def overall(answer: dict[str, Any], console: Console) -> None:
    airflow = answer["airflow"]
    if "components" in airflow:
        parts = ", ".join(f"{k} {v}" for k, v in airflow["components"].items())
        console.print(f"Airflow: {parts}")
    else:
        console.print(f"Airflow: {airflow['detail']} {airflow['next_step']}")
    if answer["relay"]["silent"]:
        console.print(f"Relay: {answer['relay']['next_step']}")
    console.print(f"{answer['unfinished_runs']} unfinished runs")
    for org in answer["organizations"]:
        status(org, console)


def quality(answer: dict[str, Any], console: Console) -> None:
    console.print(
        f"{answer['table']} of organization {answer['org_id']}, last {answer['days']} days: "
        f"score {answer['score']} of 100"
    )
    for name, value in answer.items():
        if name in ("columns", "checks", "trend", "table", "org_id", "days", "score"):
            continue
        counts = value.items() if isinstance(value, dict) else ()
        shown = ", ".join(f"{number} {what}" for what, number in counts) or value
        console.print(f"  {name}: {shown}")
    scores = Table("check", "score", "checked", "failed", "detail")
    for c in answer.get("checks", ()):
        scores.add_row(*(_cell(c[k]) for k in ("name", "score", "checked", "failed", "detail")))
    console.print(scores)
    days = Table("day", "files", "read", "landed", "quarantined", "success", "partial", "score")
    for d in answer.get("trend", ()):
        days.add_row(
            *(_cell(d[k]) for k in ("day", "files", "rows_read", "landed", "quarantined")),
            *(_cell(d[k]) for k in ("success", "partial", "score")),
        )
    console.print(days)
    grid = Table("column", "type", "rows", "empty", "distinct")
    for c in answer.get("columns", ()):
        grid.add_row(*(_cell(c[k]) for k in ("column", "type", "rows", "empty", "distinct")))
    console.print(grid)


def _cell(value: object) -> str:
    return "-" if value is None else str(value)


def audit(answer: dict[str, Any], console: Console) -> None:
    heads = ("seq", "at", "kind", "actor", "subject", "run")
    rows = [
        (str(e["seq"]), str(e["at"])[:19], e["kind"], e["actor"], e["subject"], e["run_id"] or "")
        for e in answer["events"]
    ]  # fmt: skip
    widths = [max(map(cell_len, column)) for column in zip(heads, *rows, strict=True)]
    for cells in (heads, *rows):  # ids are for copying: none is cut
        line = "  ".join(set_cell_size(c, w) for c, w in zip(cells, widths, strict=True))
        console.print(line.rstrip(), **PLAIN)
    chain = answer["chain"]
    if chain["ok"]:
        console.print(
            f"The chain of {chain['events']:,} events is whole. Anchor: {chain['anchor']}", **PLAIN
        )
    else:
        console.print(f"BROKEN at event {chain['first_broken']}: {chain['problem']}.")
    for warning in chain.get("warnings", ()):
        console.print(f"Warning: {warning}.")


def run(answer: dict[str, Any], console: Console) -> None:
    console.print(f"{answer['dag_run_id']}: {answer['state']}")
    for task in answer.get("tasks", ()):
        console.print(f"  {task['task_id']}: {task['state']}")
    if answer.get("problem"):
        console.print(f"{answer['problem']['detail']} {answer['problem']['next_step']}")
    if (summary := answer.get("plan_summary")) is not None:
        counts = ", ".join(f"{n:,} {s.replace('_', ' ')}" for s, n in summary["status"].items())
        total = sum(summary["status"].values())
        if summary.get("unused"):
            console.print(f"{summary['unused']} {UNUSED}", **PLAIN)
        console.print(f"{total:,} items as of {summary['as_of']}: {counts}. {URGENT}")
    if "plan" in answer:
        plan(answer["plan"], console)


@dataclass(frozen=True, kw_only=True)
class Column:
    """`rank`: columns of a high rank are left out first where there is no room."""

    title: str
    cells: list[str]
    rank: int = 0
    justify: Literal["left", "right"] = "left"
    least: int = 0
    """Cells below which this column is not shortened; 0: it is never shortened."""

    @property
    def width(self) -> int:
        return max(map(cell_len, (self.title, *self.cells)))


def plan(rows: list[dict[str, Any]], console: Console) -> None:
    """The most urgent items, in as many columns as the terminal has room for."""

    def texts(key: str) -> list[str]:
        return [str(r.get(key) if r.get(key) is not None else "-") for r in rows]

    def numbers(key: str) -> list[str]:
        return [_number(r.get(key)) for r in rows]

    if not rows:
        console.print("The plan holds no item.")
        return
    columns = [
        Column(title="#", cells=texts("urgency"), justify="right"),
        Column(title="item", cells=texts("item"), least=12),
        Column(title="name", cells=[str(r["name"] or "") for r in rows], least=14, rank=3),
        Column(title="on hand", cells=numbers("on_hand"), justify="right", rank=1),
        Column(title="reorder at", cells=numbers("reorder_point"), justify="right", rank=2),
        Column(title="order", cells=numbers("order_quantity"), justify="right"),
        Column(title="days left", cells=numbers("days_of_cover"), justify="right", rank=4),
        Column(title="out on", cells=texts("stockout_date"), rank=1),
        Column(title="class", cells=texts("class"), rank=5),
        Column(title="status", cells=[s.replace("_", " ") for s in texts("status")], least=6),
    ]
    shown = fitting(columns, console.width)
    console.print(_line([c.title for c, _ in shown], shown), style="bold", **PLAIN)
    console.print("─" * (sum(w for _, w in shown) + GAP * (len(shown) - 1)), **PLAIN)
    for n in range(len(rows)):
        console.print(_line([c.cells[n] for c, _ in shown], shown), **PLAIN)
    left_out = [c.title for c in columns if c not in [s for s, _ in shown]]
    if left_out:
        console.print(f"Not shown for want of room: {', '.join(left_out)}. --json has all.")


GAP = 2
"""Cells between two columns."""
PLAIN: Any = {"soft_wrap": True}
"""Not wrapped: what is for copying, and lines that are fitted already."""


def _line(cells: list[str], shown: list[tuple[Column, int]]) -> str:
    parts = []
    for cell, (column, width) in zip(cells, shown, strict=True):
        text = _cut(cell, width)
        space = " " * (width - cell_len(text))
        parts.append(space + text if column.justify == "right" else text + space)
    return (" " * GAP).join(parts).rstrip()


def fitting(columns: list[Column], width: int) -> list[tuple[Column, int]]:
    """The columns that fit, with their widths: texts are shortened first, then columns go."""
    shown = list(columns)
    while True:
        room = width - GAP * (len(shown) - 1)
        widths = [c.width for c in shown]
        over = sum(widths) - room
        for n, column in enumerate(shown):
            if column.least and over > 0:
                given = min(over, max(0, widths[n] - column.least))
                widths[n] -= given
                over -= given
        highest = max(shown, key=lambda c: c.rank)
        if over <= 0 or highest.rank == 0:
            return list(zip(shown, widths, strict=True))
        shown.remove(highest)


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def _number(value: Any) -> str:
    return "-" if value is None else f"{float(value):,.0f}"
