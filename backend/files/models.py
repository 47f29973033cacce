"""What was uploaded; the bytes lie in storage."""

from __future__ import annotations

from django.db import models

from backend.accounts.models import Organization
from backend.runs.models import Run


class Upload(models.Model):
    """One uploaded file of one organization; `file_id` is unique within it.

    `options`: what was said about how it is written. `origin`: the file whose bytes this one reads
    anew. `replay_of`: the file whose quarantined rows it corrects.
    """

    org = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="uploads")
    file_id = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    table = models.CharField(max_length=48)
    table_reasons = models.JSONField(default=list)
    options = models.JSONField(default=dict)
    origin = models.CharField(max_length=64, blank=True)
    replay_of = models.CharField(max_length=64, blank=True)
    user_id_text = models.CharField(max_length=64)
    run = models.OneToOneField(Run, null=True, on_delete=models.SET_NULL, related_name="upload")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = (models.UniqueConstraint(fields=["org", "file_id"], name="upload_file_id"),)
        indexes = (
            models.Index(fields=["org", "-created_at"], name="upload_recent"),
            models.Index(fields=["org", "sha256"], name="upload_content"),
        )

    def __str__(self) -> str:
        return f"{self.org_id}/{self.file_id}"


class ResumableUpload(models.Model):
    """An upload that arrives in several requests (tus 1.0). `offset`: bytes that are safe.

    The last bytes, the file's upload and its intent are recorded in one transaction: as long as
    `state` is open, nothing was accepted.
    """

    class State(models.TextChoices):
        OPEN = "open"
        DONE = "done", "accepted as `upload`"
        REFUSED = "refused", "complete, and no table; `problem` says why"

    key = models.CharField(primary_key=True, max_length=32)
    org = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="resumables")
    user_id_text = models.CharField(max_length=64)
    file_id = models.CharField(max_length=64)
    name = models.CharField(max_length=255)
    table = models.CharField(max_length=48, blank=True)
    options = models.JSONField(default=dict)
    size = models.BigIntegerField()
    offset = models.BigIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    problem = models.JSONField(null=True)
    upload = models.OneToOneField(Upload, null=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.org_id}/{self.key} {self.offset}/{self.size}"
