"""Other tools as they come out of the box: how often they alarm where nothing changes, and how soon where it does.

They see the same windows of 100 rows as ours. A tool that answers for each feature is read as an alarm of any. Where
features change only they are watched, at the level that the tool has for all 100; Evidently's share sees all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from rich.progress import Progress

from bench.contenders.panel import CONTENDERS, ask
from bench.contenders.windows import SLOW_WINDOWS, Answer, Matrix, Watched
from bench.decisions import agreement
from bench.decisions.delays import FEATURES, HISTORY, REFERENCE, middle
from bench.decisions.rules import WINDOW
from bench.decisions.streams import CHANGES, STREAMS, Change, Stream, correlated
from bench.result import Table
from drift.decision import Decider, DecisionSettings

BUDGET = 100
DRIFTED_SHARE = 0.5  # of columns, Evidently's
TITLES = {
    "ours": "ours, one in 100", "evidently": "Evidently, any column", "evidently share": "Evidently, half of them",
    "nannyml": "NannyML, any column", "alibi ks": "Alibi KS, Bonferroni", "alibi cvm": "Alibi online CVM, one in 10",
    "adwin": "ADWIN", "adwin corrected": "ADWIN, one in 100", "kswin": "KSWIN", "kswin corrected": "KSWIN, one in 100",
}
AT_DEFAULTS = ("ours", "evidently", "evidently share", "nannyml", "alibi ks", "adwin", "kswin")
NOTE = ("Evidently 0.7.23: DataDriftPreset's count of drifted columns; KS p < .05 up to 1,000 reference rows, beyond "
        "them the Wasserstein distance over .1 standard deviations. NannyML 0.13.1: Jensen-Shannon, three standard "
        "deviations above its mean on the reference. Alibi Detect 0.13.0: KSDrift at .05 over the features; "
        "CVMDriftOnline at an expected run time of 1,000 rows, on the last 500 reference rows (MMDDriftOnline needs "
        "PyTorch or TensorFlow). River 0.26.1, a detector a feature: at its defaults, and at .01 divided among the "
        f"features and looks of a window; KSWIN, being slow, on the first {SLOW_WINDOWS} windows of each reference. "
        "Excepted: the reference often holds no burst, and nothing can know of them.")
PLAIN = Stream(name="correlated .3", draw=correlated(0.3))

Alarms = dict[str, Matrix]  # by rule of TITLES: (windows,), the share of what was watched that alarmed
Row = tuple[str | float | None, ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A drift-free stream."""

    stream: str
    features: int = 10
    reference: int = 1_000

    def draw(self, seed: int, windows: int) -> Watched:
        """A reference, 64 windows as history, and those that are judged."""
        rng = np.random.default_rng([seed, self.features, self.reference])
        rows = STREAMS[self.stream].draw(rng, self.reference + (HISTORY + windows) * WINDOW, self.features)
        return cut(rows, self.reference, total=self.features, rate=1 / BUDGET)


@dataclass(frozen=True, kw_only=True)
class Size:
    """References of each case, and windows of each; streams with changes, and windows after each change."""

    cases: tuple[Case, ...]
    references: int
    windows: int
    streams: int = 0
    patience: int = 0


INDEPENDENT = tuple(Case(stream="independent", features=features) for features in (10, 30, 100))
OTHERS = tuple(Case(stream=stream.name) for stream in STREAMS.values()
               if stream.categories == 0 and stream.name != "independent")
QUICK = Size(cases=INDEPENDENT[:2], references=1, windows=10)
FULL = Size(cases=(*INDEPENDENT, Case(stream="independent", reference=REFERENCE), *OTHERS), references=2, windows=20,
            streams=3, patience=20)


def measure(*, quick: bool, progress: Progress) -> list[Table]:
    """False alarms, whether rules.py finds what the tools find, and delays (not if `quick`).

    Raises:
        subprocess.CalledProcessError: see `bench.contenders.panel.ask`.
    """
    size = QUICK if quick else FULL
    free = [(case, case.draw(seed, size.windows)) for case in size.cases for seed in range(size.references)]
    streams = [changed(seed, size.patience) for seed in range(size.streams)]
    watched = [each for _, each in free] + [each for stream in streams for each in stream.values()]
    task = progress.add_task("other tools", total=len(watched) * len(CONTENDERS))
    answers = ask(watched, lambda: progress.advance(task))
    rest = iter(answers[len(free):])
    answered = [{change: (each, next(rest)) for change, each in stream.items()} for stream in streams]
    judged = [(case, alarms(each, answer)) for (case, each), answer in zip(free, answers, strict=False)]
    tables = [false_alarms(judged), agreement.table(list(zip(watched, answers, strict=True)))]
    return [*tables, delays([alarms_of_stream(stream) for stream in answered])] if answered else tables


def cut(rows: Matrix, reference: int, total: int, rate: float = 0.0) -> Watched:
    """Rows as reference, history and windows."""
    begin = reference + HISTORY * WINDOW
    return Watched(reference=rows[:reference], before=rows[reference:begin], total=total, rate=rate,
                   windows=rows[begin:].reshape(-1, WINDOW, rows.shape[1]))


def changed(seed: int, patience: int) -> dict[Change | None, Watched]:
    """One stream of 100 features without a change, and the features of each change with it."""
    rng = np.random.default_rng([3, seed])
    begin = REFERENCE + HISTORY * WINDOW
    rows = PLAIN.draw(rng, begin + patience * WINDOW, FEATURES)
    found: dict[Change | None, Watched] = {None: cut(rows, REFERENCE, total=FEATURES)}
    for change in CHANGES:
        part = rows[:, :change.features].copy()
        part[begin:] = change.apply(rng, part[begin:])
        found[change] = cut(part, REFERENCE, total=FEATURES)
    return found


def ours(watched: Watched) -> Matrix:
    """Alarms of each feature, each window being judged with the 64 before it."""
    features = watched.reference.shape[1]
    profile = PLAIN.profile(watched.reference)
    rows = np.concatenate((watched.before, watched.windows.reshape(-1, features)))
    counts = PLAIN.counts(profile, rows, WINDOW)
    settings = DecisionSettings(budget_windows=BUDGET * watched.total / features)
    decider, keep = Decider(profile, settings), settings.history_windows
    ends = range(len(counts) - len(watched.windows) + 1, len(counts) + 1)
    verdicts = [decider.decide(counts[max(0, end - keep):end]) for end in ends]
    return np.array([[each.alarm for each in sorted(verdict.features, key=lambda each: each.name)]
                     for verdict in verdicts], dtype=np.float64)


def alarms(watched: Watched, answer: Answer, unchanged: Answer | None = None) -> Alarms:
    """Of each rule; `unchanged` has what else is watched: the answer on all features of the same stream unchanged."""
    drifted = answer["evidently"]
    others = (drifted if unchanged is None else unchanged["evidently"])[:, drifted.shape[1]:]
    share = (drifted.sum(axis=1) + others.sum(axis=1)) / watched.total
    found = {name: each.mean(axis=1) for name, each in answer.items() if name in TITLES}
    return found | {"ours": ours(watched).mean(axis=1), "evidently share": (share >= DRIFTED_SHARE).astype(np.float64),
                    "evidently": drifted.sum(axis=1) / watched.reference.shape[1]}


def alarms_of_stream(stream: Mapping[Change | None, tuple[Watched, Answer]]) -> dict[Change | None, Alarms]:
    """Of one stream and all its changes."""
    return {change: alarms(watched, answer, stream[None][1]) for change, (watched, answer) in stream.items()}


def false_alarms(found: Sequence[tuple[Case, Alarms]]) -> Table:
    """A row a case, a column a tool."""
    rows: list[Row] = []
    for case in dict.fromkeys(case for case, _ in found):
        parts = [part for each, part in found if each == case]
        excepted = " (excepted)" if STREAMS[case.stream].hidden else ""
        rows.append((case.stream + excepted, case.features, case.reference, sum(len(part["ours"]) for part in parts),
                     *(rate([part[name] > 0 for part in parts if name in part]) for name in TITLES)))
    return Table(title="Other tools as they come: windows with an alarm where nothing changes", rows=rows, note=NOTE,
                 columns=("stream", "features", "reference, rows", "windows", *TITLES.values()))


def rate(parts: Sequence[NDArray[np.generic]]) -> str:
    """Mean of all; nothing where there are none."""
    return f"{np.concatenate(parts).mean():.1%}" if parts else ""


def delays(streams: Sequence[Mapping[Change | None, Alarms]]) -> Table:
    """A row a change, a column a tool; first, how often each alarms without one."""
    free = [stream[None] for stream in streams]
    rows: list[Row] = [
        ("no change: windows with an alarm", *(rate([part[name] > 0 for part in free]) for name in AT_DEFAULTS)),
        ("no change: alarms of one feature",
         *("" if name == "evidently share" else rate([part[name] for part in free]) for name in AT_DEFAULTS)),
        *((change.name, *(delay([stream[change][name] for stream in streams]) for name in AT_DEFAULTS))
          for change in CHANGES)]
    return Table(title="Other tools as they come: windows until a change is found", rows=rows,
                 columns=("change", *(TITLES[name] for name in AT_DEFAULTS)),
                 note=f"{FEATURES} features of correlation .3, a reference of {REFERENCE:,} rows; medians, streams: "
                      f"{len(streams)}. A tool that alarms without a change soon finds any: compare the first rows.")


def delay(streams: Sequence[Matrix]) -> str | float:
    """Median windows to the first alarm, or more than were looked at."""
    found = middle([float(np.argmax(share > 0)) + 1 if share.any() else np.inf for share in streams])
    return f"> {len(streams[0])}" if found is None else found
