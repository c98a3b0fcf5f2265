"""What was measured, as a reader sees it."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from statistics import median

from bench.decisions import immaterial, predictions, uncalibrated
from bench.decisions.delays import STRICT, Levels, behind
from bench.decisions.immaterial import Share
from bench.decisions.predictions import Promotion
from bench.decisions.realised import LEVELS, LIMIT, UNRELATED, Cell, pooled
from bench.decisions.rules import OURS
from bench.decisions.uncalibrated import Silence
from bench.result import Table

Delays = Mapping[str, Mapping[str, float | None]]
STRICT_LIMITS = {".2 sd in 1": 14, "variance x 1.3 in 10": 10, "missing 0 → 2 % in 10": 2}  # windows
MISSED = "∞"


def realised(cells: Sequence[Cell]) -> Table:
    """A row a case, a column a level."""
    titles = [f"{together} feature{'s' if together > 1 else ''}, 1 in {budget:,}" for together, budget in LEVELS]
    rows: list[tuple[str | float | None, ...]] = []
    for case, members in groupby(cells, key=lambda cell: cell.case):
        by_level = {(cell.together, cell.budget): cell for cell in members}
        rows.append((case.stream + (" (excepted)" if case.hidden else ""), case.window, case.reference,
                     min(cell.references for cell in by_level.values()),
                     *(_ratio(by_level[level]) if level in by_level else None for level in LEVELS)))
    above = sum(cell.exceeds for cell in cells)
    return Table(
        title="Realised over declared false alarms", rows=rows,
        columns=("stream", "window, rows", "reference, rows", "references", *titles),
        note=f"90 % bootstrap interval over draws in brackets. Pooled over all cells: {pooled(cells):.2f} (at most 1). "
             f"Cells whose lower bound exceeds {LIMIT}: {above} of {len(cells)}. References: draws of the "
             "case; each of their features is one where 1 feature is judged. Excepted: a reference of 1,000 rows often "
             "holds no burst of missing values, and nothing can know of them.")


def _ratio(cell: Cell) -> str:
    mark = "**" if cell.exceeds else ""
    return f"{mark}{cell.ratio:.2f}{mark} ({cell.low:.2f} to {cell.high:.2f})"


def promotions(found: Sequence[Promotion]) -> Table:
    """A row a kind of reference."""
    return Table(
        title="Prediction cells after a promotion: realised over declared, by what the profile is made of",
        columns=("reference", "rows", "ratio", "with materiality", "references"),
        rows=[(each.reference, each.rows, f"{each.ratio:.2f} ({each.low:.2f} to {each.high:.2f})", each.material,
               each.references) for each in found],
        note="The score of a gradient-boosted classifier, one feature, windows of 100 rows, one in 100. "
             "Forward-chained models have seen fewer rows than the one that is promoted: their scores are no reference "
             "for its own. The product refers a promoted model to what it says of rows labelled after its fit; what a "
             "trial says stands for the first model, and never alarms.")


def silences(found: Sequence[Silence]) -> Table:
    """A row a world."""
    return Table(
        title="Cycles that the reference does not cover: realised over declared",
        columns=("stream", *(f"{rule} the rule" if rule == "without" else rule for rule in uncalibrated.RULES),
                 "silenced, undeclared", "silenced, declared", "references"),
        rows=[(each.world.name, *(f"{each.ratio[rule]:.2f} (≥ {each.low[rule]:.2f})" for rule in uncalibrated.RULES),
               *(f"{each.silenced[rule]:.0%}" for rule in uncalibrated.RULES[1:]), each.references) for each in found],
        note="One feature, one in 100, windows of 100 rows; the lower bound in brackets. Silenced: features that are "
             "shown and may not alarm. Undeclared: only what the reference itself reveals silences. Declared: the "
             "pipeline's `longest_cycle` is the cycle.")


def delays(found: Delays, levels: Levels, streams: int) -> Table:
    """A row a change, a column a rule."""
    names = [name for name in levels.level if name != STRICT]
    return Table(
        title="Windows until a change is found, at equal realised rate",
        columns=("change", *names, "ours is", STRICT, "at most"),
        rows=[(change, *(_windows(row[name]) for name in names), standing(row), _windows(row[STRICT]),
               STRICT_LIMITS.get(change)) for change, row in found.items()],
        note=f"Medians of {streams} streams; {MISSED}: missed by more than half. Every level is set so that "
             f"{levels.realised:.2%} of {levels.windows:,} drift-free windows alarm, which is what ours realises at "
             f"one in 100 declared. `{STRICT}` is ours at a stricter budget, with the limit that drift.md sets it. "
             "ADWIN's past are all rows so far, those of the history too; KS, PSI and ours know the reference alone.")


def standing(row: Mapping[str, float | None]) -> str:
    """Whether ours is shortest, within a tenth of it, or behind which rule."""
    others = {name: windows for name, windows in row.items() if name not in {OURS.name, STRICT} and windows is not None}
    ours, best = row[OURS.name], min(others, key=lambda name: others[name], default=None)
    if ours is None and best is None:
        return "missed, as are all"
    if behind(dict(row)):
        return f"**behind {best}**"
    return "shortest" if best is None or ours is None or ours <= others[best] else "within 10 %"


def _windows(found: float | None) -> str | float:
    return MISSED if found is None else found


def materiality(found: Sequence[Share]) -> Table:
    """A row a size and shift."""
    return Table(
        title="A change that is certain and does not matter: share of windows in alarm",
        columns=("rows of window and reference", "shift, sd", "significance alone", "as we decide", "windows"),
        rows=[(each.rows, each.shift, f"{each.significant:.1%}", f"{each.alarmed:.1%}", each.windows)
              for each in found],
        note=f"One feature, one false alarm in {immaterial.SETTINGS.budget_windows:,.0f} windows, least effect "
             f"{immaterial.SETTINGS.min_effect} standard deviations.")


def summary(cells: Sequence[Cell], models: Sequence[Promotion], cycles: Sequence[Silence], found: Delays,
            shares: Sequence[Share]) -> str:
    """The findings in a few sentences, whatever they are."""
    made = {kind: max(each.ratio for each in models if each.reference == kind) for kind in predictions.KINDS}
    longest = {rule: max(each.ratio[rule] for each in cycles if each.world.period) for rule in uncalibrated.RULES}
    late = [change for change, row in found.items() if behind(dict(row))]
    quiet, loud = (next(s.alarmed for s in shares if (s.rows, s.shift) == (1_000_000, shift)) for shift in (0.01, 0.1))
    return " ".join((
        *_budget(cells),
        f"A profile of predictions realises {', '.join(f'{ratio:.2f} ({kind})' for kind, ratio in made.items())}.",
        (f"Cycles that the reference does not cover realise up to {longest['undeclared']:.2f} undeclared and "
         f"{longest['declared']:.2f} declared."),
        f"At equal realised rate another rule is more than a tenth sooner at: {'; '.join(late)}." if late else
        "At equal realised rate no other rule is more than a tenth sooner at any change.",
        f"Of windows of a million rows, {quiet:.1%} alarm on a shift of .01 standard deviations and {loud:.1%} on .1."))


def _budget(cells: Sequence[Cell]) -> tuple[str, ...]:
    judged = [cell for cell in cells if not cell.case.hidden]
    worst = max(judged, key=lambda cell: cell.ratio)
    above = [cell.name for cell in judged if cell.exceeds]
    unrelated = [cell for cell in judged if cell.case.stream in UNRELATED and (cell.together, cell.budget) == LEVELS[0]]
    least = min(unrelated, key=lambda cell: cell.ratio)
    return (
        (f"Over {len(judged)} cells the realised rate of false alarms is {pooled(cells):.2f} of the declared one on "
         f"average, {median(cell.ratio for cell in judged):.2f} in the median, {worst.ratio:.2f} at worst "
         f"({worst.name})."),
        f"The lower bound exceeds {LIMIT} in: {'; '.join(above)}." if above else f"No lower bound exceeds {LIMIT}.",
        f"On streams of independent rows the ratio is at least {least.ratio:.2f} at one in 100 ({least.case.name}).")
