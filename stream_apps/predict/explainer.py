"""Explanations on request: one child process, one at a time, within a time limit, and nobody else is held up."""

import asyncio
import sys
from asyncio.subprocess import PIPE, Process

import msgspec
import structlog

from schemas.messages import FeatureValue, LabelValue
from schemas.model_file import ModelMetadata
from stream_apps.model_slot import LoadedModel
from stream_apps.predict.explaining import FRAME, LATE, Explanation, Finished, Task, framed

MAX_WAITING = 8  # explanations that are asked for at a time
GRACE_SECONDS = 0.5  # the child watches the time by itself; after that much more it is ended

log = structlog.get_logger()


class Explainer:
    """Asks the child; it is started by the first who asks, and again after it ended."""

    def __init__(self) -> None:
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._starting: asyncio.Task[Process] | None = None

    async def explain(self, model: LoadedModel, row: tuple[FeatureValue, ...], prediction: LabelValue,
                      deadline: float) -> Explanation | str:
        """Why a model said `prediction` of a row; or why nobody can say until `deadline`, of the event loop's clock."""
        if self._waiting >= MAX_WAITING:
            return f"{MAX_WAITING} explanations are asked for already; ask again"
        clock = asyncio.get_running_loop().time
        if clock() >= deadline:
            return LATE  # of earlier rows of the same request
        self._waiting += 1
        try:
            async with asyncio.timeout_at(deadline) as limit, self._turn:
                child = await self._child()
                limit.reschedule(deadline + GRACE_SECONDS)
                left = deadline - clock()
                return await self._ask(child, Task(model.onnx, list(row), explained_output(model.metadata, prediction),
                                                   left))
        except TimeoutError:
            started = self._starting is not None and self._starting.done()
            return LATE if started else "the explainer is starting; ask again"
        except (OSError, EOFError) as error:
            await self.close()
            log.error("the explainer ended", error=repr(error))
            return "the explainer ended; its last words are in the log"
        finally:
            self._waiting -= 1

    async def close(self) -> None:
        """End the child."""
        if self._starting is not None:
            starting, self._starting = self._starting, None
            starting.cancel()
            if starting.done() and not starting.cancelled() and starting.exception() is None:
                await _end(starting.result())

    async def _child(self) -> Process:
        if self._starting is None:
            self._starting = asyncio.create_task(_start())
        return await asyncio.shield(self._starting)

    async def _ask(self, child: Process, task: Task) -> Explanation | str:
        try:
            assert child.stdin is not None  # noqa: S101 - it was started with pipes
            child.stdin.write(framed(task))
            await child.stdin.drain()
            finished = await _hear(child)
        except BaseException:
            await self.close()  # what it says next would be the answer to another question
            raise
        return finished.explanation or finished.reason


def explained_output(metadata: ModelMetadata, prediction: LabelValue) -> int:
    """The output that is the score of this prediction."""
    if metadata.task == "regression":
        return 0
    return 1 if metadata.task == "binary" else metadata.classes.index(str(prediction))


async def _start() -> Process:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "stream_apps.predict.explaining", stdin=PIPE, stdout=PIPE)
    try:
        await _hear(child)
    except BaseException:
        await _end(child)
        raise
    return child


async def _hear(child: Process) -> Finished:
    assert child.stdout is not None  # noqa: S101 - it was started with pipes
    size = FRAME.unpack(await child.stdout.readexactly(FRAME.size))[0]
    return msgspec.msgpack.decode(await child.stdout.readexactly(size), type=Finished)


async def _end(child: Process) -> None:
    if child.returncode is None:
        child.kill()
    await child.wait()
