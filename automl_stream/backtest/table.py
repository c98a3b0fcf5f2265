"""A backtest for a person: one row a policy, then where the alerts were."""

from collections.abc import Sequence
from statistics import median

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from automl_stream.backtest.result import Alert, Result

SHOWN_ALERTS = 10
SHOWN_FEATURES = 3


def figures(results: Sequence[Result]) -> list[dict[str, str]]:
    """What is compared, by name of the column: a row a policy, all with the same columns."""
    truth_known = any(result.false_alarms is not None for result in results)
    return [_row(result, truth_known=truth_known) for result in results]


def show(results: Sequence[Result], console: Console) -> None:
    """Print the comparison and each policy's first alerts."""
    first = results[0]
    rows = figures(results)
    title = f"{first.pipeline}: {first.rows - first.rows_trained:,} rows after the first {first.rows_trained:,}"
    table = Table(*rows[0], title=escape(title), box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False)  # 80 letters
    for row in rows:
        table.add_row(*map(escape, row.values()))
    console.print(table)
    for result in results:
        _show_alerts(result, console)
        _show_detectors(result, console)


def blamed(alert: Alert) -> str:
    """The detector that alerts by itself, else the guilty features."""
    return f"detector {alert.detector}" if alert.detector else guilty(alert.features)


def guilty(features: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(features) - SHOWN_FEATURES
    return ", ".join(features[:SHOWN_FEATURES]) + (f" and {more} more" if more > 0 else "")


def trust(result: Result) -> list[dict[str, str]]:
    """What each label-based detector did, and how often it is wrong: a row a detector, all with the same columns."""
    return [{
        "detector": each.detector, "may alert": "yes" if each.alerting else "no", "fired": f"{each.firings:,}",
        "false alarms in 1,000 rows (at most)": "not measured" if each.false_alarm_rate is None else
        f"{1_000 * each.false_alarm_rate:.2g} ({1_000 * (each.upper_bound or 0):.2g})",
        "measured on": each.measured_on if each.false_alarm_rate is None else
        f"{each.steady_rows:,}: {each.measured_on}",
    } for each in result.detectors]


def _row(result: Result, *, truth_known: bool) -> dict[str, str]:
    alarming = sum(window.alarm for window in result.windows)
    delay = {"delay in rows (found)": _delay(result.delay_rows)} if truth_known else {}
    return {
        "policy": result.policy,
        "windows (in alarm)": f"{len(result.windows):,} ({alarming:,})",
        **_alerts(result, truth_known=truth_known),
        **delay,
        "trained": f"{result.retrainings:,}",
        "promoted (rolled back)": f"{result.promotions:,} ({result.rollbacks:,})",
        **_quality(result),
        "cost": f"{result.cost.fits:,} fits, {result.training_seconds:,.1f} s",
    }


def _alerts(result: Result, *, truth_known: bool) -> dict[str, str]:
    if not truth_known:
        return {"alerts": f"{len(result.alerts):,}"}
    false = "unknown" if result.false_alarms is None else f"{result.false_alarms:,}"
    return {"alerts (false)": f"{len(result.alerts):,} ({false})"}


def _quality(result: Result) -> dict[str, str]:
    if result.mae is not None and result.mae_frozen is not None:
        return {"mae (frozen)": f"{result.mae:.4g} ({result.mae_frozen:.4g})"}
    if result.accuracy is not None and result.accuracy_frozen is not None:
        return {"accuracy (frozen)": f"{result.accuracy:.4f} ({result.accuracy_frozen:.4f})"}
    return {"accuracy (frozen)": "no labels"}


def _delay(delays: dict[int, int | None] | None) -> str:
    """Median over the changes that were found, and how many those are."""
    if delays is None:
        return "unknown"
    found = [delay for delay in delays.values() if delay is not None]
    middle = f"{median(found):,.0f}" if found else "-"
    return f"{middle} ({len(found)} of {len(delays)})"


def _show_alerts(result: Result, console: Console) -> None:
    if not result.alerts:
        console.print(escape(f"{result.policy}: no alert."))
        return
    table = Table("row", "kind", "began about row", "features or detector",
                  title=escape(f"Alerts, policy {result.policy}"), box=SIMPLE_HEAD)
    for alert in result.alerts[:SHOWN_ALERTS]:
        table.add_row(f"{alert.row:,}", escape(alert.kind), f"{alert.onset_row:,}", escape(blamed(alert)))
    console.print(table)
    more = len(result.alerts) - SHOWN_ALERTS
    if more > 0:
        console.print(f"and {more} more: --json and --html have all")


def _show_detectors(result: Result, console: Console) -> None:
    rows = trust(result)
    if not rows:
        return
    table = Table(*rows[0], title=escape(f"Detectors, policy {result.policy}"), box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*map(escape, row.values()))
    console.print(table)
