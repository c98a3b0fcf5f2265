"""The Faust application that reads through the micro-batch transport."""

import os
import threading
from typing import Any, cast

from faust.app import App
from faust.transport.drivers import aiokafka as driver
from faust.types import TopicT
from faust.types.transports import ConsumerT
from yarl import URL

from stream_apps.transport.chunk import Chunking
from stream_apps.transport.consumer import Consumer
from stream_apps.transport.fetch import RowReader
from stream_apps.transport.start import ExpiredHook

HARD_EXIT_CODE = 70


class Transport(driver.Transport):
    """Faust's aiokafka transport with our consumer."""

    Consumer = Consumer

    def __init__(self, url: list[URL], app: "StreamApp") -> None:
        """Take the application's settings along for the consumer, which Faust creates."""
        self.chunking = app.chunking
        self.on_expired = app.on_expired
        self.reader = app.reader
        super().__init__(url, app)


def exit_hard_after(seconds: float) -> None:
    """End the process with code 70 if it still runs after `seconds`: Faust's way out sometimes hangs."""
    watchdog = threading.Timer(seconds, os._exit, (HARD_EXIT_CODE,))
    watchdog.daemon = True
    watchdog.start()


class StreamApp(App):
    """A Faust application whose agents get chunks."""

    def __init__(
        self, group: str, *, chunking: Chunking, reader: RowReader, on_expired: ExpiredHook | None = None,
        **options: Any
    ) -> None:
        """`options` are Faust's settings; the reset policy is fixed, since the transport sets every position itself."""
        self.chunking = chunking
        self.reader = reader
        self.on_expired = on_expired
        super().__init__(group, consumer_auto_offset_reset="none", **options)

    def chunks(self, *topics: str) -> TopicT:
        """Source for an agent: chunks of any of `topics`, each chunk of one partition."""
        return self.topic(*topics, key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw")

    @property
    def consumer(self) -> Consumer:
        """The transport's consumer; it exists once the application runs."""
        return cast("Consumer", super().consumer)

    @consumer.setter
    def consumer(self, consumer: ConsumerT) -> None:
        self._consumer = consumer

    def _new_transport(self) -> Transport:
        # Not by URL scheme: that needs a global registry of strings.
        return Transport(self.conf.broker_consumer, self)

    def _create_directories(self) -> None:
        """Keep nothing on disk: there are no tables."""

    def _crash(self, reason: BaseException) -> None:
        # Every crash ends here: an agent's exception, a failed commit, a lost thread.
        exit_hard_after(5.0)
        super()._crash(reason)
