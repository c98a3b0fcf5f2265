"""What each service exports to Prometheus."""

from automl_stream.exported_metrics import EXPORTED
from manual.markdown import code, table
from telemetry.metrics import Bound, Definition

INTRODUCTION = """# Metrics

Each service serves these at `/metrics` of its metrics port, beside those of its process (`process_*`). Which pipeline
and service a number is of, the labels `pipeline` and `service` say, which the scrape adds. A label's values are listed
where they are known beforehand; such counts are there from the start, as 0. What watches them:
[monitoring](../monitoring.md).

"""


def page() -> str:
    """The page: what all services have first."""
    services = {name: metrics().definitions for name, metrics in EXPORTED.items()}
    shared = [one for one in next(iter(services.values())) if all(one in other for other in services.values())]
    return (INTRODUCTION + _section("every service", shared)
            + "".join(_section(name, [one for one in definitions if one not in shared])
                      for name, definitions in services.items()))


def _section(name: str, definitions: list[Definition]) -> str:
    rows = [(code(one.name), one.kind, "; ".join(_label(*label) for label in one.labels.items()), one.help)
            for one in definitions]
    return f"## {name}\n\n{table(('metric', 'kind', 'labels', 'what it says'), rows)}"


def _label(name: str, bound: Bound) -> str:
    return f"{code(name)}: {bound if isinstance(bound, str) else ', '.join(map(code, bound))}"
