"""One pipeline's topics and rows into a recording: the only place where the oracle meets Kafka and PostgreSQL."""

import os
import time
from functools import partial

from automl_stream.group_commits import committed
from automl_stream.topic_log import Log, MissingTopic, TopicLog
from automl_stream.verify.database import Database
from automl_stream.verify.recording import Recording
from automl_stream.verify.settling import Settling
from kafka_access.access import KafkaAccess
from schema_registry.events import event_codec
from schemas.pipeline import Pipeline
from schemas.topics import EVENTS, LABELS, TOPICS, topic_name
from stream_apps.topics import MissingTopic as NoSuchTopic
from stream_apps.topics import topic_id


def load(pipeline: Pipeline, kafka: KafkaAccess, database_url: str,
         wait_seconds: float) -> tuple[Recording, list[str]]:
    """The recording of what `events` and `labels` hold now and all that followed, and which groups still lag.

    Raises:
        TopicLogError: when Kafka does not answer, or a topic is missing.
        VerifyError: when PostgreSQL does not answer.
    """
    log, database = TopicLog(kafka), Database(database_url, pipeline)
    names = {topic.name: topic_name(pipeline.name, topic) for topic in TOPICS}
    try:
        sources = {names[topic.name]: log.bounds(names[topic.name]) for topic in (EVENTS, LABELS)}
        settling = Settling(pipeline=pipeline, committed=partial(committed, kafka), log=log,
                            database=database, deadline=time.monotonic() + wait_seconds)
        lagging = settling.wait(sources)
        # Labels may go on past their bounds: what is in the training log by now must find its label.
        bounds = {name: log.bounds(name) for name in names.values()}
        bounds[names[EVENTS.name]] = sources[names[EVENTS.name]]
        logs = log.read(bounds)
        logs[names[LABELS.name]] = Log(records=logs[names[LABELS.name]].records, bounds=sources[names[LABELS.name]])
        recording = Recording(
            pipeline=pipeline, topic_id=topic_id(names[EVENTS.name], kafka),
            logs={short: logs[name] for short, name in names.items()}, rows=database.rows(),
            codec=event_codec(pipeline, os.environ))
    except NoSuchTopic as error:
        raise MissingTopic(str(error)) from error
    finally:
        log.close()
    return recording, lagging
