"""A policy replaces single keys of a pipeline file, and what is wrong with it is said of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec.structs import replace

from automl_stream.backtest.policies import load_policy
from schemas.pipeline import FalseAlarmBudget, Gate, Pipeline, PipelineError, load_pipeline

PIPELINE = Path("pipelines/payments.toml")


@pytest.fixture
def policy(tmp_path: Path) -> Callable[[str], Pipeline]:
    def load(text: str) -> Pipeline:
        path = tmp_path / "calm.toml"
        path.write_text(text)
        return load_policy(PIPELINE, path)

    return load


def test_a_policy_replaces_its_keys_and_leaves_all_others(policy: Callable[[str], Pipeline]) -> None:
    as_it_stands = load_pipeline(PIPELINE)
    changed = policy('[drift]\nfalse_alarms = "1 in 30d"\n[retraining]\nrefresh_labels = 0\n[gate]\nparity = 1e-4\n')
    assert changed.retraining == replace(as_it_stands.retraining, refresh_labels=0)
    assert changed.drift == replace(as_it_stands.drift, false_alarms=FalseAlarmBudget("1 in 30d"))
    assert changed.gate == Gate(min_rows=300, parity=1e-4)
    assert replace(changed, retraining=as_it_stands.retraining, drift=as_it_stands.drift,
                   gate=as_it_stands.gate) == as_it_stands


def test_a_policy_that_says_nothing_changes_nothing(policy: Callable[[str], Pipeline]) -> None:
    assert policy("") == load_pipeline(PIPELINE)


@pytest.mark.parametrize(("text", "words"), [
    ("[pipeline]\nname = 'other'\n", r"calm\.toml: key 'pipeline' is not a policy's; allowed: windows, drift"),
    ("[drift]\nbudget = 3\n", r"calm\.toml: unknown key 'drift\.budget'; allowed here: .*false_alarms"),
    ("[gate]\nmin_rows = 0\n", r"calm\.toml: key 'gate\.min_rows': found 0"),
    ("windows = 3\n", r"calm\.toml: key 'windows': found 3"),
    ("[windows]\nsize = '0s'\n", r"calm\.toml: key 'windows\.size': found 0"),
    ("[windows\n", r"calm\.toml: not TOML"),
])
def test_what_is_wrong_with_a_policy_is_said_of_its_file(policy: Callable[[str], Pipeline], text: str,
                                                         words: str) -> None:
    with pytest.raises(PipelineError, match=words):
        policy(text)


def test_what_is_wrong_with_the_pipeline_is_said_of_the_pipelines_file(tmp_path: Path) -> None:
    pipeline, policy = tmp_path / "broken.toml", tmp_path / "calm.toml"
    pipeline.write_text(PIPELINE.read_text().replace("min_rows = 300", "min_rows = 0"))
    policy.write_text("[drift]\nscales = 3\n")
    with pytest.raises(PipelineError, match=r"broken\.toml: key 'gate\.min_rows': found 0"):
        load_policy(pipeline, policy)
    with pytest.raises(PipelineError, match=r"absent\.toml: cannot be read"):
        load_policy(PIPELINE, tmp_path / "absent.toml")
