"""The loop as a picture: who works, how fast, and who is behind."""

from typing import Any

from dash import dcc, html

from console.live import Pulse
from console.pages.overview.reading import Overview
from console.parts.aria import aria
from console.parts.figures import count, rate
from console.parts.when import moment
from console.site import Visit
from schemas.topics import DRIFT_STATS, EVENTS, LABELLED, LABELS, PREDICTIONS

WATCH_SECONDS, BAD_SECONDS = 5, 60  # of work that waits, at the rate of now


def picture(found: Overview, visit: Visit) -> html.Div:
    """Services and what flows between them; on a phone one below the other."""
    pulse = found.pulse
    return html.Div([
        _node("events", "Events", rate(pulse.rates.get(EVENTS.name)), f"{count(pulse.ends.get(EVENTS.name))} records"),
        _arrow("→", "e1"),
        _node("score", "Score", _model(found), _waiting(pulse, "score"), tone=lag_tone(pulse, "score", EVENTS.name),
              href=visit.link("models")),
        _arrow("→", "e2"),
        _node("predictions", "Predictions", rate(pulse.rates.get(PREDICTIONS.name)),
              f"{count(pulse.ends.get(PREDICTIONS.name))} in all", href=visit.link("events")),
        _arrow("→", "e3"),
        _node("record", "Recorder", "to PostgreSQL", _waiting(pulse, "record"),
              tone=lag_tone(pulse, "record", PREDICTIONS.name)),
        _arrow("↗", "up", "new models"), _arrow("↓", "d1", "counts"), _arrow("↓", "d2", "what was predicted"),
        _node("trainer", "Trainer", *_trainer(found), href=visit.link("incidents"),
              tone="bad" if found.paused else "watch" if found.incident else None),
        _arrow("←", "e4", "alerts"),
        _node("monitor", "Monitor", f"{count(pulse.ends.get(DRIFT_STATS.name))} windows", _last_window(found, visit),
              tone="bad" if found.report and found.report.alarm else None, href=visit.link("drift")),
        _arrow("←", "e5", "losses"),
        _node("join", "Label join", rate(pulse.rates.get(LABELLED.name)),
              f"{count(pulse.ends.get(LABELLED.name))} labelled"),
        _arrow("←", "e6"),
        _node("labels", "Labels", rate(pulse.rates.get(LABELS.name)), _waiting(pulse, "labels"),
              tone=lag_tone(pulse, "labels", LABELS.name)),
    ], className="loop", role="group", **aria(label="The loop"))


def lag_tone(pulse: Pulse, service: str, topic: str) -> str | None:
    """How bad it is that work waits: by the seconds that the topic needed to bring it."""
    waiting = pulse.lags.get(service, 0)
    seconds = waiting / max(pulse.rates.get(topic, 0.0), 1.0)
    return "bad" if seconds > BAD_SECONDS else "watch" if seconds > WATCH_SECONDS else None


def _node(place: str, name: str, value: Any, note: Any, *, tone: str | None = None, href: str | None = None) -> Any:
    content = [html.Div(name, className="tile-name"), html.Div(value, className="node-value"),
               html.Div(note, className="tile-note")]
    look = f"node at-{place}" + (f" tile-{tone}" if tone else "")
    return dcc.Link(content, href=href, className=look) if href else html.Div(content, className=look)


def _arrow(sign: str, place: str, words: str = "") -> html.Div:
    return html.Div([html.Span(sign), html.Small(words)] if words else html.Span(sign), className=f"arrow at-{place}",
                    **aria(hidden="true"))


def _model(found: Overview) -> str:
    return "no model yet" if found.champion is None else f"version {found.champion.announcement.version}"


def _waiting(pulse: Pulse, service: str) -> str:
    if service not in pulse.lags:
        return "not heard of yet"
    return f"{count(pulse.lags[service])} waiting" if pulse.lags[service] else "nothing waits"


def _trainer(found: Overview) -> tuple[str, str]:
    if found.paused:
        return "paused", found.paused
    return ("incident open", found.incident or "") if found.incident else ("watching", "no open incident")


def _last_window(found: Overview, visit: Visit) -> Any:
    if found.report is None:
        return "no window has closed yet"
    return ["alarm in " if found.report.alarm else "last to ", moment(found.report.window_end, visit.zone)]
