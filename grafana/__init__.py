"""What Grafana shows, as code: dashboards, their way into a Grafana, and the rules of Prometheus.

Read in this order: `queries.py` (where numbers come from), `panels.py` (a question and its picture), `board.py` (what
all dashboards have), one module a dashboard in the order a reader needs them (`health.py`, `drift.py`, `lifecycle.py`,
`data_quality.py`), `generate.py` (the files in `dashboards/`, which `python -m grafana` writes anew). Then `shipped.py`
(those files), `server.py` and `push.py` (into a Grafana, over its HTTP API). `provisioning/` is for a Grafana that
reads files, `rules/` for Prometheus.
"""
