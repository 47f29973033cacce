"""Organizations, their users, and the failed logins that slow guessing down."""

from __future__ import annotations

import secrets

from django.contrib.auth.models import AbstractUser
from django.db import models


class Role(models.TextChoices):
    """What a user may do within the own organization; each includes the one before it."""

    VIEWER = "viewer", "may read"
    EDITOR = "editor", "may also upload and trigger"
    OWNER = "owner", "may also manage"


class Organization(models.Model):
    """A tenant. The primary key is the id that names its database, its role and its folders."""

    class State(models.TextChoices):
        PROVISIONING = "provisioning"
        ACTIVE = "active"
        SUSPENDED = "suspended"

    id = models.CharField(primary_key=True, max_length=40)
    name = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=16, choices=State, default=State.PROVISIONING)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.id


def new_user_id() -> str:
    """`user_` and 16 hexadecimal digits, not guessable."""
    return f"user_{secrets.token_hex(8)}"


class User(AbstractUser):
    """A person or a program. `org` is empty for platform staff only."""

    id = models.CharField(primary_key=True, max_length=64, default=new_user_id, editable=False)
    org = models.ForeignKey(
        Organization, null=True, blank=True, on_delete=models.PROTECT, related_name="users"
    )
    role = models.CharField(max_length=8, choices=Role, default=Role.VIEWER)
    is_platform_staff = models.BooleanField(default=False)

    def may(self, role: Role) -> bool:
        """Whether this user's role includes `role`; platform staff may all."""
        order = list(Role)
        return self.is_platform_staff or order.index(Role(self.role)) >= order.index(role)


class LoginFailure(models.Model):
    """One refused login; `key` is a hash of user name and address, so neither is kept."""

    key = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        indexes = (models.Index(fields=["key", "at"], name="login_failure_key_at"),)

    def __str__(self) -> str:
        return f"{self.key[:8]} {self.at:%Y-%m-%dT%H:%M:%SZ}"
