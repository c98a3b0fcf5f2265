"""Stock Faust with take(1000): one ONNX run a batch, one awaited send per row."""

from typing import Any

from bench.contenders.faust_app import make_app, run
from bench.contenders.work import Task, Work

BATCH = 1_000
WITHIN_SECONDS = 0.05


def main() -> None:
    """Score until killed."""
    task = Task.read()
    work = Work(task)
    app, events, predictions = make_app(task)

    @app.agent(events)
    async def score(stream: Any) -> None:
        async for taken in stream.take_events(BATCH, within=WITHIN_SECONDS):
            sources = [f"{task.events}-{event.message.partition}-{event.message.offset}" for event in taken]
            values = work.batch([event.value for event in taken], sources)
            for event, value in zip(taken, values, strict=True):
                await predictions.send(key=event.key, value=value)

    run(app)


if __name__ == "__main__":
    main()
