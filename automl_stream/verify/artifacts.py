"""Bytes of announced artifacts, put together from the chunks of `model-artifacts` and verified."""

from dataclasses import dataclass, field
from hashlib import sha256

from automl_stream.topic_log import Log, Record
from schemas.messages import Artifact


class BadArtifact(Exception):
    """The chunks are not what was announced. `gone`: no chunk with bytes is left, as after a clean-up."""

    def __init__(self, message: str, *, gone: bool) -> None:
        super().__init__(message)
        self.gone = gone


@dataclass(kw_only=True)
class Shelf:
    """All chunks by digest."""

    _chunks: dict[str, list[Record]] = field(default_factory=dict)

    @classmethod
    def of(cls, log: Log) -> "Shelf":
        """The chunks of a log."""
        shelf = cls()
        for record in log.records:
            digest = (record.key or b"").partition(b"/")[0].decode(errors="replace")
            if record.value:
                shelf._chunks.setdefault(digest, []).append(record)
        return shelf

    def bytes_of(self, artifact: Artifact) -> bytes:
        """Verified bytes.

        Raises:
            BadArtifact: when chunks are missing, or size or SHA-256 differ.
        """
        chunks = [r.value or b"" for r in self._chunks.get(artifact.digest, []) if r.offset >= artifact.offset]
        if not chunks:
            raise BadArtifact(f"no chunk from offset {artifact.offset} on", gone=True)
        data = b""
        for chunk in chunks:
            if len(data) < artifact.size:
                data += chunk
        if len(data) != artifact.size:
            raise BadArtifact(f"{len(data)} bytes where {artifact.size} were announced", gone=False)
        if sha256(data).hexdigest() != artifact.digest:
            raise BadArtifact(f"SHA-256 {sha256(data).hexdigest()}", gone=False)
        return data
