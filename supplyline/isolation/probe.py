"""What an attempt is, and how a set of probes becomes a verdict.

Promises: an attempt counts as `refused` only when the refusal itself was seen (a named error), and
never because something else failed; each set of probes begins with a control that must succeed, so
that a probe which reaches nothing at all cannot pass. Whatever could not be tried is `untested`
and is shown. A verdict is `isolated` only when nothing crossed and something was tried.

To add probes: write a function `(Subject) -> Iterable[Attempt]` and put it into the tuple that
`commands.py` runs, as `http.probes` does for a running backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Literal

from supplyline.contracts import Json, OrgId
from supplyline.settings import Settings

Outcome = Literal["refused", "crossed", "visible", "untested", "control"]
"""`visible`: PostgreSQL shows it to every role, and only a superuser can close it."""


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """One crossing that was tried. `evidence`: how it was refused, without values of anybody."""

    area: str
    what: str
    outcome: Outcome
    evidence: str


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Who tries (`attacker`) to reach whom (`victim`)."""

    attacker: OrgId
    victim: OrgId
    settings: Settings
    api: str = ""
    attacker_token: str = field(default="", repr=False)
    victim_token: str = field(default="", repr=False)


Probe = Callable[[Subject], Iterable[Attempt]]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """All attempts between two organizations, both ways."""

    orgs: tuple[OrgId, OrgId]
    attempts: tuple[Attempt, ...]
    notes: tuple[str, ...] = ()

    def count(self, outcome: Outcome) -> int:
        return sum(1 for attempt in self.attempts if attempt.outcome == outcome)

    @property
    def isolated(self) -> bool:
        return self.count("crossed") == 0 and self.count("refused") > 0

    @property
    def not_tried(self) -> list[str]:
        """What could not be tried, each once, with the reason."""
        tried = (a for a in self.attempts if a.outcome == "untested")
        return list(dict.fromkeys(f"{a.area}: {a.what} ({a.evidence})" for a in tried))

    @property
    def complete(self) -> bool:
        """Whether everything could be tried."""
        return not self.not_tried

    def as_json(self) -> Json:
        return {
            "orgs": list(self.orgs),
            "isolated": self.isolated,
            "refused": self.count("refused"),
            "crossed": self.count("crossed"),
            "visible": self.count("visible"),
            "untested": self.count("untested"),
            "complete": self.complete,
            "not_tried": self.not_tried,
            "notes": list(self.notes),
            "attempts": [asdict(attempt) for attempt in self.attempts],
        }


NOTES = (
    "PostgreSQL shows every role the names of all databases and roles, so an organization's id "
    "is no secret from other organizations' roles; what lies behind the names is refused.",
    "MongoDB is reached with one account for all organizations: there the boundary is the "
    "collection's name, made only in tenancy.names, and not a right of the server.",
    "The live feed and the logs have no path in the API, and keys of idempotency are not tried "
    "over HTTP, since that would begin runs.",
)


def run(probes: Iterable[Probe], *, subjects: tuple[Subject, Subject]) -> Verdict:
    """Runs every probe in both directions. Raises DatabaseUnavailable when it cannot be tried."""
    attempts = tuple(
        attempt for probe in probes for subject in subjects for attempt in probe(subject)
    )
    first, second = subjects
    return Verdict(orgs=(first.attacker, second.attacker), attempts=attempts, notes=NOTES)
