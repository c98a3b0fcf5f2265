"""A change of the definition keeps the file's words, and is refused with its reason before anybody publishes it."""

from pathlib import Path

import pytest

from console.pages.configuration.draft import changed, fixed_keys, judge, live_keys, value_text
from schemas.configuration import LIVE
from schemas.pipeline import Duration, parse_pipeline

TEXT = Path("pipelines/payments.toml").read_text()
NOW = parse_pipeline(TEXT, "payments.toml")


def test_a_value_takes_its_place_and_the_files_words_stay() -> None:
    text = changed(TEXT, NOW, ("retraining", "min_new_labels"), " 250 ")
    assert text == TEXT.replace("min_new_labels = 500 #", "min_new_labels = 250 #")
    draft = judge(text, NOW, published=True)
    assert draft.effects == ["retraining.min_new_labels: the trainer takes it within seconds"]


def test_a_key_that_the_file_leaves_out_is_added() -> None:
    wanted = parse_pipeline(changed(TEXT, NOW, ("drift", "false_alarms"), "1 in 30d"), "x")
    assert wanted.drift.false_alarms == "1 in 30d"


def test_every_live_value_written_back_changes_nothing() -> None:
    text = TEXT
    for key in live_keys(NOW):
        text = changed(text, NOW, (key.table, key.name), key.text)
    assert parse_pipeline(text, "x") == NOW
    assert len(list(live_keys(NOW))) == sum(len(names) for tables in LIVE.values() for names in tables.values())


@pytest.mark.parametrize(("key", "value", "reason"), [
    (("retraining", "cooldown"), "soon", "'retraining.cooldown': found 'soon'; expected a number and a unit"),
    (("gate", "alpha"), "2", "'gate.alpha': found 2.0; expected `float` < 1.0"),
    (("gate", "min_rows"), "many", "'gate.min_rows': found 'many'; expected `int`"),
    (("retraining", "families"), "lightgbm, magic", "allowed: 'lightgbm', 'logistic'"),
    (("retraining", "windows"), "", "'retraining.windows' is empty"),
    (("drift", "false_alarms"), "never", "expected '1 in N windows' or '1 in DURATION'"),
])
def test_a_value_that_cannot_be_is_refused_with_its_reason(key: tuple[str, str], value: str, reason: str) -> None:
    draft = judge(changed(TEXT, NOW, key, value), NOW, published=True)
    assert reason in (draft.problem or "")
    assert not draft.effects


def test_what_never_changes_is_refused_once_there_is_a_version() -> None:
    text = TEXT.replace('size = "50m"', 'size = "20m"')
    assert "windows.size cannot change under the name 'payments'" in (judge(text, NOW, published=True).problem or "")
    assert judge(text, NOW, published=False).problem is None  # `apply` compares it with what serves
    assert "windows.size" in {f"{key.table}.{key.name}" for key in fixed_keys(NOW)}


def test_another_pipeline_is_refused() -> None:
    draft = judge(TEXT.replace('name = "payments"', 'name = "others"'), NOW, published=False)
    assert "this page is about 'payments'" in (draft.problem or "")


def test_text_that_is_no_toml_is_refused() -> None:
    assert "not TOML" in (judge("[pipeline", NOW, published=False).problem or "")


@pytest.mark.parametrize(("value", "text"), [
    (Duration(600_000), "10m"), (Duration(0), "0s"), (Duration(90_000), "90s"), ((250, "all"), "250, all"),
    (0.05, "0.05"), (1e-5, "1e-05"), (None, ""), (3, "3"),
])
def test_values_are_written_as_people_write_them(value: object, text: str) -> None:
    assert value_text(value) == text


