"""What `--json` prints."""

import sys
from typing import Any


def print_json(document: Any) -> None:
    """Write a document to standard output, indented."""
    import msgspec  # noqa: PLC0415  (keeps --help fast)

    sys.stdout.write(msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")
