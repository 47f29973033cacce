"""What manage_enhanced_pipeline prints can be read in a narrow terminal."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.cells import cell_len

from backend.api.management.commands import _pipeline_text as text
from backend.api.management.commands.manage_enhanced_pipeline import Command
from supplyline.overview import lines_unused


def printed(answer: Any, *, width: int, action: str = "status") -> str:
    out = io.StringIO()
    text.show(action, answer, text.console_of(out, width=width))
    return out.getvalue()


def row(n: int, **more: Any) -> dict[str, Any]:
    return {
        "urgency": n, "item": f"8512{n:03}A", "name": "WHITE HANGING HEART T-LIGHT HOLDER, LARGE",
        "on_hand": 1234.0 * n, "reorder_point": 22222.4, "order_quantity": 12345.0,
        "days_of_cover": 11.2, "stockout_date": "2026-12-06", "class": "intermittent",
        "status": "insufficient_history", **more,
    }  # fmt: skip


def stage(name: str, **more: Any) -> dict[str, Any]:
    return {
        "stage": name, "dag_id": "enhanced_org_aware_ingest_dag", "state": "success",
        "last_run": {"dag_run_id": f"{name}__0c6f2d7a9b0e4b0f8c1d2e3f4a5b6c7d"},
        "counts": {"files": 305, "rows_read": 541909, "landed": 541900, "quarantined": 9},
        "fresh_as_of": "2026-11-25T13:00:01.123+00:00", "lag_seconds": 0.0,
        "next_step": "Files wait for a load: POST /api/airflow/trigger/mongo-to-postgres/.", **more,
    }  # fmt: skip


STATUS = {
    "org_id": "123",
    "stages": [stage("ingest"), stage("load"), stage("forecast", last_run=None, counts={})],
    "tables": [
        {"table": "sales", "files": 2, "rows_in_table": 5,
         "certificate": {"verdict": "partial", "file_name": "a[old].csv", "differences": ["[b] 1"]}}
    ],
}  # fmt: skip


@pytest.mark.parametrize("width", [60, 80, 100, 160])
def test_the_plan_keeps_its_numbers_in_every_width(width: int) -> None:
    run = {
        "dag_run_id": "forecast__1", "state": "success",
        "plan": [row(n) for n in range(1, 21)],
        "plan_summary": {"as_of": "2026-11-22", "status": {"order": 13, "ok": 237}},
    }  # fmt: skip
    lines = printed(run, width=width, action="trigger-forecast").splitlines()
    assert max(map(cell_len, lines)) <= width
    body = [line for line in lines if "8512" in line]
    assert len(body) == 20
    for n, line in enumerate(body, start=1):
        assert line.split()[0] == str(n)
        assert "12,345" in line
        if width >= 80:
            assert f"{1234 * n:,}" in line
            assert "2026-12-06" in line
            assert "22,222" in line
    assert ("Not shown" in "\n".join(lines)) == (width < 160)
    assert "250 items as of 2026-11-22: 13 order, 237 ok. First" in lines[1]


def test_what_is_not_known_is_a_dash_and_wide_letters_count_double() -> None:
    one = row(1, item="帽子" * 12, name=None, on_hand=None, order_quantity=None, stockout_date=None)
    lines = printed({"dag_run_id": "f", "state": "success", "plan": [one]}, width=80,
                    action="trigger-forecast").splitlines()  # fmt: skip
    assert max(map(cell_len, lines)) <= 80
    assert any(line.split().count("-") >= 3 for line in lines)


@pytest.mark.parametrize("width", [50, 80, 120, 170])
def test_the_status_is_never_cut_off(width: int) -> None:
    shown = printed(STATUS, width=width)
    assert max(map(cell_len, shown.splitlines())) <= width
    flat = "".join(shown.split()).replace("│", "").replace("┃", "")
    if width < text.WIDE:
        for part in (
            "ingest__0c6f2d7a9b0e4b0f8c1d2e3f4a5b6c7d",
            "rowsread541,909",
            "2026-11-2513:00:01",
            "Fileswaitforaload:",
            "enhanced_org_aware_ingest_dag",
        ):
            assert part in flat  # fmt: skip
    assert "lastcertificate:partialfora[old].csv" in flat
    assert "-[b]1" in flat


def test_what_a_quality_report_does_not_know_is_a_dash_and_counts_are_words() -> None:
    answer = {
        "org_id": "1", "table": "products", "days": 7, "score": 99.0,
        "certificates": {"success": 3, "partial": 1},
        "checks": [{"name": "references", "score": None, "checked": 0, "failed": 0, "detail": "x"}],
        "trend": [], "columns": [],
    }  # fmt: skip
    shown = printed(answer, width=120, action="quality")

    assert "certificates: 3 success, 1 partial" in shown
    assert "None" not in shown


def test_what_a_forecast_could_not_use_and_what_was_refused_is_said() -> None:
    unused = lines_unused(
        {"lines": {"lines": 12209, "unused": 12149, "without_item": 12149, "in_the_future": 3}}
    )
    assert unused == (
        "12,149 of 12,209 lines of sales are not used: 12,149 without an item, 3 of days to come."
    )
    assert lines_unused({"lines": {"lines": 5}}) == ""
    summary = {"as_of": "2026-11-22", "status": {"ok": 1}, "unused": unused}
    run = {"dag_run_id": "f", "state": "success", "plan": [row(1)], "plan_summary": summary}
    told = printed(run, width=80, action="trigger-forecast")
    assert unused in told
    assert "`aliases`" in told
    table = {**STATUS["tables"][0], "refused": [{"name": "b[1].csv", "reason": "It lacks sku."}]}
    assert "- refused: b[1].csv: It lacks sku." in printed({**STATUS, "tables": [table]}, width=80)


def test_the_audit_trail_cuts_no_id() -> None:
    run = f"load__ingest__{'a' * 32}"
    event = {"seq": 7, "at": "2026-11-25T20:01:02+00:00", "kind": "table_settings.saved",
             "actor": "user_789", "subject": "p" * 48, "run_id": run}  # fmt: skip
    chain = {"ok": True, "events": 7, "anchor": "7:abc"}
    answer = {"events": [event, {**event, "seq": 6, "run_id": None}], "chain": chain}
    told = printed(answer, width=80, action="audit").splitlines()
    assert told[0].split() == ["seq", "at", "kind", "actor", "subject", "run"]
    assert told[1].split()[2:] == [event[k] for k in ("kind", "actor", "subject", "run_id")]
    assert told[2].split()[0] == "6"


ACTIONS = ("status", "trigger-ingest", "trigger-postgres-load", "trigger-forecast", "quality",
           "audit")  # fmt: skip


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_shows_an_example(action: str, capsys: pytest.CaptureFixture[str]) -> None:
    parser = Command().create_parser("manage.py", "manage_enhanced_pipeline")
    with pytest.raises(SystemExit):
        parser.parse_args([action, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert f"example: manage.py manage_enhanced_pipeline {action} --" in shown
