"""What can be wrong with who asks."""

from __future__ import annotations

from supplyline.errors import Terminal, Transient


class UserWithoutOrg(Terminal):
    code = "user_without_org"
    next_step = (
        "Ask platform staff to put your user into an organization "
        "(`manage.py change_user NAME --org-id ORG`)."
    )


class RoleNotSufficient(Terminal):
    code = "permission_denied"
    next_step = "Ask an owner of your organization for the role that is named."


class OtherUserNamed(Terminal):
    code = "other_user_named"
    next_step = "Leave `user_id` out, or give your own user id."


class OrganizationExists(Terminal):
    code = "org_exists"
    next_step = "Choose another id, or use the organization that is there."


class OrganizationSuspended(Terminal):
    code = "org_suspended"
    next_step = "Ask platform staff why the organization is suspended."


class UserExists(Terminal):
    code = "user_exists"
    next_step = "Choose another user name, or use the user that is there."


class UserNotFound(Terminal):
    code = "user_not_found"
    next_step = "Check the user name or id; `manage.py create_user` makes a new user."


class PasswordRefused(Terminal):
    code = "password_refused"
    next_step = "Choose a longer password that is not a common one."


class LoginRefused(Terminal):
    """Unknown user, wrong password and inactive user look alike from outside."""

    code = "login_refused"
    next_step = "Check user name and password."


class TooManyLogins(Transient):
    code = "too_many_logins"
    next_step = "Wait for some minutes, then try again."
