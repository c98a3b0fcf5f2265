"""However a body is cut and packed, it is read as it was sent, or refused as too large."""

import asyncio
import gzip
from itertools import pairwise
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from litestar.types import Receive

from doors.admission import Admission
from doors.body import Body
from doors.problem import Refused
from doors.settings import Limits

LIMIT = 200


def receive(data: bytes, cuts: list[int]) -> Receive:
    """Gives the data cut at these places."""
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    parts = [data[a:b] for a, b in pairwise(places)]

    async def give() -> Any:
        body = parts.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(parts)}

    return cast("Receive", give)


@given(st.binary(max_size=2 * LIMIT), st.lists(st.integers(min_value=0), max_size=5), st.booleans())
@settings(deadline=None)
def test_a_body_is_what_was_sent_or_too_large(data: bytes, cuts: list[int], packed: bool) -> None:
    admission = Admission(Limits())
    headers = {b"content-encoding": b"gzip"} if packed else {}
    sent = gzip.compress(data) if packed else data

    async def read() -> bytes:
        with admission.place("ann") as place:
            found = await Body(receive(sent, cuts), headers).read(LIMIT, place, 10)
            assert place.held == len(found)
            return found

    if len(data) <= LIMIT:
        assert asyncio.run(read()) == data
    else:
        with pytest.raises(Refused, match="413"):
            asyncio.run(read())
    assert admission._held == 0
