"""docs/benchmarks.md, docs/decisions-benchmark.md and docs/policies-benchmark.md, from every stored result.

Run: python -m bench.report
"""

from pathlib import Path

import matplotlib as mpl
import msgspec
from matplotlib.figure import Figure

from bench import policies
from bench.decisions import pictures
from bench.result import RESULTS, Chart, Result, Table, cell, say

DOCS = Path(__file__).parents[1] / "docs"
ORDER = ("scoring", "latency", "http", "profile", "growth", "swap", "recorder", "retraining", "onset", "memory",
         "closing")
INTRODUCTION = """# Benchmarks

Written by `python -m bench.report` from bench/results; do not edit. `make bench` measures everything again.

Contenders take turns in one run, on one broker, with the same bytes and the same ONNX model. Figures are medians of the
rounds, and ratios say more than absolute figures: the broker, the contender and the driver share the machine's cores.
False alarms and delays of the drift decision have [a page of their own](decisions-benchmark.md), and so has [the
retraining policy](policies-benchmark.md).
"""
DECISIONS = "decisions"
DECISIONS_INTRODUCTION = f"""# Benchmark of the drift decision

Written by `python -m bench.report` from bench/results; do not edit. `python -m bench.{DECISIONS} --write` measures it
again; `--quick` takes at most five minutes, with fewer streams. No broker is needed. How it is measured is said atop
each module of `bench/{DECISIONS}`.

The user declares one number: at most one false alarm in so many closed windows, over all features and scales. Does the
decision keep to it where nothing changes, and how soon does it find what does change?

![Realised over declared false alarms]({pictures.RATIOS})

![Delays]({pictures.DELAYS})
"""
POLICIES_INTRODUCTION = f"""# Benchmark of the retraining policy

Written by `python -m bench.report` from bench/results; do not edit. `python -m bench.{policies.NAME} --write` measures
it again, `python -m bench.{policies.NAME} PART --write` one part; `--quick` is smaller. No broker is needed: everything
goes through `automl_stream.backtest`, the services' own code. How it is measured is said atop each module of
`bench/{policies.NAME}`.

One default policy for every stream. Does it reach what it must, and what happens where it is tried hard?
"""


def main() -> None:
    """Write the pages and their plots."""
    stored = {path.stem: msgspec.json.decode(path.read_bytes(), type=Result) for path in RESULTS.glob("*.json")}
    decisions = stored.pop(DECISIONS, None)
    if decisions is not None:
        pictures.draw(decisions.raw, DOCS)
        (DOCS / f"{DECISIONS}-benchmark.md").write_text(DECISIONS_INTRODUCTION + section(decisions), "utf-8")
    parts = [stored.pop(name) for part in policies.ORDER if (name := policies.stored_as(part)) in stored]
    if parts:
        page = POLICIES_INTRODUCTION + "".join(map(section, parts))
        (DOCS / f"{policies.NAME}-benchmark.md").write_text(page, "utf-8")
    results = sorted(stored.values(), key=lambda r: (ORDER.index(r.name) if r.name in ORDER else len(ORDER), r.name))
    charts = [chart for result in results for chart in result.charts]
    if charts:
        draw(charts, DOCS / "benchmarks.svg")
    plot = "\n![The same figures as bars](benchmarks.svg)\n" if charts else ""
    page = INTRODUCTION + plot + "".join(map(section, results))
    (DOCS / "benchmarks.md").write_text(page, "utf-8")
    say(f"{DOCS / 'benchmarks.md'}: {len(results)} benches")


def section(result: Result) -> str:
    """One bench: what, how, where, the tables, and every round."""
    machine = result.machine
    raw = msgspec.json.format(msgspec.json.encode(result.raw), indent=1).decode()
    return "\n".join([
        f"\n## {result.title}", "", result.summary, "",
        (f"`{result.command}`, {result.measured_at}; {machine.cores} cores of {machine.processor}, "
         f"{machine.memory_gib:g} GiB, {machine.system}, Python {machine.python}; {machine.broker}; "
         f"load when it began: {machine.load:g}."), "",
        *map(_table, result.tables),
        "<details><summary>raw figures</summary>", "", "```json", raw, "```", "", "</details>", "",
    ])


def draw(charts: list[Chart], path: Path) -> None:
    """Bars of every chart, one under the other, as SVG."""
    mpl.rcParams["svg.hashsalt"] = "automl-stream"  # the same figures, the same bytes
    heights = [len(chart.bars) + 1.5 for chart in charts]
    figure = Figure(figsize=(9, 0.38 * sum(heights)), layout="constrained")
    places = figure.subplots(len(charts), 1, squeeze=False, height_ratios=heights)[:, 0]
    for axes, chart in zip(places, charts, strict=True):
        bars = axes.barh(list(chart.bars), list(chart.bars.values()), color="#4477aa")
        axes.bar_label(bars, [f" {cell(value)}" for value in chart.bars.values()], fontsize=8)
        axes.invert_yaxis()
        axes.set_title(f"{chart.title} ({chart.unit})", fontsize=10, loc="left")
        axes.set_xscale("log" if chart.logarithmic else "linear")
        axes.spines[["top", "right"]].set_visible(False)
        axes.margins(x=0.12)
        axes.tick_params(labelsize=8)
    figure.savefig(path, metadata={"Date": None})


def _table(table: Table) -> str:
    lines = [f"**{table.title}**", "", "| " + " | ".join(table.columns) + " |",
             "|" + "---|" * len(table.columns),
             *("| " + " | ".join(cell(value).replace("|", "\\|") for value in row) + " |" for row in table.rows), ""]
    return "\n".join([*lines, table.note, ""] if table.note else lines)


if __name__ == "__main__":
    main()
