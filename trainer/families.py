"""Model families, one thread and fixed seeds: the same rows give the same model bit for bit.

`logistic` is the linear family: logistic regression for classes, ridge regression for values. Both libraries take
seconds to import, so they are imported where a model is made.
"""

from typing import Any

from schemas.model_file import ModelMetadata
from schemas.pipeline import Task
from trainer.errors import MissingLibrary

TREES = 50
MAX_BIN = 63
LOGISTIC_ITERATIONS = 200


def estimator(family: str, metadata: ModelMetadata, seed: int) -> Any:
    """Unfitted scikit-learn estimator for a float32 matrix in the order of `metadata.features`.

    Raises:
        MissingLibrary: where LightGBM's OpenMP runtime is not installed.
    """
    if family == "lightgbm":
        return _lightgbm(metadata.task, seed)
    return _linear(metadata)


def categorical_columns(metadata: ModelMetadata) -> list[int]:
    """Columns that hold codes of categories."""
    return [j for j, feature in enumerate(metadata.features) if feature.type == "category"]


def _lightgbm(task: Task, seed: int) -> Any:
    try:
        from lightgbm import LGBMClassifier, LGBMRegressor  # noqa: PLC0415
    except OSError as error:
        raise MissingLibrary("LightGBM needs the system library libgomp.so.1, which is not installed: install it "
                             "(Debian and Ubuntu: apt-get install libgomp1)") from error
    kind = LGBMRegressor if task == "regression" else LGBMClassifier
    return kind(n_estimators=TREES, max_bin=MAX_BIN, n_jobs=1, random_state=seed, deterministic=True,
                force_row_wise=True, verbose=-1)


def _linear(metadata: ModelMetadata) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415

    model = Ridge() if metadata.task == "regression" else LogisticRegression(max_iter=LOGISTIC_ITERATIONS)
    return make_pipeline(_columns(metadata), model)


def _columns(metadata: ModelMetadata) -> Any:
    """Imputed and scaled numbers, one-hot codes; a code that the table does not know is all zeros."""
    from sklearn.compose import ColumnTransformer  # noqa: PLC0415
    from sklearn.impute import SimpleImputer  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: PLC0415

    numeric = [j for j, feature in enumerate(metadata.features) if feature.type == "number"]
    discrete = [j for j, feature in enumerate(metadata.features) if feature.type != "number"]
    known: Any = [[float(code) for code in sorted(table.values())] or [0.0]
                                    for table in metadata.codes()]
    parts: list[tuple[str, Any, list[int]]] = []
    if numeric:
        parts.append(("numbers", make_pipeline(SimpleImputer(keep_empty_features=True), StandardScaler()), numeric))
    if discrete:
        encoder = OneHotEncoder(categories=known, handle_unknown="ignore", sparse_output=False)
        parts.append(("codes", encoder, discrete))
    return ColumnTransformer(parts)
