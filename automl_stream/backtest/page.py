"""One page with the pictures of every policy. It needs no network; whatever comes from outside is shown as text."""

from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from string import Template

import msgspec

from automl_stream.backtest.picture import picture, windows_a_column
from automl_stream.backtest.result import Result
from automl_stream.backtest.table import blamed, figures, trust


def page(results: Sequence[Result], plotly: str) -> str:
    """The page as HTML; `plotly` is the text of plotly.js."""
    first = results[0]
    rows = figures(results)
    return Template(files("automl_stream.backtest").joinpath("page.html").read_text("utf-8")).substitute(
        title=escape(f"Backtest of {first.pipeline}"),
        lead=f"{first.rows:,} rows; the first {first.rows_trained:,} made the first model, the others were replayed.",
        comparison=_table(rows[0], (row.values() for row in rows)),
        sections="\n".join(_section(result, index) for index, result in enumerate(results)),
        figures=_inline([picture(result) for result in results]),
        plotly=plotly,
    )


def _section(result: Result, index: int) -> str:
    step = windows_a_column(result.windows)
    strongest = f'<p class="quiet">Each column is the strongest of {step} windows.</p>' if step > 1 else ""
    alerts = _table(("row", "kind", "began about row", "features or detector", "what it says"),
                    ((f"{a.row:,}", a.kind, f"{a.onset_row:,}", blamed(a), a.sentence) for a in result.alerts))
    models = _table(("from row", "version", "reason"), ((f"{s.row:,}", s.version, s.reason) for s in result.swaps))
    decisions = _table(("at row", "verdict", "trigger", "reason"),
                       ((f"{d.row:,}", d.verdict, d.trigger, d.reason) for d in result.decisions))
    return "\n".join((
        f"<section><h2>Policy {escape(result.policy)}</h2>", strongest,
        f'<div id="figure-{index}" role="img" aria-label="Evidence, events and features; tables follow"></div>',
        _folded(f"{len(result.alerts):,} alerts", alerts), _folded(f"{len(result.swaps):,} models", models),
        _folded(f"{len(result.decisions):,} decisions", decisions), _detectors(result), "</section>"))


def _detectors(result: Result) -> str:
    rows = trust(result)
    if not rows:
        return ""
    firings = _table(("at row", "detector", "the loss", "offset in labelled"),
                     ((f"{f.row:,}", f.detector, "rose" if f.rose else "fell", f"{f.offset:,}")
                      for f in result.firings))
    return (f'<h3>Detectors</h3><div class="wide">{_table(rows[0], (row.values() for row in rows))}</div>'
            + _folded(f"{len(result.firings):,} firings", firings))


def _folded(title: str, content: str) -> str:
    return f'<details><summary>{escape(title)}</summary><div class="wide">{content}</div></details>'


def _table(names: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _inline(value: object) -> str:
    """JSON that cannot end the script it stands in."""
    return msgspec.json.encode(value).decode().replace("<", "\\u003c")
