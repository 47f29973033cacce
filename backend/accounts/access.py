"""Whose organization a request speaks of. The one place where this is decided (promise P8).

What belongs to another organization does not exist for the caller: `OrganizationNotFound`, the
same answer as for an id that nobody has.
"""

from __future__ import annotations

from backend.accounts.errors import OrganizationSuspended, RoleNotSufficient, UserWithoutOrg
from backend.accounts.models import Organization, Role, User
from supplyline.contracts import OrgId
from supplyline.errors import InvalidName, OrganizationNotFound
from supplyline.tenancy.names import parse_org_id

STAFF_NAME_IT = (
    "Name the organization with `org_id`; where the path takes none, a user of the organization "
    "has to ask."
)


def own_org(user: User) -> OrgId:
    """The caller's organization. Raises UserWithoutOrg, OrganizationSuspended."""
    if user.org is None:
        raise UserWithoutOrg(
            f"User {user.username} belongs to no organization.",
            next_step=STAFF_NAME_IT if user.is_platform_staff else None,
        )
    if user.org.state == Organization.State.SUSPENDED:
        raise OrganizationSuspended(f"Organization {user.org.id} is suspended.", org=user.org.id)
    return parse_org_id(user.org.id)


def named_org(user: User, *, org: OrgId) -> OrgId:
    """Checks that the caller may speak of `org`: the own one, or any for platform staff."""
    if user.is_platform_staff:
        return existing_org(org)
    if own_org(user) != org:
        raise OrganizationNotFound(f"There is no organization {org}.")
    return org


def read_org(user: User, named: str | None) -> OrgId:
    """Whose state is read: the own organization's, or the one that platform staff name."""
    return named_org(user, org=parse_org_id(named)) if named else own_org(user)


def existing_org(text: object) -> OrgId:
    """The id of an organization that is there. Raises OrganizationNotFound."""
    try:
        org = parse_org_id(text)
    except InvalidName:
        raise OrganizationNotFound(f"There is no organization {str(text)[:60]!r}.") from None
    found = Organization.objects.filter(pk=org).first()
    if found is None:
        raise OrganizationNotFound(f"There is no organization {org}.")
    if found.state == Organization.State.SUSPENDED:
        raise OrganizationSuspended(f"Organization {org} is suspended.", org=org)
    return org


def hold_open(org: OrgId) -> None:
    """Keeps an organization from being suspended or erased until this transaction ends: what is
    kept in it would stay behind. Raises OrganizationSuspended, also for one that is erased."""
    row = Organization.objects.select_for_update(no_key=True).filter(pk=org).first()
    if row is None or row.state == Organization.State.SUSPENDED:
        raise OrganizationSuspended(f"Organization {org} is suspended.", org=org)


def require(user: User, role: Role) -> None:
    """Raises RoleNotSufficient unless the user's role includes `role`, which is one within an
    organization: UserWithoutOrg where there is none."""
    if user.org is None and not user.is_platform_staff:
        own_org(user)
    if not user.may(role):
        raise RoleNotSufficient(
            f"This needs the role {role.value}; user {user.username} has {user.role}."
        )
