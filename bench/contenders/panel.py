"""Asks every drift monitor of others, each a process in its own environment, all at the same time."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.contenders.environment import ROOT, python_of
from bench.contenders.windows import Answer, Watched, read_answer

OWN = "detectors"  # river is an extra of ours
CONTENDERS = ("monitors", "alibi", OWN)
QUIET = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1", "TRANSFORMERS_VERBOSITY": "error",
         "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"}


def ask(watched: Sequence[Watched], done: Callable[[], None]) -> list[Answer]:
    """What all contenders together say of each; `done` is called when one has answered one.

    Raises:
        subprocess.CalledProcessError: when a contender or the making of its environment fails; it has said why.
    """
    pythons = {name: sys.executable if name == OWN else python_of(name) for name in CONTENDERS}
    with TemporaryDirectory() as folder, ThreadPoolExecutor(len(CONTENDERS)) as pool:
        paths = [Path(folder) / f"{number}.npz" for number in range(len(watched))]
        for path, each in zip(paths, watched, strict=True):
            each.write(path)
        runs = [pool.submit(_run, name, python, paths, done) for name, python in pythons.items()]
        for run in runs:
            run.result()
        return [{rule: alarms for name in CONTENDERS for rule, alarms in read_answer(path, name).items()}
                for path in paths]


def _run(name: str, python: str, paths: Sequence[Path], done: Callable[[], None]) -> None:
    command = [python, "-m", f"bench.contenders.{name}", name]
    with subprocess.Popen(command, cwd=ROOT, env=os.environ | QUIET, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as process:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        with process.stdin as questions:
            questions.writelines(f"{path}\n" for path in paths)
        for _ in process.stdout:
            done()
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
