"""The text that is hashed is the same for the same event, and differs for another."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from supplyline.audit.chain import Anchor
from supplyline.audit.events import GENESIS, Event, canonical, hash_of
from supplyline.contracts import OrgId

EVENT = Event(
    seq=1,
    at=datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    org=OrgId("a"),
    kind="load.published",
    actor="u",
    subject="s",
    detail={"b": 1, "a": [1, "ü"]},
    run_id="r",
    correlation_id="c",
    prev_hash=GENESIS,
    hash="",
)


def test_the_hash_is_known() -> None:
    # Written down once: a change of the canonical form would break every chain there is.
    assert hash_of(EVENT) == "149a1dfb88d467936e663454dc9d9bc3f0b480078852c4a2877c05634dfa46f4"


def test_the_hash_does_not_depend_on_order_or_time_zone() -> None:
    zone = timezone(timedelta(hours=2))
    same = replace(EVENT, at=EVENT.at.astimezone(zone), detail={"a": [1, "ü"], "b": 1})
    assert hash_of(same) == hash_of(EVENT)


@pytest.mark.parametrize(
    "change",
    [
        {"seq": 2},
        {"at": EVENT.at + timedelta(microseconds=1)},
        {"org": "b"},
        {"kind": "load.undone"},
        {"actor": "v"},
        {"subject": "t"},
        {"detail": {"b": 1, "a": [1, "u"]}},
        {"run_id": "q"},
        {"correlation_id": "d"},
        {"prev_hash": "1" * 64},
    ],
)
def test_every_field_counts(change: dict[str, object]) -> None:
    assert hash_of(replace(EVENT, **change)) != hash_of(EVENT)  # type: ignore[arg-type] # fields


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), b"x"])
def test_what_json_cannot_hold_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"JSON|cannot hold"):
        canonical({"a": value})


def test_an_anchor_is_read_back() -> None:
    anchor = Anchor(seq=12, hash="ab" * 32)
    assert Anchor.parse(str(anchor)) == anchor
    with pytest.raises(ValueError, match="anchor"):
        Anchor.parse("12")
