"""What the forecast's paths take and answer, as the OpenAPI document shows it."""

from __future__ import annotations

from typing import Any, get_args

from rest_framework import serializers

from backend.api.requests import OrgNamed, PageQuery
from supplyline.forecast.classes import DemandClass
from supplyline.forecast.overrides import KINDS
from supplyline.forecast.read import ORDERS, PlanFilter
from supplyline.forecast.store import STATUSES


class Choices(serializers.CharField):
    """Several of a set, with commas between; answers a tuple."""

    def __init__(self, among: tuple[str, ...], **more: Any) -> None:
        self.among = among
        super().__init__(
            required=False,
            max_length=200,
            help_text=f"one or more of {', '.join(among)}, with commas between",
            **more,
        )

    def to_internal_value(self, data: Any) -> Any:
        wanted = tuple(w.strip() for w in super().to_internal_value(data).split(",") if w.strip())
        wrong = [w for w in wanted if w not in self.among]
        if wrong:
            raise serializers.ValidationError(
                f"Not known: {', '.join(w[:40] for w in wrong)}. Known: {', '.join(self.among)}."
            )
        return wanted


class ItemQuery(OrgNamed):
    run_id = serializers.CharField(
        max_length=250, required=False, help_text="an earlier run; default: the newest"
    )


class FilterQuery(ItemQuery):
    abc = Choices(("A", "B", "C"))
    xyz = Choices(("X", "Y", "Z"))
    status = Choices(STATUSES)
    search = serializers.CharField(
        max_length=200, required=False, help_text="part of the item's code or name"
    )
    order_by = serializers.ChoiceField(tuple(ORDERS), required=False, default="urgency")

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "class": Choices(get_args(DemandClass))}


class PlanQuery(FilterQuery, PageQuery):
    limit = serializers.IntegerField(min_value=1, max_value=1000, required=False, default=50)


def filter_of(asked: dict[str, Any]) -> PlanFilter:
    return PlanFilter(
        classes=asked.get("class", ()),
        abc=asked.get("abc", ()),
        xyz=asked.get("xyz", ()),
        status=asked.get("status", ()),
        search=asked.get("search", ""),
    )


class RunHead(serializers.Serializer[None]):
    run_id = serializers.CharField()
    published_at = serializers.DateTimeField()
    as_of = serializers.DateField(help_text="last day of the history")
    bucket = serializers.ChoiceField(("day", "week", "month"))
    horizon = serializers.IntegerField(help_text="periods ahead")
    season = serializers.IntegerField(help_text="periods in a season")
    items = serializers.IntegerField()


_QUANTITIES = {
    "on_hand": "units on the shelf",
    "on_order": "units ordered and not yet there",
    "lead_time_days": "days from order to arrival",
    "demand_per_day": "expected units a day over lead time and review",
    "safety_stock": "units beyond expected demand",
    "reorder_point": "order when the position is below",
    "order_up_to": "units to raise the position to",
    "order_quantity": "units to order now",
    "order_value": "what they cost",
    "days_of_cover": "days until what is on hand is used up",
    "stockout_risk": "chance to run out before an order placed now arrives",
    "excess_units": "units beyond need",
    "excess_value": "money in them",
    "fill_rate": "share of demand to be served from the shelf",
    "unit_cost": "money for one unit",
}


class PlanRow(serializers.Serializer[None]):
    urgency = serializers.IntegerField(help_text="1 comes first")
    item = serializers.CharField()
    name = serializers.CharField()
    status = serializers.ChoiceField(STATUSES)
    why = serializers.CharField()
    abc = serializers.CharField()
    xyz = serializers.CharField()
    stockout_date = serializers.DateField(allow_null=True)

    def get_fields(self) -> dict[str, Any]:
        numbers = {
            name: serializers.FloatField(allow_null=True, help_text=about)
            for name, about in _QUANTITIES.items()
        }
        kind = serializers.ChoiceField(get_args(DemandClass))
        return {**super().get_fields(), "class": kind, **numbers}


class PlanPage(serializers.Serializer[None]):
    run = RunHead(allow_null=True)
    count = serializers.IntegerField()
    results = PlanRow(many=True)


class ExplainedRow(PlanRow):
    run_id = serializers.CharField()
    urgency_score = serializers.FloatField(help_text="by what urgency is ordered")
    computed_in = serializers.CharField(help_text="the run that computed it; later ones kept it")
    explanation = serializers.DictField(help_text="data, class, model and formula with values")


class PeriodAhead(serializers.Serializer[None]):
    step = serializers.IntegerField()
    period = serializers.DateField(help_text="its first day")
    mean = serializers.FloatField(help_text="what the model expects")
    planned = serializers.FloatField(help_text="what the plan used: the mean, or an override")
    lo_80 = serializers.FloatField()
    hi_80 = serializers.FloatField()
    lo_95 = serializers.FloatField()
    hi_95 = serializers.FloatField()
    model = serializers.CharField()

    def get_fields(self) -> dict[str, Any]:
        return {**super().get_fields(), "class": serializers.ChoiceField(get_args(DemandClass))}


class OverridePayload(OrgNamed):
    item = serializers.CharField(max_length=1000, trim_whitespace=False)
    kind = serializers.ChoiceField(KINDS)
    value = serializers.FloatField(
        help_text="demand: units from from_day to to_day; fill_rate: 0 to 1; lead_time_days: days"
    )
    from_day = serializers.DateField(required=False, allow_null=True)
    to_day = serializers.DateField(required=False, allow_null=True)
    reason = serializers.CharField(max_length=1000)
    replaces = serializers.IntegerField(
        required=False, allow_null=True, help_text="id of the version that this one replaces"
    )


class OverrideQuery(OrgNamed):
    item = serializers.CharField(max_length=1000, required=False)
    all = serializers.BooleanField(
        required=False, default=False, help_text="those withdrawn or replaced too"
    )


class WithdrawQuery(OrgNamed):
    reason = serializers.CharField(max_length=1000, required=False, default="")


class OverrideRow(serializers.Serializer[None]):
    id = serializers.IntegerField()
    item = serializers.CharField()
    kind = serializers.ChoiceField(KINDS)
    value = serializers.FloatField()
    from_day = serializers.DateField(allow_null=True)
    to_day = serializers.DateField(allow_null=True)
    reason = serializers.CharField()
    set_by = serializers.CharField()
    set_at = serializers.DateTimeField()
    replaces = serializers.IntegerField(allow_null=True)
    withdrawn_at = serializers.DateTimeField(allow_null=True)
    withdrawn_by = serializers.CharField()
    withdrawn_reason = serializers.CharField()


class OverridesAnswer(serializers.Serializer[None]):
    results = OverrideRow(many=True)


class Scores(serializers.Serializer[None]):
    periods = serializers.IntegerField()
    mae_model = serializers.FloatField(allow_null=True, help_text="mean absolute error, model")
    mae_override = serializers.FloatField(allow_null=True, help_text="the same with overrides")
    value_added = serializers.FloatField(
        allow_null=True, help_text="1 - mae_override / mae_model; below 0 they did harm"
    )


class ValueAddedAnswer(serializers.Serializer[None]):
    all = Scores()
    by_person = serializers.ListField(child=serializers.DictField())
    by_override = serializers.ListField(child=serializers.DictField())


class PeriodPast(serializers.Serializer[None]):
    period = serializers.DateField(help_text="its first day")
    demand = serializers.FloatField()


class ItemAnswer(serializers.Serializer[None]):
    run = RunHead()
    plan = ExplainedRow()
    forecast = PeriodAhead(many=True)
    history = PeriodPast(many=True)
    overrides = OverrideRow(many=True)


class RunsAnswer(serializers.Serializer[None]):
    results = serializers.ListField(child=serializers.DictField())


class SchedulePayload(OrgNamed):
    enabled = serializers.BooleanField(required=False, default=True)
    at = serializers.TimeField(
        required=False, allow_null=True, help_text="local time; default: a time of the night"
    )
    timezone = serializers.CharField(max_length=64, required=False, default="UTC")
    weekdays = serializers.CharField(
        max_length=7,
        required=False,
        default="1234567",
        help_text="1 is Monday",
        error_messages={"invalid": "1 (Monday) to 7 as a text, such as 12345."},
    )


class ScheduleAnswer(serializers.Serializer[None]):
    enabled = serializers.BooleanField()
    at = serializers.CharField()
    timezone = serializers.CharField()
    weekdays = serializers.CharField()
    next_due = serializers.DateTimeField(allow_null=True)
    last_due = serializers.DateTimeField(allow_null=True)
    last_outcome = serializers.CharField()


class SettingsPayload(OrgNamed):
    version = serializers.IntegerField(min_value=0, help_text="the version that was read")
    settings = serializers.DictField(help_text="what differs from the defaults")


class SettingsAnswer(serializers.Serializer[None]):
    version = serializers.IntegerField()
    settings = serializers.DictField()


class Money(serializers.Serializer[None]):
    orders = serializers.FloatField(allow_null=True, help_text="what is to be ordered now")
    stock = serializers.FloatField(allow_null=True, help_text="on hand, at cost")
    excess = serializers.FloatField(allow_null=True, help_text="beyond need")
    dead = serializers.FloatField(allow_null=True, help_text="of that, in items that do not sell")


class SummaryAnswer(serializers.Serializer[None]):
    run_id = serializers.CharField()
    as_of = serializers.DateField()
    status = serializers.DictField(child=serializers.IntegerField())
    abc = serializers.DictField(child=serializers.IntegerField())
    money = Money()

    def get_fields(self) -> dict[str, Any]:
        kinds = serializers.DictField(child=serializers.IntegerField())
        return {**super().get_fields(), "class": kinds}
