"""The public sets that forecasts and levels are measured on."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd

DATA = Path(
    os.environ.get("SUPPLYLINE_TEST_DATA")
    or Path(__file__).resolve().parents[2] / "shared" / "data"
)
SETS = {
    "m3": ("accuracy/m3_monthly_public.csv.gz", 18, 12),
    "m4w": ("accuracy/m4_weekly_public.csv.gz", 13, 52),
    "m5": ("retail/m5_1000_long_public.csv.gz", 28, 7),
    "braf": ("intermittent/braf_public.csv.gz", 12, 12),
    "auto": ("intermittent/auto_public.csv.gz", 6, 12),
    "carparts": ("intermittent/carparts_public.csv.gz", 6, 12),
}
"""File, periods held out and periods in a season."""


def load(name: str, *, sample: int, back: int = 0) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Id, history and what is held out, per series; `sample`: of so many of them, 0 for all;
    `back`: so many last periods are left out."""
    path, horizon, _ = SETS[name]
    frame = pd.read_csv(DATA / path, dtype={"unique_id": str})
    out = []
    for item, group in frame.groupby("unique_id", sort=True):
        y = group["y"].to_numpy(float)
        if "split" in group and not back:
            test = (group["split"] == "test").to_numpy()
            past, future = y[~test], y[test]
        else:
            y = y[: y.size - back]
            past, future = y[:-horizon], y[-horizon:]
        first = np.flatnonzero(past)
        if name == "m5" and first.size:
            past = past[first[0] :]
        if first.size:
            out.append((str(item), past, future))
    if sample and sample < len(out):
        keep = np.random.default_rng(1).choice(len(out), sample, replace=False)
        out = [out[i] for i in sorted(keep)]
    return out
