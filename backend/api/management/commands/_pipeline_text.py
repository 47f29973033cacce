"""The answers of manage_enhanced_pipeline as a person reads them."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table


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
    console.print(f"Organization {answer['org_id']}")
    grid = Table("stage", "DAG", "state", "last run", "counts", "fresh as of", "lag", "next step")
    for s in answer["stages"]:
        counts = ", ".join(f"{k} {v:,}" for k, v in s["counts"].items() if v) or "-"
        last = s["last_run"]["dag_run_id"] if s["last_run"] else "-"
        grid.add_row(
            s["stage"], s["dag_id"], s["state"], last, counts, (s["fresh_as_of"] or "-")[:19],
            f"{s['lag_seconds']:.0f} s", s["next_step"],
        )  # fmt: skip
    console.print(grid)
    for t in answer["tables"]:
        certificate(t, console)
    if answer.get("problem"):
        console.print(f"{answer['problem']['detail']} {answer['problem']['next_step']}")


def certificate(table: dict[str, Any], console: Console) -> None:
    c = table["certificate"]
    rows = table["rows_in_table"]
    console.print(
        f"  {table['table']}: {table['files']} files, {rows if rows is not None else 0:,} rows in "
        f"PostgreSQL; last certificate: {c['verdict'] + ' for ' + c['file_name'] if c else 'none'}"
    )
    for difference in (c or {}).get("differences", ()):
        console.print(f"    - {difference}")


def overall(answer: dict[str, Any], console: Console) -> None:
    airflow = answer["airflow"]
    if "components" in airflow:
        parts = ", ".join(f"{k} {v}" for k, v in airflow["components"].items())
        console.print(f"Airflow: {parts}")
    else:
        console.print(f"Airflow: {airflow['detail']} {airflow['next_step']}")
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
        console.print(f"  {name}: {value}")
    scores = Table("check", "score", "checked", "failed", "detail")
    for c in answer.get("checks", ()):
        scores.add_row(*(str(c[k]) for k in ("name", "score", "checked", "failed", "detail")))
    console.print(scores)
    days = Table("day", "files", "read", "landed", "quarantined", "success", "partial", "score")
    for d in answer.get("trend", ()):
        days.add_row(
            *(str(d[k]) for k in ("day", "files", "rows_read", "landed", "quarantined")),
            *(str(d[k]) for k in ("success", "partial", "score")),
        )
    console.print(days)
    grid = Table("column", "type", "rows", "empty", "distinct")
    for c in answer.get("columns", ()):
        grid.add_row(*(str(c[k]) for k in ("column", "type", "rows", "empty", "distinct")))
    console.print(grid)


def audit(answer: dict[str, Any], console: Console) -> None:
    grid = Table("seq", "at", "kind", "actor", "subject", "run")
    for e in answer["events"]:
        grid.add_row(
            str(e["seq"]), str(e["at"])[:19], e["kind"], e["actor"], e["subject"], e["run_id"]
        )
    console.print(grid)
    console.print(f"chain: {answer['chain']}")


def run(answer: dict[str, Any], console: Console) -> None:
    console.print(f"{answer['dag_run_id']}: {answer['state']}")
    for task in answer.get("tasks", ()):
        console.print(f"  {task['task_id']}: {task['state']}")
    if answer.get("problem"):
        console.print(f"{answer['problem']['detail']} {answer['problem']['next_step']}")
    if answer.get("plan"):
        plan(answer["plan"], console)


def plan(rows: list[dict[str, Any]], console: Console) -> None:
    """The most urgent orders."""
    grid = Table("#", "item", "name", "on hand", "reorder at", "order", "days of cover", "class",
                 "status")  # fmt: skip
    for r in rows:
        grid.add_row(
            str(r["urgency"]), str(r["item"]), str(r["name"] or "")[:30],
            *(_number(r[k]) for k in ("on_hand", "reorder_point", "order_quantity",
                                      "days_of_cover")),
            r["class"], r["status"],
        )  # fmt: skip
    console.print(grid)


def _number(value: Any) -> str:
    return "-" if value is None else f"{float(value):,.0f}"
