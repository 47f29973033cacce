"""Whether a relay is at work: without one, what was accepted waits, and nobody would say so."""

from __future__ import annotations

from datetime import timedelta

from django.db.models.functions import Now

from backend.runs.models import RelayBeat

DELIVER, RECONCILE = "deliver", "reconcile"
SILENT_AFTER = timedelta(minutes=3)
"""Longer than a round takes with an Airflow that hangs."""
NEXT_STEP = (
    "No relay has come round for three minutes: start `manage.py run_relay` (`supplyline up` does, "
    "`supplyline logs relay` shows what it said). What was accepted is delivered then."
)


def beat(half: str) -> None:
    """Says that this half of a relay is at work."""
    if not RelayBeat.objects.filter(pk=half).update(at=Now()):
        RelayBeat.objects.bulk_create([RelayBeat(half=half, at=Now())], ignore_conflicts=True)


def is_silent() -> bool:
    """Whether one half, or both, have not come round lately."""
    recent = RelayBeat.objects.filter(at__gt=Now() - SILENT_AFTER)
    return set(recent.values_list("half", flat=True)) != {DELIVER, RECONCILE}
