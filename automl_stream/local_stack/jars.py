"""Kafka's jars: downloaded once from Maven Central through jgo, against a checked-in lock, verified at every start."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from contextlib import contextmanager
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from automl_stream.local_stack.errors import CorruptJar, DownloadFailed, Ending

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from threading import Event

    from jgo.maven import MavenContext

MAVEN_CENTRAL = "https://repo1.maven.org/maven2"


class Jar(msgspec.Struct, frozen=True, kw_only=True):
    """One jar of the lock: Maven coordinate group:artifact:version, SHA-256 in hex, size in bytes."""

    coordinate: str
    sha256: str
    size: int

    def path(self, repository: Path) -> Path:
        """Return where a Maven repository keeps this jar."""
        group, artifact, version = self.coordinate.split(":")
        return repository.joinpath(*group.split("."), artifact, version, f"{artifact}-{version}.jar")


class Lock(msgspec.Struct, frozen=True, kw_only=True):
    """The jars that ``roots`` resolve to. Regenerate with ``python -m automl_stream.local_stack.jar_lock``."""

    roots: tuple[str, ...]
    jars: tuple[Jar, ...]


def kafka_lock() -> Lock:
    """Read the lock that ships with the package."""
    text = resources.files("automl_stream.local_stack").joinpath("kafka.lock.toml").read_bytes()
    return msgspec.toml.decode(text, type=Lock)


def jar_cache() -> Path:
    """Return the directory that keeps jars between starts and between homes."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "automl-stream" / "jars"


def fetch_jars(lock: Lock, cache: Path, report: Callable[[str], None], ending: Event) -> list[Path]:
    """Return the paths of all jars, each checked against the lock; download what is missing or corrupt.

    Nothing is imported from jgo and nothing reaches for the network when all are present. ``report`` hears of corrupt
    jars. The environment's AUTOML_STREAM_MAVEN_URL names a mirror.

    Raises:
        DownloadFailed: a jar cannot be had.
        CorruptJar: a jar is wrong even after a fresh download.
        Ending: ``ending`` was set during the download.
    """
    wanted = [jar for jar in lock.jars if not _is_intact(jar, cache)]
    if wanted:
        with _locked(cache):
            wanted = [jar for jar in wanted if not _is_intact(jar, cache)]
            for jar in wanted:
                if jar.path(cache).exists():
                    report(f"{jar.path(cache)} is corrupt: downloading it again")
                    jar.path(cache).unlink()
            download(wanted, cache, os.environ.get("AUTOML_STREAM_MAVEN_URL", MAVEN_CENTRAL), ending)
    return [jar.path(cache) for jar in lock.jars]


def download(jars: Sequence[Jar], cache: Path, repository_url: str, ending: Event) -> None:
    """Download the jars one by one behind a progress bar, verify each, and break off when ``ending`` is set."""
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415  (only a download needs it)
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn  # noqa: PLC0415

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    with Progress(*columns) as progress:
        task = progress.add_task("Kafka", total=sum(jar.size for jar in jars))

        @contextmanager
        def one_jar(filename: str, _size: int) -> Iterator[Callable[[int], None]]:
            progress.update(task, description=f"Kafka: {filename}")

            def advance(count: int) -> None:
                if ending.is_set():
                    message = f"Stopped while {filename} was being downloaded."
                    raise Ending(message)
                progress.advance(task, count)

            yield advance

        maven = MavenContext(
            resolver=PythonResolver(progress_callback=one_jar),
            repo_cache=cache,
            remote_repos={"maven": repository_url},
        )
        for jar in jars:
            _download_one(maven, jar, cache)
        progress.update(task, description="Kafka")


def _download_one(maven: MavenContext, jar: Jar, cache: Path) -> None:
    group, artifact, version = jar.coordinate.split(":")
    try:
        maven.project(group, artifact).at_version(version).artifact().resolve()
    except Ending:
        jar.path(cache).unlink(missing_ok=True)
        raise
    except (OSError, RuntimeError) as error:  # requests' errors are OSErrors, jgo's "not found" is a RuntimeError
        jar.path(cache).unlink(missing_ok=True)
        if getattr(error, "errno", None) == errno.ENOSPC:
            raise
        message = (
            f"Kafka's jar {jar.coordinate} could not be downloaded from {maven.remote_repos['maven']} "
            f"({type(error).__name__}): connect this machine to the network for the first start, "
            "or name a mirror in AUTOML_STREAM_MAVEN_URL."
        )
        raise DownloadFailed(message) from error
    if not _is_intact(jar, cache):
        jar.path(cache).unlink()
        message = (
            f"{jar.coordinate} from {maven.remote_repos['maven']} does not have the SHA-256 of the lock "
            f"({jar.sha256}): try again, or check the mirror in AUTOML_STREAM_MAVEN_URL."
        )
        raise CorruptJar(message)


def _is_intact(jar: Jar, cache: Path) -> bool:
    try:
        with jar.path(cache).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == jar.sha256
    except FileNotFoundError:
        return False


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
    """Hold the cache for one process: jgo writes a jar in place, and two writers would spoil it."""
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
