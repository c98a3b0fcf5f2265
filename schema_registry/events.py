"""Where a pipeline's events get their codec: composition roots call this, and nothing else knows the encoding."""

from collections.abc import Mapping

from schema_registry.errors import EncodingUnavailable
from schemas.codec import EventCodec, EventFormat
from schemas.pipeline import Pipeline
from schemas.topics import EVENTS, topic_name


def event_codec(pipeline: Pipeline, environment: Mapping[str, str]) -> EventFormat:
    """The codec of a pipeline's events. Nothing is asked of the registry before the first event.

    SCHEMA_REGISTRY_URL goes before the pipeline's `encoding.schema_registry`; SCHEMA_REGISTRY_AUTH is user:password.

    Raises:
        EncodingUnavailable: for Avro, when no registry is named or the extra `avro` is not installed.
    """
    if pipeline.encoding.events == "json":
        return EventCodec(pipeline)
    url = environment.get("SCHEMA_REGISTRY_URL") or pipeline.encoding.schema_registry
    if not url:
        raise EncodingUnavailable(f"pipeline '{pipeline.name}' has Avro events and no schema registry is named; set "
                                  "SCHEMA_REGISTRY_URL or the key 'encoding.schema_registry'")
    try:
        # JSON pipelines run without these packages.
        from schema_registry.client import RegistryClient  # noqa: PLC0415
        from schemas.avro import AvroEventCodec  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise EncodingUnavailable(f"pipeline '{pipeline.name}' has Avro events, which need the extra 'avro' "
                                  f"({error.name} is missing); install automl-stream[avro]") from error
    subject = f"{topic_name(pipeline.name, EVENTS)}-value"
    return AvroEventCodec(pipeline, RegistryClient(url, environment.get("SCHEMA_REGISTRY_AUTH", ""), subject))
