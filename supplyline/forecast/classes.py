"""Demand classes: what kind of history an item has decides which methods are tried.

Smooth, erratic, intermittent and lumpy follow Syntetos, Boylan and Croston (2005, "On the
categorization of demand patterns", JORS 56, 495-503): the average inter-demand interval ADI is
cut at 1.32 and the squared coefficient of variation CV² of non-zero demand at 0.49. Three more
say why an item has no such pattern: `new`, `dead`, `insufficient`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from supplyline.forecast.series import Floats

DemandClass = Literal["smooth", "erratic", "intermittent", "lumpy", "new", "dead", "insufficient"]
ADI_CUT = 1.32
CV2_CUT = 0.49
NEW_BELOW = 8
"""Periods of history below which a pattern cannot be told."""
GONE = 8.0
"""Usual gaps between demands without one after which an item of class dead is not stocked; of those
that are silent for half as long some begin again."""


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """`adi`: mean periods between demands; `cv2`: squared CV of non-zero demand; `idle`: periods
    since the last demand."""

    name: DemandClass
    adi: float
    cv2: float
    idle: int
    why: str


def classify(values: Floats) -> Pattern:
    """The class of one history (oldest first)."""
    n = values.size
    nonzero = np.flatnonzero(values)
    if nonzero.size == 0:
        name: DemandClass = "insufficient" if n < NEW_BELOW else "dead"
        why = "No demand at all in the history." if n else "No history."
        return Pattern(name=name, adi=float("inf"), cv2=0.0, idle=n, why=why)
    size = values[nonzero]
    adi = n / nonzero.size
    mean = float(np.abs(size).mean())
    cv2 = float(size.var() / mean**2) if mean else 0.0
    idle = int(n - 1 - nonzero[-1])
    if n < 3:
        return Pattern(
            name="insufficient", adi=adi, cv2=cv2, idle=idle, why=f"Only {n} periods of history."
        )
    if idle >= max(NEW_BELOW, 4.0 * (nonzero[-1] + 1) / nonzero.size) and idle > n / 3:
        why = f"No demand in the last {idle} of {n} periods."
        return Pattern(name="dead", adi=adi, cv2=cv2, idle=idle, why=why)
    if n < NEW_BELOW:
        why = f"On sale for {n} periods, fewer than {NEW_BELOW}."
        return Pattern(name="new", adi=adi, cv2=cv2, idle=idle, why=why)
    why = f"ADI {adi:.2f} (cut {ADI_CUT}), CV² {cv2:.2f} (cut {CV2_CUT})."
    if adi < ADI_CUT:
        name = "smooth" if cv2 < CV2_CUT else "erratic"
    else:
        name = "intermittent" if cv2 < CV2_CUT else "lumpy"
    return Pattern(name=name, adi=adi, cv2=cv2, idle=idle, why=why)


def gone(values: Floats) -> bool:
    """Whether an item of class dead was silent for so long that it is not stocked at all."""
    pattern = classify(values)
    if pattern.name != "dead":
        return False
    sold = np.flatnonzero(values)
    return bool(sold.size == 0 or pattern.idle >= GONE * (sold[-1] + 1) / sold.size)
