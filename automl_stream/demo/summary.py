"""The demo's last words in the terminal."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.table import Table


def summarise(report: Mapping[str, Any]) -> Table:
    """Table of what report.json holds."""
    table = Table(title=f"automl-stream: {report['pipeline']}", show_header=False)
    table.add_row("events", f"{report['rows']:,} sent, {report['predictions']:,} predicted, "
                            f"{report['dead_letters']:,} dead letters, {report['lost']:,} lost")
    for key, name in (("accuracy", "accuracy"), ("log_loss", "log loss"), ("average_precision", "average precision"),
                      ("mae", "mean absolute error")):
        if f"{key}_live" in report:
            table.add_row(name, f"{report[f'{key}_live']:.4f} live, {report[f'{key}_frozen']:.4f} with the first model")
    verdicts = Counter(decision["verdict"] for decision in report["decisions"])
    table.add_row("drift alerts", str(len(report["alerts"])))
    table.add_row("decisions", ", ".join(f"{count} {verdict}" for verdict, count in sorted(verdicts.items())))
    table.add_row("models served", str(len({version["digest"] for version in report["versions"]})))
    reactions = report["seconds_from_alert_to_serving"]
    if reactions:
        table.add_row("alert to better model", ", ".join(f"{seconds:.1f} s" for seconds in reactions[:5]))
    table.add_row("speed", f"{report['events_per_second']:,.0f} events/s, {report['wall_seconds']:.0f} s in all")
    table.add_row("memory", ", ".join(f"{name} {size} MB" for name, size in sorted(report["rss_mb"].items())))
    return table
