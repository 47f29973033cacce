"""What the type of a line says: sales, returns, movements of stock."""

from __future__ import annotations

import pytest

from supplyline.forecast.documents import MOVEMENTS, is_ledger, kind_of, meanings
from supplyline.forecast.statuses import AS_IS, BACK, OUT, TURNED, VOID

POSITIVE, NEGATIVE = (100, 0), (100, 100)


def said(counts: dict[str, tuple[int, int]], column: str = "type") -> dict[str, str]:
    codes = column in MOVEMENTS
    return meanings({text: kind_of(text, codes=codes) for text in counts}, counts)


def test_returns_and_credit_notes_come_off_and_what_is_void_is_left_out() -> None:
    till = {"SALE": POSITIVE, "RETURN": POSITIVE, "VOID": POSITIVE, "EXCHANGE": POSITIVE}
    assert said(till) == {"SALE": AS_IS, "RETURN": BACK, "VOID": VOID, "EXCHANGE": AS_IS}
    books = dict.fromkeys(("Invoice", "Credit Memo", "Sales Receipt", "Estimate"), POSITIVE)
    assert said(books) == {
        "Invoice": AS_IS, "Credit Memo": BACK, "Sales Receipt": AS_IS, "Estimate": OUT,
    }  # fmt: skip
    assert said({"Rechnung": POSITIVE, "Gutschrift": POSITIVE})["Gutschrift"] == BACK
    lines = dict.fromkeys(("Item", "G/L Account", "Comment"), POSITIVE)
    assert said(lines) == {"Item": AS_IS, "G/L Account": OUT, "Comment": OUT}


def test_in_a_ledger_of_movements_only_what_went_out_is_demand() -> None:
    entries = {"Sale": NEGATIVE, "Purchase": POSITIVE, "Transfer": (4, 2), "Sales Return": POSITIVE}
    assert said(entries) == {
        "Sale": TURNED, "Purchase": OUT, "Transfer": OUT, "Sales Return": BACK,
    }  # fmt: skip
    assert said({"OUT": POSITIVE, "IN": POSITIVE}) == {"OUT": AS_IS, "IN": OUT}
    assert said({"Purchase Invoice": POSITIVE, "Sales Invoice": POSITIVE}) == {
        "Purchase Invoice": OUT, "Sales Invoice": AS_IS,
    }  # fmt: skip
    sap = {"601": NEGATIVE, "602": POSITIVE, "101": POSITIVE, "311": (4, 2), "261": NEGATIVE}
    assert said(sap, "bewegungsart") == {
        "601": TURNED, "602": BACK, "101": OUT, "311": OUT, "261": TURNED,
    }  # fmt: skip

    assert said({"Sale": NEGATIVE, "Receipt": POSITIVE}, "movement_type")["Receipt"] == OUT


@pytest.mark.parametrize(
    "words",
    [
        ("Standard", "Express"), ("Item",), ("601", "101"), ("Return customer", "New customer"),
        ("Bank transfer", "Invoice", "Credit card"), ("Eat in", "Take out"), ("Return", "Single"),
    ],
)  # fmt: skip
def test_other_words_say_nothing(words: tuple[str, ...]) -> None:
    counts = dict.fromkeys(words, POSITIVE) | ({"Return": (900, 0)} if "Return" in words else {})
    assert set(said(counts).values()) == {AS_IS}
    assert not is_ledger({w: kind_of(w, codes=False) for w in words}, counts)
