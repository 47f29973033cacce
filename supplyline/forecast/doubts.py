"""What a buyer should look at before trusting a forecast, said in the plan's explanation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supplyline.forecast.series import Floats

if TYPE_CHECKING:
    from supplyline.forecast.engine import Forecast

YEAR = {"day": 364, "week": 52, "month": 12}
FAR = 3.0
"""Ratio of forecast to the year before, or the reverse, from which on it is said."""


def doubts(values: Floats, forecast: Forecast | None, bucket: str) -> tuple[str, ...]:
    """Seasons that one year of history shows and no model can tell from growth."""
    year = YEAR[bucket]
    if forecast is None or not year <= values.size < 2 * year:
        return ()
    ahead = min(forecast.mean.size, year)
    before = float(values[values.size - year :][:ahead].sum())
    expected = float(forecast.mean[:ahead].clip(min=0).sum())
    large, small = max(before, expected), min(before, expected)
    if large < FAR * max(small, 1.0) or large < 0.1 * float(values[-year:].sum()):
        return ()
    return (
        f"In the same {ahead} {bucket}s a year ago {before:.6g} units were sold; the forecast says "
        f"{expected:.6g}. Less than two years of history cannot tell a season from growth: look at "
        "it, and override it if you know better.",
    )
