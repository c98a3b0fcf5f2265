"""Which label-based detectors a pipeline may have: what is refused is named, with what is allowed."""

import pytest

from schemas.pipeline import Pipeline, PipelineError, parse_pipeline


def with_detectors(keys: str, task: str = "binary") -> Pipeline:
    text = f'[pipeline]\nname = "p"\ntask = "{task}"\n[[features]]\nname = "a"\ntype = "number"\n[drift]\n{keys}\n'
    return parse_pipeline(text, "p.toml")


def test_none_are_asked_for_unless_the_file_names_them() -> None:
    assert with_detectors("").drift.detectors == with_detectors("").drift.alerting_detectors == ()


def test_some_are_shown_and_some_of_these_may_alert() -> None:
    drift = with_detectors('detectors = ["adwin", "ddm"]\nalerting_detectors = ["ddm"]').drift
    assert (drift.detectors, drift.alerting_detectors) == (("adwin", "ddm"), ("ddm",))


@pytest.mark.parametrize(("keys", "task", "sentence"), [
    ('detectors = ["adwin2"]', "binary", r"p\.toml: key 'drift\.detectors\[0\]': found 'adwin2'; .*allowed: 'adwin', "),
    ('detectors = ["adwin", "adwin"]', "binary", r"key 'drift\.detectors': found adwin, adwin; name each once"),
    ('alerting_detectors = ["adwin"]', "binary",
     r"key 'drift\.alerting_detectors': found adwin; allowed: those in 'drift\.detectors', which are none"),
    ('detectors = ["ddm"]\nalerting_detectors = ["ddm", "adwin"]', "binary", r"found adwin; .* which are ddm"),
    ('detectors = ["adwin", "ddm", "hddm_a"]', "regression",
     r"found ddm, hddm_a, which watch right and wrong answers; allowed for regression: adwin, page_hinkley, kswin"),
])
def test_what_cannot_be_is_refused_with_what_is_allowed(keys: str, task: str, sentence: str) -> None:
    with pytest.raises(PipelineError, match=sentence):
        with_detectors(keys, task)
