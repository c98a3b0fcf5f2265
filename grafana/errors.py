"""Why Grafana does not show what it was given. Each message is one sentence: what, where, what to do.

GrafanaError
├── UnusableAddress   the environment does not say where Grafana is, or as whom to go there; not retriable
├── GrafanaAway       it does not answer, or fails; retriable
├── NotGrafana        what answers is something else; not retriable
└── GrafanaRefused    it answers, and says no; retriable where the message says so
    └── Missing       what was asked for is not there
"""


class GrafanaError(Exception):
    """Grafana does not show what it was given."""


class UnusableAddress(GrafanaError):
    """GRAFANA_URL or GRAFANA_TOKEN is missing or unusable."""


class GrafanaAway(GrafanaError):
    """Grafana does not answer, or answers that it failed."""


class NotGrafana(GrafanaError):
    """What answers at GRAFANA_URL does not speak as Grafana does."""


class GrafanaRefused(GrafanaError):
    """Grafana says no."""


class Missing(GrafanaRefused):
    """Grafana has no such thing."""
