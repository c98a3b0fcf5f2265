"""What every service shows that answers with models: the score workers and the prediction API."""

import time

from schemas.model_log import Accepted, Serving
from telemetry.metrics import DELAY_SECONDS, ServiceMetrics

SLOTS = ("champion", "canary")


class ServingMetrics:
    """The models that this process has loaded, and those that it refused."""

    def __init__(self, service: ServiceMetrics) -> None:
        self.epoch = service.gauge("model_epoch", "Offset of the announcement of the model that is ready to serve.",
                                   slot=SLOTS)
        self.announced = service.gauge("model_announced_timestamp_seconds", "When that model was announced.",
                                       slot=SLOTS)
        self.version = service.gauge("model_version_info", "1 for the version that is ready to serve.", slot=SLOTS,
                                     version="the one of each slot")
        self.swaps = service.counter("model_swaps", "Models that were made ready to serve.", slot=SLOTS)
        self.refused = service.counter(
            "models_refused", "Announced models that could not be loaded; what served before them serves on.")
        self.delay = service.histogram(
            "model_swap_delay_seconds", "From an announcement to its model being ready, while the process runs.",
            DELAY_SECONDS)
        self._began = time.time()
        self._shown: dict[str, Accepted | None] = {}

    def show(self, serving: Serving) -> None:
        """These are ready to serve."""
        for gauge in (self.epoch, self.announced, self.version):
            gauge.clear()
        for slot, accepted in zip(SLOTS, (serving.champion, serving.canary), strict=True):
            before, self._shown[slot] = self._shown.get(slot), accepted
            if accepted is None:
                continue
            announced = accepted.announcement.issued_at / 1_000
            self.epoch.labels(slot).set(accepted.epoch)
            self.announced.labels(slot).set(announced)
            self.version.labels(slot, accepted.announcement.version).set(1)
            if before is None or before.epoch != accepted.epoch:
                self.swaps.labels(slot).inc()
                if announced >= self._began:
                    self.delay.observe(max(0.0, time.time() - announced))
