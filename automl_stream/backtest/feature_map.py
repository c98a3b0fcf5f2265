"""The lower panel of a policy's picture: every feature over the rows, coloured by its evidence in thresholds."""

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

from automl_stream.backtest.result import FeaturePoint, Window
from automl_stream.backtest.timeline import AMBER, Columns, Trace, plain

STRONG = 4.0  # thresholds: where the colours end
COLOURS = ((0.0, "rgba(128,132,140,0.08)"), (1 / STRONG, "rgba(63,131,200,0.75)"), (1 / STRONG, AMBER),
           (1.0, "#b3122b"))
_AXES = {"xaxis": "x", "yaxis": "y3"}

Cell = tuple[FeaturePoint, Window]


def by_evidence(windows: Sequence[Window]) -> list[str]:
    """Names of the features, the strongest first."""
    strongest: dict[str, float] = {}
    for window in windows:
        for point in window.features:
            strongest[point.name] = max(_strength((point, window)), strongest.get(point.name, 0.0))
    return sorted(strongest, key=lambda name: (-strongest[name], name))


def feature_map(columns: Columns, names: Sequence[str]) -> list[Trace]:
    """A line a feature, in the order of `names`, and a dot where it alarmed; a gap where it was not watched."""
    cells = [_cells(column) for column in columns]
    last = [column[-1].end_row for column in columns[-1:]]
    edges = list(accumulate([*(column[0].first_row for column in columns), *last], max))
    return [
        _AXES | {"type": "heatmap", "x": edges, "y": list(range(len(names))), "ygap": 1,
                 "z": [[_strength(column[name]) if name in column else None for column in cells] for name in names],
                 "hoverinfo": "text",
                 "hovertext": [[_said(*column[name]) if name in column else "" for column in cells] for name in names],
                 "zmin": 0, "zmax": STRONG, "colorscale": COLOURS, "showscale": False},
        _dots(edges, cells, names),
    ]


def _cells(column: Sequence[Window]) -> dict[str, Cell]:
    """Of each feature what says most, an alarm before anything else."""
    found: dict[str, Cell] = {}
    for window in column:
        for point in window.features:
            before = found.get(point.name)
            if before is None or (point.alarm, point.evidence) > (before[0].alarm, before[0].evidence):
                found[point.name] = point, window
    return found


def _dots(edges: Sequence[int], cells: Sequence[Mapping[str, Cell]], names: Sequence[str]) -> Trace:
    dots = [((first + end) / 2, y) for (first, end), column in zip(pairwise(edges), cells, strict=True)
            for y, name in enumerate(names) if name in column and column[name][0].alarm]
    return _AXES | {"type": "scatter", "mode": "markers", "x": [x for x, _ in dots], "y": [y for _, y in dots],
                    "hoverinfo": "skip",
                    "marker": {"color": "#ffffff", "size": 4, "line": {"color": "#000000", "width": 1}}}


def _strength(cell: Cell) -> float:
    """Evidence in thresholds."""
    point, window = cell
    return round(point.evidence / window.threshold, 3)


def _said(point: FeaturePoint, window: Window) -> str:
    shown = [f"{name} {value:.3f}" for name, value in (("PSI", point.psi), ("KS", point.ks)) if value is not None]
    return "<br>".join((
        plain(point.name),
        f"rows {window.first_row:,} to {window.end_row:,}",
        f"evidence {point.evidence:.1f}, threshold {window.threshold:.1f}",
        f"effect {point.effect:+.2f} (at least {point.lower_bound:.2f})",
        ", ".join((f"missing {point.missing:.1%}", *shown)),
        *(["alarm"] if point.alarm else []),
        *([] if point.calibrated else ["uncalibrated: it cannot alarm"]),
    ))
