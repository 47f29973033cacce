"""What a downloaded table holds: numbers as people write them, no formulas."""

from __future__ import annotations

import io

from backend.api.downloads import write_csv


def test_numbers_have_no_digits_of_binary_arithmetic() -> None:
    out = io.BytesIO()
    row = (2802.3799999999997, 57546.740000000005, 1 / 3, 1e-9, 0.0, None, 98.0, 10**15, "=1")
    write_csv(out, header=["h"] * len(row), rows=[row])
    line = out.getvalue().decode("utf-8-sig").splitlines()[1]
    assert line == "2802.38,57546.74,0.333333333333,1e-09,0.0,,98.0,1000000000000000,'=1"
