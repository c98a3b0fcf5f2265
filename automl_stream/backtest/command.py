"""The command `automl-stream backtest`. What it runs is loaded when it runs: the command line starts without it."""
# ruff: noqa: PLC0415

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from automl_stream.broker import broker
from automl_stream.local_stack.options import DEFAULT_HOME, Home, Json
from automl_stream.wrong_use import WrongUse

if TYPE_CHECKING:
    from automl_stream.backtest.material import Material
    from automl_stream.backtest.replay import Progress
    from automl_stream.backtest.result import Result
    from schemas.pipeline import Pipeline

PIPELINES = Path("pipelines")
AS_IT_STANDS = "default"


def add_command(app: typer.Typer) -> None:
    """Add `backtest`. It ends with 0, and with 2 where a file or an option cannot be used."""
    app.command("backtest")(backtest)


def backtest(
    file: Annotated[Path | None, typer.Argument(
        help="Labelled rows, oldest first: CSV, CSV.gz, Parquet or JSON Lines.")] = None,
    pipeline: Annotated[Path | None, typer.Option(help="Pipeline file; else pipelines/<stem>.toml.")] = None,
    policy: Annotated[list[Path] | None, typer.Option(
        help="File of keys to lay over the pipeline's; repeat to compare.")] = None,
    first_rows: Annotated[str, typer.Option(help="Rows of the first model: a number, or 0.2, or 20%.")] = "20%",
    label_delay: Annotated[int, typer.Option(min=0, help="Rows by which a label comes after its event.")] = 0,
    truth: Annotated[Path | None, typer.Option(help="Documented changes; else <stem>.truth.json beside FILE.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write a page with pictures to this file.")] = None,
    since: Annotated[str, typer.Option(help="With --topic: event time, RFC 3339 or a span back from now.")] = "",
    last: Annotated[int | None, typer.Option(min=1, help="With --topic: only so many rows, the newest.")] = None,
    home: Home = DEFAULT_HOME,
    *,
    topic: Annotated[bool, typer.Option("--topic", help="Replay what the pipeline recorded in Kafka.")] = False,
    as_json: Json = False,
) -> None:
    """Replay a labelled file, or a pipeline's own history, through the whole loop in one process: what it would have
    alerted, trained and served."""
    from automl_stream.backtest.replay import Plan
    from automl_stream.backtest.replay import backtest as replay
    from automl_stream.backtest.truth import load_truth, read_truth
    from drift.detectors.detector import require_detectors
    from producers.golden import read_golden
    from trainer.guards import golden_of

    if html is not None:
        _require_page(html)
    if topic:
        policies, material = _recorded(file, pipeline, policy or [], (since, last), home, silent=as_json)
    elif file is None or since or last is not None:
        raise WrongUse("give a FILE, or --topic; --since and --last need --topic")
    else:
        policies, material = _filed(file, pipeline, policy or [])
    for loaded in policies.values():
        require_detectors(loaded.drift.detectors)
    trained = rows_trained(first_rows, material.rows)
    known = load_truth(truth) if truth is not None else file and read_truth(file)
    folder = pipeline.parent if pipeline else PIPELINES
    golden = {name: golden_of(loaded, read_golden(loaded, folder)) for name, loaded in policies.items()}
    results = []
    for name, loaded in policies.items():
        plan = Plan(rows_trained=trained, policy=name, label_delay_rows=label_delay, truth=known, start=material.start,
                    golden=golden[name])
        with progress_bar(name, material.rows, silent=as_json) as heard:
            results.append(replay(material.sources[name], loaded, plan, heard))
    _publish(results, html, as_json=as_json)


def _filed(file: Path, pipeline: Path | None, policy: Sequence[Path]) -> "tuple[dict[str, Pipeline], Material]":
    from automl_stream.backtest.material import of_file
    from producers.files import open_table

    table = open_table(file)
    policies = load_policies(pipeline or PIPELINES / f"{file.name.partition('.')[0]}.toml", policy)
    return policies, of_file(table, policies)


def _recorded(file: Path | None, pipeline: Path | None, policy: Sequence[Path], span: tuple[str, int | None],
              home: Path, *, silent: bool) -> "tuple[dict[str, Pipeline], Material]":
    import time

    from automl_stream.backtest.material import of_topic
    from automl_stream.backtest.topic_history import Span
    from automl_stream.dead_letters.selection import moment
    from schemas.pipeline import load_pipeline

    if file is not None:
        raise WrongUse(f"--topic replays no file: leave out {file}, or --topic")
    if pipeline is None:
        raise WrongUse("--topic needs --pipeline, the file of the pipeline whose history is replayed")
    policies, (since, last) = load_policies(pipeline, policy), span
    try:
        begin = moment(since, time.time_ns() // 1_000_000) if since else None
    except ValueError as error:
        raise WrongUse(f"--since: {error}") from error
    with broker(home, os.environ) as kafka:
        return policies, of_topic(load_pipeline(pipeline), policies, kafka, Span(since=begin, last=last),
                                  partial(progress_bar, silent=silent), partial(typer.echo, err=True))


def _require_page(html: Path) -> None:
    """A page that cannot be made is refused before the work and not after it."""
    if find_spec("plotly") is None:
        raise WrongUse("--html needs plotly; install automl-stream[backtest]")
    if html.is_dir():
        raise WrongUse(f"--html {html}: is a folder; give the path of a file")
    if not html.absolute().parent.is_dir():
        raise WrongUse(f"--html {html}: there is no folder {html.parent}; make it, or choose another")


def rows_trained(text: str, rows: int) -> int:
    """How many of so many rows make the first model.

    Raises:
        WrongUse: where it is neither a number of rows nor a share, or leaves nothing to train on or to replay.
    """
    if re.fullmatch(r"[0-9]{1,15}", text):
        trained = int(text)
    elif re.fullmatch(r"[0-9]*\.[0-9]+", text):
        trained = int(rows * float(text))
    elif re.fullmatch(r"[0-9]+(\.[0-9]+)?%", text):
        trained = int(rows * float(text[:-1]) / 100)
    else:
        raise WrongUse(f"--first-rows {text}: allowed are a number of rows such as 5000, or a share such as 0.2 or 20%")
    if not 0 < trained < rows:
        raise WrongUse(f"--first-rows {text}: of {rows} rows that leaves nothing to train on or nothing to replay")
    return trained


def load_policies(pipeline: Path, policies: Sequence[Path]) -> "dict[str, Pipeline]":
    """The pipeline under each policy, by the stem of its file; as it stands where there is none.

    Raises:
        PipelineError: where a file cannot be used.
        WrongUse: where two policies have one name.
    """
    from automl_stream.backtest.policies import load_policy
    from schemas.pipeline import load_pipeline

    if not policies:
        return {AS_IT_STANDS: load_pipeline(pipeline)}
    named = {path.stem: path for path in policies}
    if len(named) < len(policies):
        raise WrongUse("--policy: two files have the same stem, which names the policy; rename one of them")
    return {name: load_policy(pipeline, path) for name, path in named.items()}


@contextmanager
def progress_bar(name: str, rows: int, *, silent: bool) -> "Iterator[Progress]":
    """Hears how many rows are done, and shows it on a terminal's stderr."""
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    look = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("rows"),
            TimeRemainingColumn())
    with Progress(*look, console=console, disable=silent or not console.is_terminal) as progress:
        task = progress.add_task(escape(name), total=rows)
        yield lambda done: progress.update(task, completed=done)


def _publish(results: "Sequence[Result]", html: Path | None, *, as_json: bool) -> None:
    import msgspec
    from rich.console import Console

    from automl_stream.backtest.document import document
    from automl_stream.backtest.table import show

    if html is not None:
        from plotly.offline import get_plotlyjs

        from automl_stream.backtest.page import page

        html.write_text(page(results, get_plotlyjs()), "utf-8")
        typer.echo(f"The page is in {html}.", err=True)
    if as_json:
        sys.stdout.write(msgspec.json.encode(document(results)).decode() + "\n")
    else:
        show(results, Console(soft_wrap=True))
