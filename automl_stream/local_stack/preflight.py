"""What must be true of the machine before anything starts."""

from __future__ import annotations

import ctypes
import shutil
import sys
from typing import TYPE_CHECKING

from automl_stream.local_stack.errors import MissingLibrary, NotEnoughDisk

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1024**3
NEEDED_BYTES = GIB


def require_disk(home: Path, needed: int = NEEDED_BYTES) -> None:
    """Create home and raise NotEnoughDisk if fewer than ``needed`` bytes are free there."""
    home.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(home).free
    if free < needed:
        message = (
            f"{home} has {free / GIB:.1f} GiB free and {needed / GIB:.1f} GiB are needed: "
            "free some space, or choose another directory with --home."
        )
        raise NotEnoughDisk(message)


def require_libgomp() -> None:
    """Raise MissingLibrary where LightGBM could not load: its Linux wheel leaves out the OpenMP runtime."""
    if sys.platform != "linux":
        return
    try:
        ctypes.CDLL("libgomp.so.1")
    except OSError as error:
        message = (
            "The library libgomp.so.1, which LightGBM trains with, is not installed: "
            "install it with `apt-get install libgomp1` or `dnf install libgomp`."
        )
        raise MissingLibrary(message) from error
