"""Postage, vouchers and corrections are told from products by code and name."""

from __future__ import annotations

import pytest

from supplyline.forecast.fees import Usual, is_fee, usual

DIGITS = usual([*(f"{n}A" for n in range(22000, 22040)), "POST", "gift_0001_40"])
LETTERS = usual(["LAMP", "SHADE", "B", "CHAIR"])


@pytest.mark.parametrize(
    ("item", "name", "among", "expected"),
    [
        ("POST", "POSTAGE", DIGITS, True),
        ("gift_0001_40", "Dotcomgiftshop Gift Voucher £40.00", DIGITS, True),
        ("BANK CHARGES", "", DIGITS, True),
        ("B", "Adjust bad debt", DIGITS, True),
        ("22423", "POSTAGE STAMP MUG", DIGITS, False),
        ("DCGS0003", "BOXED GLASS ASHTRAY", DIGITS, False),
        ("B", "", LETTERS, False),
        ("LAMP", "Sample lamp", LETTERS, False),
        ("SHIPPING", "Shipping", LETTERS, True),
    ],
)
def test_what_is_a_fee(item: str, name: str, among: Usual, expected: bool) -> None:
    assert is_fee(item, name, among=among) is expected
