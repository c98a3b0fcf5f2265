"""What stands in a fenced block is what it looks like: a pipeline file, a program, a document."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.pipeline import parse_document
from tests.docs.reading import TOP, WRITTEN, blocks, named

PAYMENTS = tomllib.loads((TOP / "pipelines" / "payments.toml").read_text("utf-8"))


def every(kind: str) -> list[tuple[str, str]]:
    return [(f"{named(page)}, {number}", block) for page in WRITTEN for number, block in enumerate(blocks(page, kind))]


def laid_over(document: dict[str, Any]) -> dict[str, Any]:
    """A pipeline file that has these keys: a page often shows only those that it speaks of."""
    if "features" in document and "pipeline" in document:
        return document
    return PAYMENTS | {table: PAYMENTS.get(table, {}) | keys if isinstance(keys, dict) else PAYMENTS[table] + keys
                       for table, keys in document.items()}


def with_examples(block: str) -> str:
    """The block with what it shows in comments, such as `# tables = "400d"`."""
    return re.sub(r"^# (?=\[|\w+ = )", "", block, flags=re.MULTILINE)


def renamed(document: dict[str, Any]) -> dict[str, Any]:
    """A feature that payments has already would be there twice."""
    features = [feature | {"name": f"{feature['name']} of the page"} for feature in document.get("features", ())]
    return document | ({"features": features} if features and "pipeline" not in document else {})


@pytest.mark.parametrize(("where", "block"), every("toml"), ids=[where for where, _ in every("toml")])
@pytest.mark.parametrize("read", [str, with_examples], ids=["as it is", "with its examples"])
def test_a_block_of_toml_is_a_pipeline_file_or_a_part_of_one(where: str, block: str, read: Any) -> None:
    parse_document(laid_over(renamed(tomllib.loads(read(block)))), where)


@pytest.mark.parametrize(("where", "block"), every("json"), ids=[where for where, _ in every("json")])
def test_a_block_of_json_is_json(where: str, block: str) -> None:
    assert json.loads(block), where


@pytest.mark.parametrize(("where", "block"), every("python"), ids=[where for where, _ in every("python")])
def test_a_block_of_python_compiles(where: str, block: str) -> None:
    compile(block, where, "exec")


@pytest.mark.parametrize(("where", "block"), every("yaml"), ids=[where for where, _ in every("yaml")])
def test_a_block_of_yaml_is_a_part_of_a_compose_file_or_of_a_kustomization(where: str, block: str) -> None:
    assert set(yaml.safe_load(block)) in ({"services"}, {"patches"}), where  # tests/deploy applies the patches


def test_no_block_is_of_a_kind_that_nothing_checks() -> None:
    kinds = {kind for page in WRITTEN for kind in re.findall(r"^```(\w+)", Path(page).read_text("utf-8"), re.MULTILINE)}
    assert kinds <= {"toml", "json", "python", "sql", "sh", "console", "yaml"}
