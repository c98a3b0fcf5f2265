"""Records that somebody might send: mostly events, some of them strange, broken or hostile. Seeded."""

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

from schemas.codec import WATERMARK_HEADER
from tests.tiny import LATENESS, MAX_FUTURE

SPACING_MS = 50
TEN_YEARS = 315_360_000_000
LARGEST = (1 << 20) - 600  # of a value: key, headers and the batch's frame need room within 1 MiB

Header = tuple[str, bytes | None]


@dataclass(frozen=True, kw_only=True)
class Fuzzed:
    """A record to send. `timestamp` in epoch milliseconds."""

    value: bytes | None
    timestamp: int
    key: bytes | None = None
    headers: tuple[Header, ...] = ()

    @property
    def marked(self) -> bool:
        """Whether it claims to be a watermark."""
        return WATERMARK_HEADER in self.headers


def fuzzed(seed: int, count: int, start: int, large: int = 2) -> Iterator[Fuzzed]:
    """`count` records on a clock that begins at `start` (epoch ms) and goes on by `SPACING_MS`; `large` of them are
    just under 1 MiB."""
    chance = random.Random(seed)
    big = set(chance.sample(range(count), min(large, count)))
    for k in range(count):
        clock = start + k * SPACING_MS
        make = _large if k in big else chance.choices(_KINDS, _WEIGHTS)[0]
        made = make(chance, k, clock)
        if isinstance(made, Fuzzed):
            yield made
            continue
        timestamp = clock if chance.random() < 0.99 else chance.choice((1, clock - 86_400_000, clock + 600_000))
        yield Fuzzed(value=made, timestamp=timestamp, key=_key(chance), headers=_headers(chance))


# Events

def _event(chance: random.Random, k: int, clock: int) -> dict[str, Any]:
    return {"event_id": f"e{k}", "ts": clock - chance.randint(0, LATENESS // 2), "entity": f"n{chance.randrange(50)}",
            "features": {"a": chance.gauss(0, 1), "b": chance.choice((None, chance.gauss(0, 1))),
                         "c": chance.choice("xyz")}}


def _plain(chance: random.Random, k: int, clock: int) -> bytes:
    return json.dumps(_event(chance, k, clock)).encode()


def _strange(chance: random.Random, k: int, clock: int) -> bytes:
    """Unusual and still an event."""
    event = _event(chance, k, clock)
    features = event["features"]
    change = chance.randrange(9)
    if change == 0:
        event["unknown"] = {"deep": [[[1, None, True]]], "text": "\u2028\x00\U0001f600"}
    elif change == 1:
        del features["b"], event["entity"]
    elif change == 2:
        features["a"] = chance.choice((1e308, -1e308, 5e-324, 1e39, -0.0, 0, 10**300, -(10**17)))
    elif change == 3:
        features["c"] = chance.choice(("", "unseen", "x" * 10_000, "\x00", "\x7f\r\n\u0085", "ü" * 300))
    elif change == 4:
        event["event_id"] = chance.choice(("", "\u0000", "e" * 5_000, "\U0001f600"))
    elif change == 5:
        features["more"] = "9" * 5_000
    text = json.dumps(event, ensure_ascii=chance.random() < 0.5)
    if change == 6:
        text = text.replace('"ts"', '"ts": 5, "\\u0074s"')
    elif change == 7:
        text = f" \t\r\n{text}\n "
    elif change == 8:
        text = text[:-1] + ', "event_id": "twice", "v": 7}'
    return text.encode()


def _timed(chance: random.Random, k: int, clock: int) -> bytes:
    """Times of every kind: late, ahead, in other units, in words."""
    event = _event(chance, k, clock)
    event["ts"] = chance.choice((
        lambda: chance.choice((-1, 0, 1, 2**63 - 1, 2**63, -(2**63), 2**64, -(2**64), 10**30)),
        lambda: clock * chance.choice((1_000, 1_000_000)), lambda: clock // 1_000,
        lambda: clock + chance.choice((TEN_YEARS, MAX_FUTURE + 1, MAX_FUTURE, MAX_FUTURE - 1, 5_000)),
        lambda: clock - chance.choice((LATENESS, LATENESS + 1, 60_000, 86_400_000, TEN_YEARS)),
        lambda: _words(chance, clock), lambda: _words(chance, clock),
        lambda: chance.choice((1.0, float(clock), 1.5, True, None, [], {}, "", "now", str(clock))),
    ))()
    return json.dumps(event).encode()


def _words(chance: random.Random, clock: int) -> str:
    zone = timezone(timedelta(minutes=chance.randint(-1_439, 1_439)))
    text = datetime.fromtimestamp(clock / 1_000, chance.choice((UTC, zone))).isoformat(timespec="milliseconds")
    change = chance.randrange(10)
    odd = ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.9999999Z", "9999-12-31T23:59:59-01:00", f"{text[:10]}",
           "2026-02-30T00:00:00Z", "2026-01-01T23:59:60Z", "2026-01-01T24:00:00Z", "\uff12026-01-01T00:00:00Z",
           "2026-01-01T00:00:00+24:00", "2026-01-01T00:00:00.Z", "2026-W01-1T00:00:00Z")
    changes: tuple[Callable[[], str], ...] = (
        lambda: text.replace("T", chance.choice(" t_")), lambda: f"{text[:19]}{chance.choice(('', 'z', 'Z', ' Z'))}",
        lambda: f"{text[:19]}.{'1234567899999'[: chance.randint(0, 13)]}Z", lambda: chance.choice(odd),
        lambda: f"{text[:19]}{chance.choice(('+05:30', '-0000', '+1400', '+00', '-12:60', '+05:30:15'))}")
    return changes[change]() if change < len(changes) else text


# What is no event, or may be none

_WRONG: tuple[Any, ...] = (True, False, None, "1", "NaN", "", [], {}, [1], {"a": 1}, 1, 1.5, -1)
_NUMBERS = ("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "9" * 5_000, "-" + "9" * 5_000, "0." + "1" * 5_000,
            "01", "1.", ".5", "+1", "0x1", "1e", "-", "1_000", "1e-999", "true", "1.7976931348623159e308")
_TEXTS = ('"\\ud800"', '"\\udc00x"', '"\\ud83d\\ude00"', '"\\x"', '"\x01"', '"\n"', "'x'", '"', '"\\u12"', "x", "1")


def _misfit(chance: random.Random, k: int, clock: int) -> bytes:
    """A field too few, or of another type."""
    event = _event(chance, k, clock)
    place = chance.choice((event, event["features"]))
    name = chance.choice(list(place))
    if chance.random() < 0.3:
        del place[name]
    else:
        place[name] = chance.choice(_WRONG)
    return json.dumps(event).encode()


def _literal(chance: random.Random, k: int, clock: int) -> bytes:
    """Numbers and texts that JSON's own writers would not write."""
    event = _event(chance, k, clock)
    numeric = chance.random() < 0.6
    name = chance.choice(("a", "b", "ts", "unread") if numeric else ("event_id", "entity", "c", "unread"))
    (event if name in event or name == "unread" else event["features"])[name] = "@"
    return json.dumps(event).replace('"@"', chance.choice(_NUMBERS if numeric else _TEXTS)).encode()


def _broken(chance: random.Random, k: int, clock: int) -> bytes | None:
    """Bytes around or instead of an event."""
    whole = _plain(chance, k, clock)
    text = whole.decode()
    return chance.choice((
        lambda: None, lambda: b"", lambda: b"null", lambda: b"[]", lambda: b"{}", lambda: b" ", lambda: b"\0" * 9,
        lambda: b"\xef\xbb\xbf" + whole, lambda: text.encode("utf-16"), lambda: text.encode("utf-16-be"),
        lambda: text.encode("utf-32"), lambda: whole + b"\0", lambda: whole + whole, lambda: whole[:-1] + b",}",
        lambda: whole.replace(b'"x"', b'"\xff\xfe"').replace(b'"y"', b'"\xc0\x80"'),
        lambda: whole[:-1] + b', "\xff": "\xed\xa0\x80"}', lambda: b"[" + whole + b"]",
        lambda: whole[:-1] + b', "event_id": 5}',
    ))()


def _nested(chance: random.Random, k: int, clock: int) -> bytes:
    """100,000 brackets, open or closed, alone or in a field that nobody reads."""
    brackets = chance.choice((b"[", b'{"a":')) * 100_000
    if chance.random() < 0.5:
        return brackets
    closed = b"[" * 100_000 + b"]" * 100_000
    return _plain(chance, k, clock)[:-1] + b', "unread": ' + chance.choice((brackets, closed)) + b"}"


def _edited(chance: random.Random, k: int, clock: int) -> bytes:
    """An event with a few bytes changed, lost, added or doubled."""
    data = bytearray(_plain(chance, k, clock))
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data)) if data else 0
        edit = chance.randrange(5)
        if edit == 0 and data:
            data[at] = chance.randrange(256)
        elif edit == 1:
            del data[at : at + chance.randint(1, 9)]
        elif edit == 2:
            data[at:at] = chance.randbytes(chance.randint(1, 4))
        elif edit == 3:
            data[at:at] = data[max(0, at - 20) : at]
        else:
            del data[at:]
    return bytes(data)


def _noise(chance: random.Random, _k: int, _clock: int) -> bytes:
    return chance.randbytes(chance.randint(1, 200))


def _large(chance: random.Random, k: int, clock: int) -> Fuzzed:
    """Just under 1 MiB: an event with a long text, or nothing that can be read."""
    event = _event(chance, k, clock)
    event["features"]["c"] = "@"
    text = json.dumps(event).encode()
    fill = chance.choice((b"x", b"\xff", b'"', b"\xc3\xbc"))
    value = text.replace(b"@", fill * ((LARGEST - len(text)) // len(fill)))
    return Fuzzed(value=value, timestamp=clock, key=b"large")


def _mark(chance: random.Random, k: int, clock: int) -> Fuzzed:
    """Watermarks of a source that never runs ahead of its events, and what only claims to be one."""
    behind = clock - chance.choice((LATENESS, 60_000))
    good = json.dumps({"ts": behind, "ends": chance.random() < 0.2, "v": 1}).encode()
    value = chance.choice((
        good, good, good, _plain(chance, k, clock)[:-1] + b', "ends": false}', b"{}", b"", None, b'{"ts": "soon"}',
        b'{"ts": 1.5}', b'{"ts": 1, "ends": 1}', b'{"ts": 99999999999999999999}', b'{"ts": NaN}',
        json.dumps({"ts": clock + TEN_YEARS, "ends": True}).encode(), chance.randbytes(20), good[:-1], b'{"ts": -1}'))
    return Fuzzed(value=value, timestamp=clock, headers=chance.choice((
        (WATERMARK_HEADER,), (("trace", b"1"), WATERMARK_HEADER), (WATERMARK_HEADER, WATERMARK_HEADER))))


def _key(chance: random.Random) -> bytes | None:
    return chance.choice((None, b"", b"n1", b"n2", b"n3", chance.randbytes(8), b"k" * 2_000))


def _headers(chance: random.Random) -> tuple[Header, ...]:
    if chance.random() < 0.9:
        return ()
    return chance.choice(((("type", b"event"),), (("type", None),), (("", b""),), (("Type", b"watermark"),),
                          (("h", b"\xff" * 500), ("h", b"")), (("type", b"watermark "), ("traceparent", b"00-1-1-01"))))


_KINDS: tuple[Callable[[random.Random, int, int], bytes | Fuzzed | None], ...] = (
    _plain, _strange, _timed, _misfit, _literal, _broken, _edited, _noise, _mark, _nested)
_WEIGHTS = (30, 12, 14, 9, 9, 9, 10, 4, 3, 0.05)
