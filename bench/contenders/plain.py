"""The practical limit: a plain confluent-kafka loop. No counts, no checkpoints, offsets committed by a timer."""

import gc

from confluent_kafka import Consumer, Message, Producer

from bench.contenders.work import Task, Work

BATCH = 4_000
WAIT_SECONDS = 0.003
IN_FLIGHT = 100_000


def main() -> None:
    """Consume, score, produce until killed."""
    task = Task.read()
    work = Work(task)
    consumer = Consumer({
        "bootstrap.servers": task.bootstrap_servers, "group.id": task.group, "auto.offset.reset": "earliest",
        "enable.auto.commit": True, "fetch.wait.max.ms": 5, "fetch.message.max.bytes": 4 << 20,
        "queued.min.messages": 200_000, "queued.max.messages.kbytes": 128 << 10,
    })
    producer = Producer({
        "bootstrap.servers": task.bootstrap_servers, "partitioner": "murmur2_random", "linger.ms": 2,
        "batch.size": 900_000, "queue.buffering.max.messages": 1_000_000, "delivery.report.only.error": True,
    })
    consumer.subscribe([task.events])
    gc.freeze()
    while True:
        messages = [message for message in consumer.consume(BATCH, WAIT_SECONDS) if message.error() is None]
        if messages:
            step(messages, work, producer, task)
        producer.poll(0)


def step(messages: list[Message], work: Work, producer: Producer, task: Task) -> None:
    """One batch."""
    sources = [f"{task.events}-{m.partition()}-{m.offset()}" for m in messages]
    predictions = work.batch([m.value() or b"" for m in messages], sources)
    records = [{"key": m.key(), "value": p} for m, p in zip(messages, predictions, strict=True)]
    if producer.produce_batch(task.predictions, records) != len(records):
        raise BufferError("the producer's queue is full")
    while len(producer) > IN_FLIGHT:
        producer.poll(0.001)


if __name__ == "__main__":
    main()
