"""The definition's versions are an order of a log too: the fold that every reader of `config` applies, and what a new
version may change."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from msgspec import DecodeError
from msgspec.structs import replace

from schemas.codec import decode
from schemas.messages import Configuration
from schemas.pipeline import Pipeline, PipelineError, parse_pipeline

NO_VERSION = -1

# What a running service takes from a new version, by table: nothing that was counted, fitted or stored depends on it.
LIVE: dict[str, dict[str, tuple[str, ...]]] = {
    "monitor": {"drift": ("false_alarms", "min_effect", "alerting_detectors"), "windows": ("min_rows",)},
    "trainer": {
        "retraining": ("refresh_labels", "refresh_interval", "min_new_labels", "cooldown", "families", "windows",
                       "seed", "pool", "early_stop", "search_seconds", "fit_seconds"),
        "gate": ("min_rows", "alpha", "max_slice_loss", "probation_rows"),
        "rollout": ("canary_share",),
    },
}
# What windows, models and rows were made with: another content needs another pipeline.name and a bootstrap.
FIXED: dict[str, tuple[str, ...]] = {
    "pipeline": ("name", "task", "unlabelled_after"), "windows": ("size", "lateness", "max_future"),
    "drift": ("scales", "longest_cycle"), "retraining": ("half_life", "label_quota", "max_rows"), "gate": ("slices",),
    "encoding": ("events",),
}


@dataclass(frozen=True, kw_only=True)
class Version:
    """An accepted version: the offset of its record, what was written, and the definition in it."""

    offset: int
    configuration: Configuration
    pipeline: Pipeline

    @property
    def labelled_offset(self) -> int:
        """The trainer takes it before that row."""
        return self.configuration.labelled_offset


@dataclass(kw_only=True)
class ConfigurationLog:
    """Accepted versions of one pipeline, oldest first. One counts only if it was made from the version before it, and
    is a definition of this pipeline that may follow that one."""

    name: str
    versions: list[Version] = field(default_factory=list)

    @property
    def current(self) -> Version | None:
        """The newest."""
        return self.versions[-1] if self.versions else None

    @property
    def offset(self) -> int:
        """Of the newest, -1 where there is none."""
        return self.versions[-1].offset if self.versions else NO_VERSION

    def read(self, offset: int, record: bytes | None) -> Version | None:
        """Fold one record in as it stands in Kafka; the version that it became, None where it lost or is none."""
        try:
            configuration = decode(record or b"", Configuration)
            pipeline = parse_pipeline(configuration.text, f"version {offset}")
        except (DecodeError, PipelineError):
            return None
        if configuration.replaces != self.offset or offset <= self.offset or pipeline.name != self.name:
            return None
        if self.current is not None and refusals(self.current.pipeline, pipeline):
            return None
        version = Version(offset=offset, configuration=configuration, pipeline=pipeline)
        self.versions.append(version)
        return version

    def find(self, offset: int) -> Version | None:
        """The accepted version of that offset."""
        return next((version for version in self.versions if version.offset == offset), None)


def refusals(old: Pipeline, new: Pipeline) -> list[str]:
    """Why `new` cannot follow `old` under the same name; nothing where it can."""
    found = [f"{table}.{key}" for table, key in _changed(old, new) if key in FIXED.get(table, ())]
    shapes = ([(f.name, f.type, f.optional, f.default) for f in p.features] for p in (old, new))
    if next(shapes) != next(shapes):
        found.append("features")
    return found


def refusal(name: str, found: list[str]) -> str:
    """What is said of such a definition."""
    return (f"{', '.join(found)} cannot change under the name '{name}': windows, models and rows were made with it; "
            "give the changed definition another pipeline.name and bootstrap it")


def taken_live(running: Pipeline, wanted: Pipeline, service: str) -> Pipeline:
    """What a service that runs with one definition goes on with when another is published."""
    tables = {table: replace(getattr(running, table), **{key: getattr(getattr(wanted, table), key) for key in keys})
              for table, keys in LIVE[service].items()}
    return replace(running, **tables)


def effects(old: Pipeline, new: Pipeline) -> Iterator[str]:
    """One sentence a changed key: who takes it, and when."""
    for table, key in _changed(old, new):
        service = next((s for s, tables in LIVE.items() if key in tables.get(table, ())), None)
        yield f"{table}.{key}: " + (f"the {service} takes it within seconds" if service else "with the next start")
    if old.features != new.features:
        yield "features: owner, description and range at once in the catalogue"


def _changed(old: Pipeline, new: Pipeline) -> Iterator[tuple[str, str]]:
    for table in ("pipeline", "replay", "windows", "drift", "retraining", "gate", "encoding", "rollout"):
        before, after = _keys(getattr(old, table)), _keys(getattr(new, table))
        yield from ((table, key) for key in before | after if before.get(key) != after.get(key))


def _keys(table: Any) -> dict[str, Any]:
    return {} if table is None else {name: getattr(table, name) for name in table.__struct_fields__}
