"""Password logins, slowed down where they fail.

Failures are counted in the control database, so that several workers share one count. A success
does not count; ten failures for one name and address within a quarter of an hour do, and sixty for
one address.
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta

from django.contrib.auth import authenticate

from backend.accounts.errors import LoginRefused, TooManyLogins
from backend.accounts.models import LoginFailure, User

WINDOW = timedelta(minutes=15)
PER_NAME, PER_ADDRESS = 10, 60


def log_in(username: str, *, password: str, address: str, now: datetime) -> User:
    """The user behind name and password. Raises LoginRefused, TooManyLogins."""
    keys = {_key(username.casefold(), address): PER_NAME, _key("", address): PER_ADDRESS}
    for key, limit in keys.items():
        # Up to a bound: a clock that ran ahead once must not close the door until then.
        recent = LoginFailure.objects.filter(key=key, at__range=(now - WINDOW, now + WINDOW))
        if recent.count() >= limit:
            raise TooManyLogins("There were too many refused logins from here.")
    user = authenticate(username=username, password=password)
    if isinstance(user, User):
        return user
    LoginFailure.objects.filter(at__lt=now - 4 * WINDOW).delete()
    LoginFailure.objects.bulk_create([LoginFailure(key=key, at=now) for key in keys])
    raise LoginRefused("User name or password is wrong.")


def _key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()
