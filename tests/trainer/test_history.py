"""The training log in memory."""

from collections.abc import Callable

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from schemas.messages import LabelledEvent, Model
from schemas.pipeline import Pipeline
from trainer.history import History

Make = Callable[..., Pipeline]


def event(pipeline: Pipeline, number: int, label: str = "yes", revision: int = 0) -> LabelledEvent:
    return LabelledEvent(event_id=str(number), entity="", ts=number, source=f"s-{number}", label=label, labelled_ts=0,
                         pipeline_digest=pipeline.digest, features=[float(number), None, "r", True], revision=revision)


def history_of(pipeline: Pipeline, events: list[LabelledEvent]) -> History:
    history = History(pipeline)
    for offset, one in enumerate(events):
        history.append(offset, one)
    return history


def test_a_second_delivery_of_an_event_does_not_count(make_pipeline: Make) -> None:
    pipeline = make_pipeline()
    history = History(pipeline)
    assert history.append(0, event(pipeline, 1))
    assert not history.append(1, event(pipeline, 1))
    assert history.dataset(0, 1).dataset.rows == 1


def test_a_higher_revision_takes_the_place_of_the_label_before_it(make_pipeline: Make) -> None:
    pipeline = make_pipeline()
    history = history_of(pipeline, [event(pipeline, 1), event(pipeline, 2), event(pipeline, 1, "no", 1)])
    assert history.dataset(0, 2).rows.labels == ["yes", "no"]
    assert history.dataset(0, 1).rows.labels == ["yes", "yes"]  # what counted then can still be asked for


def test_fresh_rows_are_those_whose_event_no_row_before_them_had_revised_or_not(make_pipeline: Make) -> None:
    pipeline = make_pipeline()
    log = [event(pipeline, 1), event(pipeline, 2), event(pipeline, 1, "no", 1), event(pipeline, 3), event(pipeline, 3),
           event(pipeline, 4), event(pipeline, 4, "no", 1)]
    history = history_of(pipeline, log)
    assert history.dataset(2, 6).rows.ts.tolist() == [1, 3, 4]
    assert history.fresh(2, 6).ts.tolist() == [3, 4]  # 1 was known; what a model says of 4 does not depend on its label
    assert history.fresh(0, 5).ts.tolist() == [1, 2, 3, 4]


def test_labels_of_one_revision_that_contradict_each_other_never_train(make_pipeline: Make) -> None:
    pipeline = make_pipeline()
    history = history_of(pipeline, [event(pipeline, 1), event(pipeline, 1, "no"), event(pipeline, 2)])
    assert history.dataset(0, 2).rows.labels == ["yes"]


def test_an_event_that_is_in_the_log_as_a_conflict_does_not_train_until_a_revision_settles_it(
        make_pipeline: Make) -> None:
    pipeline = make_pipeline()
    log = [event(pipeline, 1), event(pipeline, 2), replace(event(pipeline, 1), conflict=True),
           replace(event(pipeline, 3), conflict=True), event(pipeline, 3, "no", 1), event(pipeline, 1, "no", 1)]
    history = history_of(pipeline, log)
    assert history.dataset(0, 1).rows.ts.tolist() == [1, 2]
    assert history.dataset(0, 3).rows.ts.tolist() == [2]
    assert history.dataset(0, 5).rows.ts.tolist() == [2, 3, 1]
    assert history.fresh(0, 5).ts.tolist() == [2]


def test_a_labeller_has_at_most_its_quota_of_a_dataset_and_the_digest_is_of_what_stays(make_pipeline: Make) -> None:
    pipeline = make_pipeline()
    strict = replace(pipeline, retraining=replace(pipeline.retraining, label_quota=0.5))
    model = Model(version="1", digest="m", epoch=0)
    log = [event(pipeline, 0), *(replace(event(pipeline, n), labeller="mallory", model=model) for n in range(1, 5)),
           replace(event(pipeline, 5), labeller="ada", model=model)]
    assert history_of(strict, log).dataset(0, 5).rows.ts.tolist() == [0, 3, 4, 5]
    assert history_of(pipeline, log).dataset(0, 5).rows.ts.tolist() == [0, 1, 2, 3, 4, 5]
    kept = history_of(pipeline, [log[0], *log[3:]]).dataset(0, 3).dataset
    assert history_of(strict, log).dataset(0, 5).dataset.digest == kept.digest


def test_the_digest_is_that_of_event_features_and_label(make_pipeline: Make) -> None:
    pipeline = make_pipeline()
    rows = [event(pipeline, 1), event(pipeline, 2)]
    digest = history_of(pipeline, rows).dataset(0, 1).dataset.digest
    assert digest == history_of(pipeline, [*rows, rows[0]]).dataset(0, 2).dataset.digest
    assert digest != history_of(pipeline, [rows[0], event(pipeline, 2, "no")]).dataset(0, 1).dataset.digest
    other = replace(rows[1], features=[2.5, None, "r", True])
    assert digest != history_of(pipeline, [rows[0], other]).dataset(0, 1).dataset.digest


def test_null_numbers_are_nan_and_null_categories_none(make_pipeline: Make) -> None:
    pipeline = make_pipeline()
    rows = history_of(pipeline, [replace(event(pipeline, 1), features=[1.0, None, None, None])]).dataset(0, 0).rows
    assert np.array_equal(rows.numbers, [[1.0, np.nan]], equal_nan=True)
    assert rows.discrete == [(None,), (None,)]


def test_classes_are_those_that_the_log_had_shown(make_pipeline: Make) -> None:
    pipeline = make_pipeline("multiclass")
    history = history_of(pipeline, [event(pipeline, n, label) for n, label in enumerate("bacb")])
    assert history.classes(1) == ("a", "b")
    assert history.dataset(3, 3).classes == ("a", "b", "c")


def test_a_vector_of_another_length_does_not_fit(make_pipeline: Make) -> None:
    pipeline = make_pipeline()
    assert not History(pipeline).fits(replace(event(pipeline, 1), features=[1.0]))


def test_a_third_class_does_not_fit_where_there_are_two(make_pipeline: Make) -> None:
    binary, multiclass = make_pipeline(), make_pipeline("multiclass")
    shown = [event(binary, 1, "yes"), event(binary, 2, "no")]
    assert not history_of(binary, shown).fits(event(binary, 3, "stray"))
    assert history_of(binary, shown).fits(event(binary, 3, "no"))
    assert history_of(binary, shown[:1]).fits(event(binary, 3, "stray"))
    assert history_of(multiclass, shown).fits(event(multiclass, 3, "stray"))


@given(numbers=st.lists(st.integers(0, 30), max_size=120), max_rows=st.integers(1, 20))
def test_only_the_newest_max_rows_deliveries_are_kept(make_pipeline: Make, numbers: list[int], max_rows: int) -> None:
    pipeline = make_pipeline()
    pipeline = replace(pipeline, retraining=replace(pipeline.retraining, max_rows=max_rows))
    history = History(pipeline)
    kept: list[tuple[int, int, bool]] = []  # the plain rule: number, offset, counts
    for offset, number in enumerate(numbers):
        kept = kept[max(0, len(kept) - max_rows + 1):]
        counts = all(n != number or not c for n, _, c in kept)
        assert history.append(offset, event(pipeline, number)) == counts
        kept.append((number, offset, counts))
    last = len(numbers) - 1
    expected = [float(n) for n, _, counts in kept if counts]
    assert history.dataset(0, last).rows.numbers[:, 0].tolist() == expected
    if expected:
        first = history.first_of_newest(1, last)
        assert first is not None
        assert history.dataset(first, last).dataset.rows == 1
    assert history.first_of_newest(len(expected) + 1, last) is None


def test_rows_since_an_onset_are_found_by_event_time(make_pipeline: Make) -> None:
    pipeline = make_pipeline()
    history = history_of(pipeline, [event(pipeline, n) for n in (1, 2, 5, 3, 6)])
    assert history.first_since(4) == 2
    assert history.count_since(4, 4) == 2
    assert history.count_since(4, 3) == 1
    assert history.first_since(7) is None
