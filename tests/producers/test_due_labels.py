import msgspec
import pytest

from producers.due_labels import DueLabels
from producers.rows import Row


def row(number: int, label: str | float | None = "1", problem: str = "") -> Row:
    return Row(number=number, event_id=str(number), ts=number * 10, entity="", features={}, label=label,
               problem=problem)


@pytest.mark.parametrize("delay", [0, 1, 3])
def test_a_label_is_due_after_the_event_so_many_rows_later(delay: int) -> None:
    labels = DueLabels(delay, "binary")
    due = {n: [label.row for label in labels.after(row(n), n * 10)] for n in range(6)}
    assert due == {n: [n - delay] if n >= delay else [] for n in range(6)}
    rest = list(labels.rest(50, 5))
    assert [(label.row, label.label.ts) for label in rest] == [(6 - delay + n, 55 + 5 * n) for n in range(delay)]


def test_a_missing_label_is_never_due_and_shifts_no_other() -> None:
    labels = DueLabels(1, "binary")
    found = [label.row for n, value in enumerate(["1", None, "0"]) for label in labels.after(row(n, value), n)]
    assert found + [label.row for label in labels.rest(2, 1)] == [0, 2]


def test_a_label_is_joinable_only_if_its_event_fits_and_it_makes_sense() -> None:
    labels = DueLabels(0, "regression")
    rows = [row(0, 1.5), row(1, "dear"), msgspec.structs.replace(row(2, 1.5), problem="no number")]
    assert [label.joinable for r in rows for label in labels.after(r, 0)] == [True, False, False]
