"""Metrics of a door. Other paths than its own are one route, so that clients cannot make more of them."""

from prometheus_client import Counter, Histogram

REQUESTS = Counter("automl_stream_http_requests_total", "Requests answered; 499: its client left first",
                   ["route", "status"])
SECONDS = Histogram("automl_stream_http_request_seconds", "From the headers to the end of the answer", ["route"],
                    buckets=(.002, .005, .01, .02, .03, .05, .1, .2, .5, 1, 2, 5, 10, 30))
