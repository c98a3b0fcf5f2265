"""Which code makes a model: a digest of the sources that a fit, a decision or a file depends on."""

import functools
import hashlib
from pathlib import Path

_PACKAGES = ("drift", "schemas", "trainer")


@functools.cache
def source_digest() -> str:
    """SHA-256 (hex) over the path and bytes of every module of these packages, as they are installed."""
    root, digest = Path(__file__).parents[1], hashlib.sha256()
    for path in sorted(path for package in _PACKAGES for path in (root / package).rglob("*.py")):
        data = path.read_bytes()
        digest.update(f"{path.relative_to(root).as_posix()}\n{len(data)}\n".encode() + data)
    return digest.hexdigest()
