"""How fast rows go out: a token bucket whose clock and sleep are passed in."""

from collections.abc import Callable

BURST_SECONDS = 0.02
_WHOLE = 1.0 - 1e-6  # rounding must not ask for a sleep too short to move the clock


class Pace:
    """At most `rate` events a second, in bursts of at most `BURST_SECONDS`; None: as fast as it goes.

    `clock`: monotonic seconds; `sleep`: waits at most so many seconds.
    """

    def __init__(self, rate: float | None, clock: Callable[[], float], sleep: Callable[[float], object]) -> None:
        self.clock = clock
        self._rate = rate
        self._sleep = sleep
        self._burst = max(1.0, (rate or 0) * BURST_SECONDS)
        self._tokens = 1.0
        self._filled_at = clock()

    def take(self) -> None:
        """Wait until the next event may go out."""
        if self._rate is None:
            return
        self._fill(self._rate)
        while self._tokens < _WHOLE:
            self._sleep((1.0 - self._tokens) / self._rate)
            self._fill(self._rate)
        self._tokens -= 1.0

    def _fill(self, rate: float) -> None:
        now = self.clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * rate)
        self._filled_at = now
