"""Each organization is forecast at its own time, once, and only when something has changed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from typing import Any

import pytest

from backend.accounts.models import Organization, Role
from backend.forecasts import schedule
from backend.forecasts.models import Schedule
from backend.runs.models import Outbox, Run
from supplyline import settings as supplyline_settings
from supplyline.audit.chain import verify
from supplyline.audit.events import events
from supplyline.contracts import OrgId
from supplyline.errors import DatabaseUnavailable
from supplyline.forecast import overrides
from supplyline.forecast.news import reason_to_run
from supplyline.settings import Settings
from supplyline.tenancy.connections import session
from tests.integration.backend.conftest import Person

NIGHT = datetime(2026, 11, 25, 23, 0, tzinfo=UTC)
PATH = "/api/forecast/schedule/"


@pytest.mark.parametrize(
    ("at", "zone", "after", "expected"),
    [
        ("03:00", "UTC", "2026-11-25T02:59", "2026-11-25T03:00"),
        ("03:00", "UTC", "2026-11-25T03:00", "2026-11-26T03:00"),
        ("03:00", "Europe/Berlin", "2026-11-25T02:30", "2026-11-26T02:00"),
        # the clock leaps over 02:30 on 29 March, and shows it twice on 25 October
        ("02:30", "Europe/Berlin", "2026-03-28T12:00", "2026-03-29T01:30"),
        ("02:30", "Europe/Berlin", "2026-10-24T12:00", "2026-10-25T00:30"),
        ("02:30", "Europe/Berlin", "2026-10-25T00:30", "2026-10-26T01:30"),
        ("02:30", "Pacific/Auckland", "2026-11-25T13:00", "2026-11-25T13:30"),
    ],
)
def test_the_next_time_follows_the_local_clock(
    at: str, zone: str, after: str, expected: str
) -> None:
    due = schedule.next_due(
        at=time.fromisoformat(at),
        timezone=zone,
        weekdays="1234567",
        after=datetime.fromisoformat(after).replace(tzinfo=UTC),
    )
    assert due == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def test_only_on_the_days_of_the_week_that_are_named() -> None:
    friday = datetime(2026, 11, 27, 4, 0, tzinfo=UTC)
    due = schedule.next_due(at=time(3), timezone="UTC", weekdays="15", after=friday)
    assert due == datetime(2026, 11, 30, 3, 0, tzinfo=UTC)


def test_organizations_without_a_time_are_spread_over_the_night() -> None:
    times = {schedule.default_time(OrgId(f"org{n}")) for n in range(200)}
    assert len(times) > 80
    assert min(times) >= time(1)
    assert max(times) < time(5)


def settled(org: OrgId, settings: Settings, *, item: str = "007") -> None:
    """Something happens: an override comes and goes, which is audited."""
    with session(org, settings=settings) as conn:
        made = overrides.set_override(
            conn, org, item=item, kind="lead_time_days", value=9, reason="x", actor="a",
            now=datetime.now(UTC),
        )  # fmt: skip
        overrides.withdraw(
            conn, org, override_id=made.id, reason="", actor="a", now=datetime.now(UTC)
        )


def test_a_due_forecast_is_accepted_once(dana: Person, engine_settings: Settings) -> None:
    org = OrgId(dana.org)
    settled(org, engine_settings)
    schedule.set_schedule(org, now=NIGHT, actor="a", at=time(3))
    assert schedule.start_due(settings=engine_settings, now=NIGHT) == 0
    late = NIGHT + timedelta(days=3)
    assert schedule.start_due(settings=engine_settings, now=late) == 1
    assert schedule.start_due(settings=engine_settings, now=late) == 0
    (run,) = Run.objects.filter(org_id=org)
    assert (run.source, run.conf) == ("schedule", {"client_id": f"org_{org}"})
    assert run.idempotency_key == "schedule:2026-11-26T03:00:00+00:00"
    assert Outbox.objects.filter(run=run).exists()
    row = Schedule.objects.get(pk=org)
    assert row.next_due == datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
    assert row.last_outcome.startswith("started: Since the newest run: ")
    assert "override.set" in row.last_outcome


def test_two_relays_start_one_run(dana: Person, engine_settings: Settings) -> None:
    org = OrgId(dana.org)
    settled(org, engine_settings)
    schedule.set_schedule(org, now=NIGHT, actor="a", at=time(3))
    due = Schedule.objects.get(pk=org).next_due
    assert schedule.start_due(settings=engine_settings, now=NIGHT + timedelta(hours=5)) == 1
    Schedule.objects.filter(pk=org).update(next_due=due)  # as a relay that was restored would see
    schedule.start_due(settings=engine_settings, now=NIGHT + timedelta(hours=5))
    assert Run.objects.filter(org_id=org).count() == 1


def test_a_due_time_that_a_clock_far_ahead_reckoned_is_reckoned_anew(
    dana: Person, engine_settings: Settings
) -> None:
    org = OrgId(dana.org)
    schedule.set_schedule(org, now=NIGHT, actor="dana", at=time(3))
    ahead = NIGHT + timedelta(days=400)
    Schedule.objects.filter(pk=org).update(next_due=ahead)
    assert schedule.start_due(settings=engine_settings, now=NIGHT) == 0
    assert Schedule.objects.get(pk=org).next_due == datetime(2026, 11, 26, 3, 0, tzinfo=UTC)


def test_suspended_or_switched_off_organizations_are_left_alone(
    dana: Person, engine_settings: Settings
) -> None:
    org = OrgId(dana.org)
    later = NIGHT + timedelta(days=2)
    schedule.set_schedule(org, now=NIGHT, actor="a", at=time(3))
    Organization.objects.filter(pk=org).update(state="suspended")
    assert schedule.start_due(settings=engine_settings, now=later) == 0
    Organization.objects.filter(pk=org).update(state="active")
    schedule.set_schedule(org, now=NIGHT, actor="a", at=time(3), enabled=False)
    assert schedule.start_due(settings=engine_settings, now=later) == 0
    assert Run.objects.count() == 0


def test_the_owner_sets_the_schedule_and_others_see_it(
    dana: Person, charlie: Person, person: Callable[..., Person]
) -> None:
    owner = person("olga", org=dana.org, role=Role.OWNER)
    assert dana.client.get(PATH).json()["enabled"] is False
    body: dict[str, Any] = {"at": "03:15", "timezone": "Europe/Berlin", "weekdays": "12345"}
    assert dana.client.put(PATH, body, format="json").json()["code"] == "permission_denied"
    told = owner.client.put(PATH, body, format="json").json()
    assert (told["enabled"], told["at"], told["weekdays"]) == (True, "03:15", "12345")
    assert told["next_due"]
    assert dana.client.get(PATH).json() == told
    assert charlie.client.get(PATH).json()["enabled"] is False
    for wrong in ({"timezone": "Mars/Base"}, {"weekdays": "89"}, {"at": "25:00"}, {"every": 1}):
        answer = owner.client.put(PATH, wrong, format="json")
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_payload")
    stranger = charlie.client.put(PATH, {"org_id": dana.org}, format="json")
    assert stranger.json()["code"] == "org_not_found"


def test_a_change_of_the_schedule_is_in_the_chain_and_starts_no_run(
    dana: Person, person: Callable[..., Person], engine_settings: Settings
) -> None:
    org = OrgId(dana.org)
    owner = person("olga", org=dana.org, role=Role.OWNER)
    with session(org, settings=engine_settings) as conn:
        before = len(list(events(conn, kind="schedule")))
        news = reason_to_run(conn, now=datetime.now(UTC))
    body = {"at": "04:10", "timezone": "Europe/Berlin", "weekdays": "135"}
    assert owner.client.put(PATH, body, format="json").status_code == 200
    assert owner.client.put(PATH, {"timezone": "Mars/Base"}, format="json").status_code == 400
    with session(org, settings=engine_settings) as conn:
        new = list(events(conn, kind="schedule"))
        assert len(new) == before + 1
        (told,) = [e for e in new if e.detail["at"] == "04:10"]
        assert verify(conn).ok
        assert reason_to_run(conn, now=datetime.now(UTC)) == news
    assert (told.kind, told.actor, told.subject) == ("schedule.set", owner.user.pk, "forecast")
    assert told.detail == {"enabled": True, **body}


def test_without_the_organizations_database_the_schedule_stays(
    dana: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = OrgId(dana.org)
    schedule.set_schedule(org, now=NIGHT, actor="a", at=time(3))
    away = replace(supplyline_settings.get(), pg_port=1)
    monkeypatch.setattr(supplyline_settings, "get", lambda: away)
    with pytest.raises(DatabaseUnavailable):
        schedule.set_schedule(org, now=NIGHT, actor="a", at=time(5))
    assert Schedule.objects.get(pk=org).at == time(3)


def test_settings_are_versioned(dana: Person, person: Callable[..., Person]) -> None:
    owner = person("olga", org=dana.org, role=Role.OWNER)
    path = "/api/forecast/settings/"
    assert dana.client.get(path).json()["version"] == 0
    wanted = {"version": 0, "settings": {"lead_time_days": 21, "not_products": ["007"]}}
    assert dana.client.put(path, wanted, format="json").json()["code"] == "permission_denied"
    saved = owner.client.put(path, wanted, format="json").json()
    assert (saved["version"], saved["settings"]["lead_time_days"]) == (1, 21)
    assert owner.client.put(path, wanted, format="json").json()["code"] == "settings_conflict"
    for wrong in (
        {"colour": 1}, {"fill_rate": {"A": 2.0, "B": 0.9, "C": 0.9}}, {"bucket": 3},
        {"lead_time_days": "14"}, {"horizon": 1.5}, {"fill_rate": {"A": 0.9}},
    ):  # fmt: skip
        answer = owner.client.put(path, {"version": 1, "settings": wrong}, format="json")
        assert answer.json()["code"] == "invalid_forecast_settings", wrong
    again = owner.client.put(path, {"version": 1, "settings": {}}, format="json").json()
    assert (again["version"], again["settings"]["lead_time_days"]) == (2, 14.0)
