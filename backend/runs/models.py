"""Intents to run a DAG, and the outbox from which the relay delivers them to Airflow."""

from __future__ import annotations

import uuid

from django.db import models

from backend.accounts.models import Organization


class Run(models.Model):
    """One intent, one run (P2). `dag_run_id` is derived from the intent before Airflow is asked.

    Runs that were started in Airflow itself are adopted: they get a row here by their conf.
    """

    class State(models.TextChoices):
        PENDING = "pending", "accepted, not yet in Airflow"
        QUEUED = "queued"
        RUNNING = "running"
        SUCCESS = "success"
        PARTIAL = "partial", "finished, with rows set aside or differences"
        FAILED = "failed"
        REFUSED = "refused", "Airflow cannot run this; trying again cannot help"

    UNFINISHED = (State.PENDING, State.QUEUED, State.RUNNING)

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    org = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="runs")
    dag_id = models.CharField(max_length=100)
    dag_run_id = models.CharField(max_length=250)
    conf = models.JSONField()
    state = models.CharField(max_length=10, choices=State, default=State.PENDING)
    source = models.CharField(max_length=20)
    user_id_text = models.CharField(max_length=64, default="system")
    parent_run_id = models.CharField(max_length=250, blank=True)
    correlation_id = models.CharField(max_length=64, blank=True)
    # NULL, not "", where there is none: the unique constraint must not compare those
    idempotency_key = models.CharField(max_length=200, null=True, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    error_code = models.CharField(max_length=40, blank=True)
    error_detail = models.TextField(blank=True)
    next_step = models.TextField(blank=True)
    created_at = models.DateTimeField()
    delivered_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    deadline = models.DateTimeField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["dag_id", "dag_run_id"], name="run_of_dag"),
            models.UniqueConstraint(
                fields=["org", "dag_id", "idempotency_key"], name="run_idempotency"
            ),
        )
        indexes = (
            models.Index(fields=["org", "dag_id", "-created_at"], name="run_org_dag"),
            models.Index(fields=["state", "created_at"], name="run_state"),
        )

    def __str__(self) -> str:
        return self.dag_run_id


class Outbox(models.Model):
    """A run that Airflow must still hear of; written in the intent's transaction (P1)."""

    run = models.OneToOneField(Run, primary_key=True, on_delete=models.CASCADE)
    due_at = models.DateTimeField(db_index=True)
    attempts = models.IntegerField(default=0)
    leased_until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.run_id} due {self.due_at:%H:%M:%S}"


class RelayBeat(models.Model):
    """When each half of a relay (`deliver`, `reconcile`) last came round, by PostgreSQL's clock."""

    half = models.CharField(primary_key=True, max_length=20)
    at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.half} {self.at:%H:%M:%S}"
