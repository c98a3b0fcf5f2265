"""The body of a request: as large as it may be, within its time, inflated where it comes compressed."""

import asyncio
import zlib
from collections.abc import Mapping

from litestar.types import Receive

from doors.admission import Place
from doors.problem import Problem, Refused, refusal

GZIP = zlib.MAX_WBITS | 16
DRAINED_BYTES = 32 << 20


class ClientGone(Exception):
    """The client closed the connection: nobody hears an answer."""


class Body:
    """What a client sends after its headers. `complete`: all of it has come."""

    def __init__(self, receive: Receive, headers: Mapping[bytes, bytes]) -> None:
        self._receive = receive
        self._headers = headers
        self._begun = False
        self.complete = False

    async def read(self, limit: int, place: Place, seconds: float) -> bytes:
        """All of it, at most `limit` bytes as it comes and inflated.

        Raises:
            Refused: 400 when it is not gzip though it says so, 408 when it takes more than `seconds`, 413 when it is
                larger, 415 for another encoding, 503 when there is no memory for it now.
            ClientGone: when it breaks off.
        """
        taken = _Inflated(limit) if self._compressed() else _Plain(limit)
        # The server has refused a length that is no number.
        if int(self._headers.get(b"content-length", b"0")) > limit:
            raise too_large(limit)
        try:
            async with asyncio.timeout(seconds):
                while not self.complete:
                    place.hold(taken.add(await self._next()))
        except TimeoutError:
            raise refusal(408, f"the body did not come within {seconds:g} s", "the body",
                          "send it faster, or send smaller ones") from None
        return taken.whole()

    async def drain(self, seconds: float) -> None:
        """Take in what nobody wants, so that its client comes to read the answer; not without end."""
        if not self._begun and b"expect" in self._headers:
            return  # the client sends nothing before it is told to go on
        left = DRAINED_BYTES
        try:
            async with asyncio.timeout(seconds):
                while left > 0 and not self.complete:
                    left -= len(await self._next())
        except TimeoutError:
            return

    async def _next(self) -> bytes:
        self._begun = True
        message = await self._receive()
        if message["type"] != "http.request":
            raise ClientGone
        self.complete = not message["more_body"]
        return message["body"]

    def _compressed(self) -> bool:
        encoding = self._headers.get(b"content-encoding", b"identity").strip().lower()
        if encoding not in (b"gzip", b"identity"):
            raise Refused(415, Problem(what="the encoding of the body is not known here",
                                       where="header 'Content-Encoding'", remedy="send it as it is, or with gzip"),
                          {"Accept-Encoding": "gzip"})
        return encoding == b"gzip"


def too_large(limit: int) -> Refused:
    """The refusal of a body over `limit` bytes."""
    return refusal(413, f"the body is larger than {limit} bytes", "the body", "send several smaller ones")


class _Plain:
    """A body as it comes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._body = bytearray()

    def add(self, chunk: bytes) -> int:
        """Bytes that this makes more."""
        self._body += chunk
        if len(self._body) > self._limit:
            raise too_large(self._limit)
        return len(chunk)

    def whole(self) -> bytes:
        """All of it."""
        return bytes(self._body)


class _Inflated(_Plain):
    """A body compressed by gzip; never inflated beyond the limit, whatever it holds."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self._stream = zlib.decompressobj(GZIP)

    def add(self, chunk: bytes) -> int:
        """Bytes that this makes more."""
        try:
            part = self._stream.decompress(chunk, self._limit + 1 - len(self._body))
        except zlib.error as error:
            raise self._broken(str(error)) from error
        if self._stream.unused_data:
            raise self._broken("something follows its end")
        return super().add(part)

    def whole(self) -> bytes:
        """All of it."""
        if not self._stream.eof:
            raise self._broken("it breaks off")
        return super().whole()

    @staticmethod
    def _broken(why: str) -> Refused:
        return refusal(400, f"the body is not gzip: {why}", "the body", "compress it anew, or send it as it is")
