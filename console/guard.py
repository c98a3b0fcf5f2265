"""What stands where a page, or a part of one, cannot be shown."""

import time
from collections.abc import Callable
from typing import Any

import structlog

from console.errors import Away, ConsoleError
from console.metrics import METRICS
from console.parts.state import state

log = structlog.get_logger()


def guarded(page: str, show: Callable[[], Any]) -> Any:
    """What `show` gives, or the state that says why it cannot."""
    began = time.perf_counter()
    try:
        return show()
    except ConsoleError as error:
        METRICS.failures.labels(page, type(error).__name__).inc()
        return state("away", "Not reachable now" if isinstance(error, Away) else "Cannot be read", str(error))
    except Exception:
        METRICS.failures.labels(page, "defect").inc()
        log.exception("a page met a defect", page=page)
        return state("broken", "The console has a defect here", "Report it with the console's log; the other pages "
                     "and the pipeline are not touched by it.")
    finally:
        METRICS.pages.labels(page).observe(time.perf_counter() - began)
