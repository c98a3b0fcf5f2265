"""Stock Faust, one awaited send per event: what its guide shows."""

from typing import Any

from bench.contenders.faust_app import make_app, run
from bench.contenders.work import Task, Work


def main() -> None:
    """Score until killed."""
    task = Task.read()
    work = Work(task)
    app, events, predictions = make_app(task)

    @app.agent(events)
    async def score(stream: Any) -> None:
        async for event in stream.events():
            source = f"{task.events}-{event.message.partition}-{event.message.offset}"
            await predictions.send(key=event.key, value=work.one(event.value, source))

    run(app)


if __name__ == "__main__":
    main()
