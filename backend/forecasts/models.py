"""When each organization is forecast."""

from __future__ import annotations

from django.db import models

from backend.accounts.models import Organization


class Schedule(models.Model):
    """A nightly forecast at a local time. `next_due` is claimed by a conditional UPDATE, so that
    two relays start one run."""

    org = models.OneToOneField(
        Organization, primary_key=True, on_delete=models.CASCADE, related_name="forecast_schedule"
    )
    enabled = models.BooleanField(default=True)
    at = models.TimeField()
    timezone = models.CharField(max_length=64, default="UTC")
    weekdays = models.CharField(max_length=7, default="1234567")
    next_due = models.DateTimeField(null=True, blank=True, db_index=True)
    last_due = models.DateTimeField(null=True, blank=True)
    last_outcome = models.CharField(max_length=200, blank=True)
    set_by = models.CharField(max_length=64, blank=True)

    def __str__(self) -> str:
        return f"{self.org_id} at {self.at:%H:%M} {self.timezone}"
