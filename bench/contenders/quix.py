"""Quix Streams as its guide shows it: Application, StreamingDataFrame, its own JSON serializers."""

from typing import Any

from quixstreams import Application, message_context  # pyright: ignore[reportMissingImports]  # its own environment

from bench.contenders.work import Task, Work


def main() -> None:
    """Score until killed."""
    task = Task.read()
    work = Work(task)
    app = Application(broker_address=task.bootstrap_servers, consumer_group=task.group, auto_offset_reset="earliest",
                      state_dir=task.state, loglevel="WARNING")
    events = app.topic(task.events, key_deserializer="bytes", value_deserializer="json")
    predictions = app.topic(task.predictions, key_serializer="bytes", value_serializer="json")

    def score(event: dict[str, Any]) -> dict[str, Any]:
        context = message_context()
        return work.fields(event, f"{task.events}-{context.partition}-{context.offset}")

    app.dataframe(events).apply(score).to_topic(predictions)
    app.run()


if __name__ == "__main__":
    main()
