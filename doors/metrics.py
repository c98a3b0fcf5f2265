"""What every HTTP door shows. Other paths than its own are one route, so that clients cannot make more of them."""

from telemetry.metrics import ServiceMetrics

ROUTE = "the door's routes, and `other`"


class DoorMetrics:
    """Requests, and whether the door could serve any."""

    def __init__(self, service: ServiceMetrics) -> None:
        self.requests = service.counter("http_requests", "Requests answered; 499: its client left first.", route=ROUTE,
                                        status="statuses that a door answers with")
        self.seconds = service.histogram("http_request_seconds", "From the headers to the end of the answer.",
                                         (.002, .005, .01, .02, .03, .05, .1, .2, .5, 1, 2, 5, 10, 30), route=ROUTE)
        self.under_way = service.gauge("http_requests_under_way", "Requests that are let in and not yet answered.")
        self.ready = service.gauge("door_ready", "1 while requests can be served; 0: /readyz says why not.")
