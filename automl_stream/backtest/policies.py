"""Policies: other answers to 'when to alert, when to train' for the same data, as keys laid over a pipeline file."""

from pathlib import Path
from typing import Any

from schemas.pipeline import Pipeline, PipelineError, parse_document, read_document

TABLES = ("windows", "drift", "retraining", "gate", "rollout")


def load_policy(pipeline_file: Path, policy_file: Path) -> Pipeline:
    """The pipeline with the policy's keys in place of its own; a key that is left out stays as it is.

    Raises:
        PipelineError: where either file cannot be used, or the policy has a table that is none of `TABLES`.
    """
    document, policy = read_document(pipeline_file), read_document(policy_file)
    parse_document(document, str(pipeline_file))  # what is wrong after this is the policy's
    for table in policy:
        if table not in TABLES:
            raise PipelineError(f"{policy_file}: key '{table}' is not a policy's; allowed: {', '.join(TABLES)}")
    laid = {table: _over(document.get(table, {}), keys) for table, keys in policy.items()}
    return parse_document(document | laid, str(policy_file))


def _over(keys: dict[str, Any], policy: Any) -> Any:
    return keys | policy if isinstance(policy, dict) else policy
