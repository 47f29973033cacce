"""A forecast as JSON and back, exactly: what is kept of an item until its history changes.

Promises: `decode(encode(f))` equals `f`, infinities and missing scores included; a field that the
dataclass gains or loses makes no old fit readable in a wrong way, since the engine's version is
part of every fingerprint.
"""

from __future__ import annotations

import json
import math
import typing
from dataclasses import fields, is_dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import numpy as np

if TYPE_CHECKING:
    from supplyline.forecast.engine import Forecast


def encode(forecast: Forecast) -> str:
    """JSON text; floats keep every digit, what JSON has no number for becomes a text."""
    return json.dumps(_plain(forecast), allow_nan=False)


def decode(data: dict[str, Any]) -> Forecast:
    from supplyline.forecast.engine import Forecast

    return cast("Forecast", _typed(Forecast, data))


def shifted(forecast: Forecast, periods: int) -> Forecast:
    """The same forecast, seen `periods` later: its first periods are over."""
    if periods == 0:
        return forecast
    return replace(
        forecast,
        mean=forecast.mean[periods:],
        lo={level: ends[periods:] for level, ends in forecast.lo.items()},
        hi={level: ends[periods:] for level, ends in forecast.hi.items()},
    )


def _plain(value: Any) -> Any:  # noqa: PLR0911 - one return per kind of value
    match value:
        case np.ndarray():
            return [_plain(v) for v in value.tolist()]
        case float() if not math.isfinite(value):
            return str(value)
        case dict():
            return {str(k): _plain(v) for k, v in value.items()}
        case tuple() | list():
            return [_plain(v) for v in value]
        case _ if is_dataclass(value):
            return {f.name: _plain(getattr(value, f.name)) for f in fields(value)}
        case np.generic():
            return _plain(value.item())
        case _:
            return value


@cache
def _hints(kind: type) -> dict[str, Any]:
    return typing.get_type_hints(kind)


def _typed(hint: Any, value: Any) -> Any:  # noqa: PLR0911 - one return per kind of value
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if is_dataclass(hint):
        known = _hints(cast("type", hint))
        return cast("type", hint)(**{k: _typed(known[k], v) for k, v in value.items()})
    if origin is np.ndarray:
        return np.asarray([float(v) for v in value], dtype=np.float64)
    if origin is dict:
        return {inner[0](k): _typed(inner[1], v) for k, v in value.items()}
    if origin is tuple:
        return tuple(_typed(inner[0], v) for v in value)
    if hint is float and value is not None:
        return float(value)
    if origin in (typing.Union, typing.get_origin(int | None)) and value is not None:
        return _typed(next(h for h in inner if h is not type(None)), value)
    return value
