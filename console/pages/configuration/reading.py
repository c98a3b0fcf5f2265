"""The versions of a definition, as the topic has them now."""

from collections.abc import Sequence

from confluent_kafka import KafkaException
from msgspec import Struct

from console.errors import Away
from console.site import Visit
from kafka_access.definition import UnreadableDefinition, read_versions
from schemas.configuration import NO_VERSION, Version, effects
from schemas.pipeline import Pipeline, parse_pipeline

AWAY = "Kafka does not give the versions of the definition; this page comes back with it"


class InForce(Struct, frozen=True, kw_only=True):
    """What the services go by. `version`: -1 where it is the file; `versions`: all, oldest first."""

    text: str
    pipeline: Pipeline
    version: int
    versions: Sequence[Version]


def read_in_force(visit: Visit) -> InForce:
    """Ask the topic, which is the truth.

    Raises:
        Away: when Kafka does not answer.
    """
    if not visit.site.live.answers:  # known: no need to wait for it
        raise Away(AWAY)
    try:
        log = read_versions(visit.name, visit.site.kafka)
    except (UnreadableDefinition, KafkaException) as error:
        raise Away(AWAY) from error
    if log.current is None:
        text = visit.file.read_text("utf-8")
        return InForce(text=text, pipeline=parse_pipeline(text, str(visit.file)), version=NO_VERSION, versions=())
    return InForce(text=log.current.configuration.text, pipeline=log.current.pipeline, version=log.offset,
                   versions=log.versions)


def changes_of(versions: Sequence[Version], place: int) -> list[str]:
    """What a version changed, by key."""
    if not place:
        return ["the first version"]
    return list(effects(versions[place - 1].pipeline, versions[place].pipeline)) or ["words only"]
