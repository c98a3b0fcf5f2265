"""Artifacts in chunks, announcements with `replaces`, and the fold that says whether one was accepted."""

import hashlib
from collections.abc import Callable
from typing import NamedTuple

from schemas.codec import encode
from schemas.messages import Artifact, ModelAnnouncement
from schemas.model_log import Accepted, ModelLog
from schemas.pipeline import Pipeline
from schemas.topics import MODEL_ARTIFACTS, MODEL_UPDATES, topic_name
from trainer.errors import BadArtifact, LostSlot
from trainer.kafka_log import LogReader, LogWriter

CHUNK_BYTES = 512 << 10


class Parts(NamedTuple):
    """Stored artifacts of an announcement; without a reference of its predictions these are not watched."""

    model: Artifact
    profile: Artifact
    predictions: Artifact | None = None


class Announcer:
    """The trainer's side of `model-updates` and `model-artifacts`; `clock` gives epoch milliseconds."""

    def __init__(self, pipeline: Pipeline, reader: LogReader, writer: LogWriter, clock: Callable[[], int]) -> None:
        self._updates = topic_name(pipeline.name, MODEL_UPDATES)
        self._artifacts = topic_name(pipeline.name, MODEL_ARTIFACTS)
        self._reader = reader
        self._writer = writer
        self._clock = clock
        self._log = ModelLog()
        self._read = 0

    def models(self) -> ModelLog:
        """Accepted announcements up to now."""
        for record in self._reader.read(self._updates, self._read):
            self._read = record.offset + 1
            self._log.read(record.offset, record.value)
        return self._log

    def announced(self, decision_id: str) -> Accepted | None:
        """The accepted announcement of a decision."""
        models = self.models()
        return next((a for a in (*models.accepted, *models.canaries) if a.announcement.decision_id == decision_id),
                    None)

    def store(self, data: bytes) -> Artifact:
        """Write an artifact's chunks under `<digest>/<chunk>`."""
        digest = hashlib.sha256(data).hexdigest()
        offsets: list[int] = []
        for number, begin in enumerate(range(0, len(data), CHUNK_BYTES)):
            chunk = data[begin : begin + CHUNK_BYTES]
            self._writer.enqueue(self._artifacts, f"{digest}/{number}", chunk, offsets)
        self._writer.confirm()
        return Artifact(digest=digest, size=len(data), offset=min(offsets))

    def load(self, artifact: Artifact) -> bytes:
        """Verified bytes of an artifact.

        Raises:
            BadArtifact: when chunks are missing or the SHA-256 differs.
        """
        prefix = f"{artifact.digest}/".encode()
        chunks: dict[bytes, bytes] = {}
        size = 0
        for record in self._reader.read(self._artifacts, artifact.offset):
            if record.key is not None and record.value and record.key.startswith(prefix) and record.key not in chunks:
                chunks[record.key] = record.value
                size += len(record.value)
            if size >= artifact.size:
                break
        data = b"".join(chunks[key] for key in sorted(chunks, key=lambda key: int(key.rpartition(b"/")[2])))
        if hashlib.sha256(data).hexdigest() != artifact.digest:
            raise BadArtifact(f"artifact {artifact.digest[:12]} at offset {artifact.offset} of {self._artifacts}: "
                              f"{len(data)} of {artifact.size} bytes, another SHA-256; announce it again")
        return data

    def announce(self, replaces: int, version: str, parts: Parts, reason: str, decision_id: str,
                 canary_share: float | None = None) -> Accepted:
        """Announce the parts as the next champion, or as a canary with a share of the entities; 0 withdraws it.

        Raises:
            LostSlot: when the slot's epoch is no longer `replaces`.
        """
        announcement = ModelAnnouncement(slot="champion" if canary_share is None else "canary",
                                         share=canary_share or 0.0, replaces=replaces, version=version,
                                         model=parts.model, profile=parts.profile, predictions=parts.predictions,
                                         reason=reason, decision_id=decision_id, issued_at=self._clock())
        epoch = self._writer.write(self._updates, announcement.slot, encode(announcement))
        accepted = self.models().find(epoch)
        if accepted is None:
            raise LostSlot(f"announcement at offset {epoch} of {self._updates} replaces epoch {replaces}, but the "
                           f"slot is at {self.models().epoch}: another trainer was faster; reading the log again")
        return accepted
