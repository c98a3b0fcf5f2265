"""What a record of `events` should end as, read with the standard library alone: a second opinion on the codec.

For the tiny pipeline: number `a`, optional number `b`, category `c`.
"""

import json
import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Literal

Verdict = Literal["event", "watermark", "bad", "unsure"]

_FIRST, _LAST = -62_135_596_800_000, 253_402_300_799_999
_TIME = re.compile(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d):(\d\d)(\.\d+)?(?:([Zz])|([+-])(\d\d):?(\d\d))?", re.ASCII)
_SURROGATE = re.compile("[\ud800-\udfff]")
_LONE = re.compile(rb"\\u[dD][89a-fA-F]")


class Misfit(Exception):
    """The record is bad, and why."""


class _Number(str):
    """A number as it is written: Python would refuse 5,000 digits, and make a float of 1e999."""

    __slots__ = ()


@dataclass(frozen=True, kw_only=True)
class Opinion:
    """`ts` in epoch milliseconds of an event or a watermark."""

    verdict: Verdict
    ts: int = 0
    ends: bool = False
    why: str = ""


def classify(value: bytes | None, marked: bool, record_ts: int, max_future: int) -> Opinion:
    """`marked`: the record has the header of a watermark. Unsure: lone surrogates where nobody reads."""
    try:
        content = _parse(value)
        ts, ends = _watermark(content) if marked else (_event(content), False)
        _check_times(ts, record_ts, max_future)
    except Misfit as misfit:
        return Opinion(verdict="bad", why=str(misfit))
    if value and _LONE.search(value) and _SURROGATE.search(json.dumps(content, ensure_ascii=False, default=repr)):
        return Opinion(verdict="unsure", ts=ts, ends=ends)
    return Opinion(verdict="watermark" if marked else "event", ts=ts, ends=ends)


def _check_times(ts: int, record_ts: int, max_future: int) -> None:
    if not _FIRST <= ts <= _LAST or not _FIRST <= record_ts <= _LAST:
        raise Misfit("no time")
    if ts - record_ts > max_future:
        raise Misfit("future")


def _parse(value: bytes | None) -> Any:
    """JSON with objects as lists of pairs. Bytes that are not UTF-8 become surrogates: bad where a text is read."""
    if not value:
        raise Misfit("empty")
    text = value.decode("utf-8", "surrogateescape")
    try:
        return json.loads(text, parse_int=_Number, parse_float=_Number, parse_constant=_refuse,
                          object_pairs_hook=_Pairs)
    except (json.JSONDecodeError, RecursionError) as error:
        raise Misfit(f"not JSON: {error}") from error


def _refuse(name: str) -> None:
    raise Misfit(f"{name} is not JSON")


class _Pairs(list[tuple[str, Any]]):
    """An object: every field that is there, also twice."""

    def read(self, name: str, what: str) -> Any:
        """The last value of a field, when each of its values is a `what`."""
        values = [_READERS[what](value) for key, value in self if key == name]
        if not values:
            raise Misfit(f"no {name}")
        return values[-1]

    def has(self, name: str) -> bool:
        return any(key == name for key, _ in self)


def _event(content: Any) -> int:
    event = _object(content)
    event.read("event_id", "text")
    for name, what in (("entity", "text"), ("v", "whole")):
        if event.has(name):
            event.read(name, what)
    ts: int = event.read("ts", "time")
    event.read("features", "features")
    return ts


def _features(content: Any) -> None:
    features = _object(content)
    features.read("a", "number")
    if features.has("b"):
        features.read("b", "number or null")
    features.read("c", "text")


def _watermark(content: Any) -> tuple[int, bool]:
    mark = _object(content)
    if mark.has("v"):
        mark.read("v", "whole")
    return mark.read("ts", "whole"), mark.read("ends", "truth") if mark.has("ends") else False


def _object(content: Any) -> _Pairs:
    if not isinstance(content, _Pairs):
        raise Misfit("not an object")
    return content


def _text(value: Any) -> str:
    if not isinstance(value, str) or isinstance(value, _Number) or _SURROGATE.search(value):
        raise Misfit("not a text")
    return value


def _number(value: Any) -> float:
    if not isinstance(value, _Number) or math.isinf(float(value)):
        raise Misfit("not a number that a double holds")
    return float(value)


def _whole(value: Any) -> int:
    if not isinstance(value, _Number) or not re.fullmatch("-?[0-9]{1,4000}", value):
        raise Misfit("not a whole number")
    return int(value)


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise Misfit("not a truth value")
    return value


def _time(value: Any) -> int:
    return _whole(value) if isinstance(value, _Number) else _moment(_text(value))


def _moment(text: str) -> int:
    """RFC 3339, without a zone UTC, rounded to microseconds, then down to milliseconds."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise Misfit("no RFC 3339")
    *parts, fraction, _, sign, hours, minutes = found.groups()
    micros = int((Decimal(fraction or 0) * 1_000_000).to_integral_value(ROUND_HALF_UP))
    try:
        if minutes and int(minutes) > 59:
            raise Misfit("no zone")
        zone = timezone(timedelta(hours=int(sign + hours), minutes=int(sign + minutes))) if sign else UTC
        moment = datetime(*map(int, parts), tzinfo=UTC) + timedelta(microseconds=micros)  # type: ignore[arg-type, misc]
    except (ValueError, OverflowError) as error:
        raise Misfit(str(error)) from error
    since = moment - datetime(1970, 1, 1, tzinfo=UTC) - (zone.utcoffset(None) or timedelta(0))
    return since // timedelta(milliseconds=1)


_READERS = {"text": _text, "number": _number, "whole": _whole, "truth": _truth, "time": _time, "features": _features,
            "number or null": lambda value: None if value is None else _number(value)}
