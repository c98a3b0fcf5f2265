"""A preview compares the definition in force with the draft, whatever the draft adds, changes or takes out."""

from collections.abc import Callable
from pathlib import Path

import pytest
import tomlkit
from msgspec.structs import replace

from automl_stream.backtest.policies import load_policy
from console.pages.configuration.preview import laid_out
from schemas.pipeline import Pipeline, parse_pipeline

TEXT = Path("pipelines/payments.toml").read_text()
GOLDEN = TEXT.replace("[gate]\n", '[gate]\ngolden = "golden.csv"\n')
FOLDER = Path("/etc/automl-stream")


@pytest.fixture
def previewed(tmp_path: Path) -> Callable[[str, str], tuple[Pipeline, Pipeline]]:
    """What the backtest makes of a definition and a draft."""

    def load(text: str, draft: str) -> tuple[Pipeline, Pipeline]:
        base, now, changed = (tmp_path / f"{name}.toml" for name in ("base", "now", "changed"))
        for file, content in zip((base, now, changed), laid_out(text, draft, FOLDER), strict=True):
            file.write_text(tomlkit.dumps(content))
        return load_policy(base, now), load_policy(base, changed)

    return load


def stated(text: str) -> Pipeline:
    """With the golden set's place as it is from anywhere."""
    found = parse_pipeline(text, "x")
    golden = found.gate.golden
    return found if golden is None else replace(found, gate=replace(found.gate, golden=str(FOLDER / golden)))


@pytest.mark.parametrize(("text", "draft"), [
    (TEXT, TEXT),
    (TEXT, TEXT.replace("min_rows = 300", "min_rows = 310")),
    (TEXT, TEXT.replace("min_rows = 300", "")),  # the default's again
    (TEXT.replace("min_rows = 300", ""), TEXT),
    (GOLDEN, TEXT),  # its default cannot be written
    (TEXT, GOLDEN),
    (GOLDEN, GOLDEN),
    (TEXT, TEXT.replace("[gate]\nmin_rows = 300", "")),
    (TEXT, TEXT.replace("[gate]\n", "[drift]\nfalse_alarms = '1 in 20 windows'\n[gate]\n")),
])
def test_both_definitions_are_tried_as_they_are_written(
        previewed: Callable[[str, str], tuple[Pipeline, Pipeline]], text: str, draft: str) -> None:
    assert previewed(text, draft) == (stated(text), stated(draft))
