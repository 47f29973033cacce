"""Writes of this room: organizations with their databases, users, tokens."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from knox.models import AuthToken

from backend.accounts.access import existing_org
from backend.accounts.errors import (
    OrganizationExists,
    PasswordRefused,
    UserExists,
    UserNotFound,
)
from backend.accounts.models import Organization, Role, User
from supplyline.errors import InvalidName
from supplyline.settings import Settings
from supplyline.tenancy import provisioning
from supplyline.tenancy.names import parse_file_id, parse_org_id


def create_organization(org_id: str, *, name: str, settings: Settings) -> Organization:
    """Records the organization, makes its database and role, then opens it.

    Repeatable: an organization whose provisioning was cut off is finished by the same call.
    Raises InvalidName, OrganizationExists, DatabaseUnavailable.
    """
    org = parse_org_id(org_id)
    row, _ = Organization.objects.get_or_create(pk=org, defaults={"name": name})
    if row.state != Organization.State.PROVISIONING:
        raise OrganizationExists(f"Organization {org} exists already.", org=org)
    provisioning.provision(org, settings=settings)
    Organization.objects.filter(pk=org).update(state=Organization.State.ACTIVE, name=name)
    row.refresh_from_db()
    return row


def create_user(
    username: str,
    *,
    password: str,
    org_id: str | None,
    role: Role,
    platform_staff: bool = False,
    user_id: str | None = None,
    email: str = "",
) -> User:
    """Raises OrganizationNotFound, InvalidName, PasswordRefused, UserExists."""
    org = existing_org(org_id) if org_id is not None else None
    user = User(
        username=username,
        email=email,
        org_id=org,
        role=role,
        is_platform_staff=platform_staff,
    )
    if user_id is not None:
        user.id = parse_file_id(user_id, what="a user")
    _require_name(user)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise PasswordRefused(" ".join(error.messages)) from None
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        raise UserExists(f"There is a user {username} (or that id) already.") from None
    return user


@transaction.atomic
def change_user(
    user: User,
    *,
    role: Role | None = None,
    org_id: str | None = None,
    active: bool | None = None,
    password: str | None = None,
    revoke_tokens: bool = False,
) -> tuple[User, int]:
    """Changes what is given (`org_id` "": no organization); the user, and how many tokens ended.

    A role holds from the next request on; with another organization or password, and for a user who
    is closed, all tokens end too. Raises OrganizationNotFound, OrganizationSuspended.
    """
    ends = revoke_tokens or active is False or password is not None
    if role is not None:
        user.role = role
    if org_id is not None:
        org = existing_org(org_id) if org_id else None
        ends = ends or org != user.org_id
        user.org_id = org
    if active is not None:
        user.is_active = active
    if password is not None:
        user.set_password(password)
    user.save()
    ended = AuthToken.objects.filter(user=user).delete()[0] if ends else 0
    return user, ended


def _require_name(user: User) -> None:
    """Raises InvalidName for a user name or an address that nobody can have."""
    try:
        user.clean_fields(exclude=("password", "org", "id"))
    except ValidationError as error:
        field, (said, *_) = next(iter(error.message_dict.items()))
        raise InvalidName(
            f"The {field} {str(getattr(user, field))[:60]!r} cannot be used: {said}",
            next_step="A user name is 1 to 150 letters, digits and @ . + - _; an email is an "
            "address such as alice@example.org, or left out.",
        ) from None


def find_user(name: str) -> User:
    """By user name or id. Raises UserNotFound."""
    user = User.objects.filter(username=name).first() or User.objects.filter(pk=name).first()
    if user is None:
        raise UserNotFound(f"There is no user {name!r}.")
    return user


def create_token(user: User, *, ttl: timedelta | None = None) -> tuple[str, datetime]:
    """A new bearer token and its expiry. Only its hash is kept: this is the one time it is seen."""
    if ttl is None:
        row, token = AuthToken.objects.create(user=user)
    else:
        row, token = AuthToken.objects.create(user=user, expiry=ttl)
    return token, row.expiry
