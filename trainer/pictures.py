"""Evidence as pictures (PNG)."""

from collections.abc import Mapping
from io import BytesIO
from typing import Any

from trainer.evidence import Evidence

_SHOWN = 20  # features
_BLUE, _GREY = "#4477aa", "#888888"


def pictures(evidence: Evidence) -> dict[str, bytes]:
    """File name to PNG. matplotlib is imported here: half a second that only this needs."""
    answers = _values(evidence) if evidence.pairs else _calibration(evidence)
    return {
        "predicted-against-true.png" if evidence.pairs else "calibration.png": answers,
        "drift.png": _bars(evidence.psi, "PSI of the rows it was fitted on, against the reference profile"),
        "importance.png": _bars(evidence.importance, "Mean absolute Shapley value of an answer"),
    }


def _calibration(evidence: Evidence) -> bytes:
    figure, axes = _figure(4.5)
    axes.plot([0, 1], [0, 1], color=_GREY, linewidth=1)
    axes.plot([b.said for b in evidence.calibration], [b.true for b in evidence.calibration], "o-", color=_BLUE)
    axes.set(xlabel="probability that was said", ylabel="share that was so", xlim=(0, 1), ylim=(0, 1),
             title=f"Calibration on {_rows(evidence)}")
    return _png(figure)


def _values(evidence: Evidence) -> bytes:
    figure, axes = _figure(4.5)
    said, true = zip(*evidence.pairs, strict=True)
    ends = [min(true), max(true)]
    axes.plot(ends, ends, color=_GREY, linewidth=1)
    axes.plot(true, said, ".", color=_BLUE, markersize=4, alpha=0.6)
    axes.set(xlabel="true", ylabel="predicted", title=f"Predicted against true on {_rows(evidence)}")
    return _png(figure)


def _bars(values: Mapping[str, float], title: str) -> bytes:
    largest = sorted(values, key=lambda name: -values[name])[:_SHOWN]
    figure, axes = _figure(0.9 + 0.26 * len(largest))
    axes.barh(range(len(largest)), [values[name] for name in largest], color=_BLUE)
    # A name is text, never a formula: matplotlib takes what stands between two $ for one.
    axes.set_yticks(range(len(largest)), [name.replace("$", r"\$") for name in largest], fontsize=8)
    axes.invert_yaxis()
    axes.set_title(title + (f", the {_SHOWN} largest" if len(values) > _SHOWN else ""), fontsize=10)
    return _png(figure)


def _rows(evidence: Evidence) -> str:
    return f"{evidence.rows:,} rows {'after its fit' if evidence.unseen else 'that it was fitted on'}"


def _figure(height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(6, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.title.set_fontsize(10)
    return figure, axes


def _png(figure: Any) -> bytes:
    file = BytesIO()
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    return file.getvalue()
