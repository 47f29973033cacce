"""Lines whose status says that nothing was sold are no demand; unknown statuses are, and said."""

from __future__ import annotations

from datetime import date

import pandas as pd
import pytest

from supplyline.errors import NotEnoughHistory
from supplyline.forecast.demand import Lines, collect
from supplyline.forecast.statuses import Statuses

TODAY = date(2026, 1, 1)


def read(
    rows: list[tuple[str, str, str]], *, statuses: Statuses | None = None, **more: str
) -> Lines:
    """Rows of item, quantity and status; `column`: what the last one is called."""
    frame = pd.DataFrame(rows, columns=["item", "quantity", more.get("column", "status:status")])
    frame.insert(1, "date", "2025-06-01")
    return collect([frame.astype("category")], today=TODAY, statuses=statuses)


@pytest.mark.parametrize(
    "status",
    ["cancelled", "CANCELED", "Order Cancelled", "Void", "refunded", "Returned", "draft",
     "Storniert", "annulé", "Anulada", "Entwurf", "Shipped - Returned to Seller",
     "OrderCancelled", "zurückgesendet"],
)  # fmt: skip
def test_what_was_not_sold_is_left_out_and_listed(status: str) -> None:
    found = read([("a", "8", "completed"), ("a", "200", status), ("b", "5", "shipped")])
    assert found.quantity.tolist() == [8, 5]
    assert found.report["left_out_by_status"] == 1
    assert found.statuses["left_out"] == [
        {"column": "status", "status": status, "lines": 1, "units": 200.0}
    ]
    assert found.notes[0] == (f"1 line of 200 units with status = {status!r} left out.",)
    assert 1 not in found.notes


@pytest.mark.parametrize(
    "status",
    ["Partially refunded", "not cancelled", "return requested", "nicht storniert", "on hold"],
)
def test_what_is_no_cancellation_counts(status: str) -> None:
    assert read([("a", "8", "completed"), ("a", "200", status)]).quantity.tolist() == [8, 200]


def test_an_unknown_status_counts_and_is_said() -> None:
    found = read([("a", "8", "completed"), ("a", "3", "Frobnicated")])
    assert found.quantity.tolist() == [8, 3]
    assert found.statuses == {
        "unknown_counted": [{"column": "status", "status": "Frobnicated", "lines": 1, "units": 3.0}]
    }
    assert "Frobnicated" in found.notes[0][0]


def test_a_state_of_the_map_is_no_status() -> None:
    places = [("a", "8", "CA"), ("a", "3", "New York"), ("a", "3", "Oklahoma")]
    found = read(places, column="status:state")
    assert (found.quantity.size, found.statuses, found.notes) == (3, {}, {})


def test_a_flag_may_say_it_too() -> None:
    rows = [("a", "8", "false"), ("a", "200", "true"), ("a", "7", ""), ("a", "90", "2025-01-31")]
    found = read(rows, column="cancelled:cancelled_at")
    assert found.quantity.tolist() == [8, 7]


def test_the_organization_decides() -> None:
    rows = [("a", "8", "cancelled"), ("a", "3", "Status X")]
    own = Statuses(counted=frozenset({"cancelled"}), left_out=frozenset({"status x"}))
    assert read(rows, statuses=own).quantity.tolist() == [8]


def test_a_negative_line_stays_a_return_whatever_its_status() -> None:
    rows = [("a", "-8", "returned"), ("a", "-3", "draft"), ("a", "9", "paid")]
    assert read(rows).quantity.tolist() == [-8, 9]


def test_when_nothing_is_left_the_reason_is_said() -> None:
    with pytest.raises(NotEnoughHistory, match=r"All 1 readable lines .* by their status"):
        read([("a", "8", "cancelled")])
