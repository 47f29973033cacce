"""Reads of this room."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import OuterRef, Subquery

from backend.files.models import Upload


def twins_of(uploads: Iterable[Upload]) -> dict[int, str]:
    """Primary key of an upload → id of the first file of its table with the same bytes, where one
    came before. Readings and corrections of a file are no duplicates of it."""
    first = (
        Upload.objects.filter(
            org_id=OuterRef("org_id"),
            sha256=OuterRef("sha256"),
            table=OuterRef("table"),
            origin="",
            replay_of="",
            created_at__lt=OuterRef("created_at"),
        )
        .order_by("created_at")
        .values("file_id")[:1]
    )
    asked = Upload.objects.filter(pk__in=[u.pk for u in uploads if not (u.origin or u.replay_of)])
    found = asked.annotate(twin=Subquery(first)).exclude(twin=None)
    return dict(found.values_list("pk", "twin"))
