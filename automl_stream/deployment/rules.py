"""The recording and alert rules as a resource of the Prometheus operator (monitoring.coreos.com/v1)."""

from collections.abc import Iterable
from pathlib import Path
from textwrap import indent

HEAD = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: automl-stream
spec:
  groups:
"""


def resource(files: Iterable[Path]) -> str:
    """A PrometheusRule of the groups of all files, in their words."""
    return HEAD + "".join(indent(file.read_text("utf-8").replace("groups:\n", "", 1), "  ") for file in files)
