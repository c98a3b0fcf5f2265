"""A decision in full: what it goes by, who was judged, and what the gate saw."""

from collections.abc import Sequence
from typing import Any

from dash import dcc, html

from console.parts.aria import aria
from console.parts.figures import count, figure
from console.parts.panel import facts
from console.site import Visit
from schemas.messages import Candidate, GateVerdict, Recipe, TrainingDecision

_PARAMETER_DIGITS = 4


def decision_facts(decision: TrainingDecision, visit: Visit) -> html.Div:
    """Everything but its verdict and reason."""
    dataset, incident = decision.dataset, decision.incident_id
    pairs: list[tuple[str, Any]] = [("Decision", html.Code(decision.decision_id)), ("Trigger", decision.trigger)]
    if incident is not None:
        pairs.append(("Incident", dcc.Link(incident, href=visit.link("incidents", incident=incident))))
    if dataset is not None:
        pairs.append(("Rows", f"{count(dataset.rows)} of labelled, offsets {dataset.first} to {dataset.last}"))
    if decision.recipe is not None:
        pairs.append(("Recipe", recipe_words(decision.recipe)))
    if decision.gate is not None:
        pairs.append(("Gate", gate_words(decision.gate)))
    pairs += [(name, value) for name, value in (("Version", decision.version), ("MLflow run", decision.run),
                                                ("By", decision.by)) if value]
    return html.Div([facts(*pairs), *([_candidates(decision.candidates)] if decision.candidates else [])])


def recipe_words(recipe: Recipe) -> str:
    """Family, rows, parameters."""
    written = [f"{name} {figure(value, _PARAMETER_DIGITS) if isinstance(value, float) else value}"
               for name, value in recipe.parameters.items()]
    return ", ".join((f"{recipe.family} on window {recipe.window} ({count(recipe.dataset.rows)} rows)",
                      f"seed {recipe.seed}", *written))


def gate_words(gate: GateVerdict) -> str:
    """By which rule, and both losses on the same rows."""
    evidence = f"; log evidence {figure(gate.evidence)}" if gate.evidence is not None else ""
    return (f"{gate.rule} on {count(gate.rows)} fresh rows: loss {figure(gate.candidate_loss, _PARAMETER_DIGITS)}, the "
            f"champion's {figure(gate.champion_loss, _PARAMETER_DIGITS)}{evidence}")


def _candidates(candidates: Sequence[Candidate]) -> html.Div:
    """Wider than a phone: there it is scrolled."""
    names = ("Candidate", "Window", "Fitted on", "Loss", "On fresh rows")
    rows = [(c.recipe.family, str(c.recipe.window), count(c.recipe.dataset.rows),
             figure(c.loss, _PARAMETER_DIGITS), count(c.rows)) for c in candidates]
    shown = html.Table([
        html.Thead(html.Tr([html.Th(name, scope="col") for name in names])),
        html.Tbody([html.Tr([html.Th(first, scope="row"), *map(html.Td, others)]) for first, *others in rows]),
    ], className="compared")
    return html.Div(shown, className="wide", tabIndex=0, role="group", **aria(label="Candidates"))
