"""What both stock Faust contenders share: the app with its topics."""

import sys

import faust
from faust.types import AppT, TopicT

from bench.contenders.work import Task


def make_app(task: Task) -> tuple[AppT, TopicT, TopicT]:
    """The app, the topic of events, the topic of predictions: bytes in and out, all else as Faust has it."""
    app = faust.App(task.group, broker=f"kafka://{task.bootstrap_servers}", store="memory://", web_enabled=False,
                    consumer_auto_offset_reset="earliest", datadir=task.state, topic_disable_leader=True)
    events = app.topic(task.events, key_serializer="raw", value_serializer="raw")
    predictions = app.topic(task.predictions, key_serializer="raw", value_serializer="raw")
    return app, events, predictions


def run(app: AppT) -> None:
    """Run a worker until killed."""
    sys.argv = [sys.argv[0]]
    faust.Worker(app, loglevel="warning").execute_from_commandline()
