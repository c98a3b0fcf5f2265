"""Model families, one thread and fixed seeds: the same rows and parameters give the same model bit for bit.

`logistic` is the linear family: logistic regression for classes, ridge regression for values. `forest` is made of
extremely randomized trees (Geurts, Ernst and Wehenkel 2006). `voting` is the mean of what lightgbm, logistic and forest
answer, `stacking` a linear model of their answers. The libraries take seconds to import, so they are imported where a
model is made.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from schemas.model_file import ModelMetadata
from trainer.errors import MissingLibrary, UnknownFamily

MAX_BIN = 63
FOREST_TREES = 50
LOGISTIC_ITERATIONS = 200
MEMBERS = ("lightgbm", "logistic", "forest")
FOLDS = 3  # of stacking: contiguous in time, each answered by members that were fitted on the others


class Setting(NamedTuple):
    """One parameter of a family: its default, and between what a search looks; both ends integers, or neither."""

    default: float
    low: float
    high: float


SETTINGS: Mapping[str, Mapping[str, Setting]] = {
    "lightgbm": {"trees": Setting(100, 10, 200), "learning_rate": Setting(0.1, 0.03, 0.3),
                 "leaves": Setting(15, 4, 63), "min_rows": Setting(20, 5, 100)},
    "logistic": {"penalty": Setting(1.0, 0.01, 100.0)},
    "forest": {"leaves": Setting(128, 16, 256), "min_rows": Setting(1, 1, 20)},
    "mlp": {"epochs": Setting(50, 5, 100), "neurons": Setting(32, 8, 64), "learning_rate": Setting(0.003, 3e-4, 0.03),
            "penalty": Setting(1e-4, 1e-6, 0.1)},
    "voting": {},
    "stacking": {},
}


def estimator(family: str, metadata: ModelMetadata, seed: int, parameters: Mapping[str, Any]) -> Any:
    """Unfitted scikit-learn estimator for a float32 matrix in the order of `metadata.features`, NaN where missing.

    Raises:
        UnknownFamily: when it is none of SETTINGS.
        MissingLibrary: where LightGBM's OpenMP runtime is not installed.
    """
    if family not in SETTINGS:
        raise UnknownFamily(f"a recipe names the family '{family}', which this version does not have; it has "
                            f"{', '.join(SETTINGS)}")
    chosen = {name: setting.default for name, setting in SETTINGS[family].items()} | dict(parameters)
    if family == "lightgbm":
        return _lightgbm(metadata, seed, chosen)
    if family == "logistic":
        return _linear(metadata, chosen)
    if family == "forest":
        return _forest(metadata, seed, chosen)
    if family == "mlp":
        return _network(metadata, seed, chosen)
    members = [(member, estimator(member, metadata, seed, {})) for member in MEMBERS]
    return _voting(metadata, members) if family == "voting" else _stacking(metadata, members)


def _lightgbm(metadata: ModelMetadata, seed: int, chosen: Mapping[str, Any]) -> Any:
    try:
        from lightgbm import LGBMClassifier, LGBMRegressor  # noqa: PLC0415
    except OSError as error:
        raise MissingLibrary("LightGBM needs the system library libgomp.so.1, which is not installed: install it "
                             "(Debian and Ubuntu: apt-get install libgomp1)") from error
    codes = [j for j, feature in enumerate(metadata.features) if feature.type == "category"]
    categories: dict[str, Any] = {"categorical_feature": codes} if codes else {}
    kind = LGBMRegressor if metadata.task == "regression" else LGBMClassifier
    return kind(n_estimators=chosen["trees"], learning_rate=chosen["learning_rate"], num_leaves=chosen["leaves"],
                min_child_samples=chosen["min_rows"], max_bin=MAX_BIN, n_jobs=1, random_state=seed, deterministic=True,
                force_row_wise=True, verbose=-1, **categories)


def _linear(metadata: ModelMetadata, chosen: Mapping[str, Any]) -> Any:
    from sklearn.linear_model import LogisticRegression, Ridge  # noqa: PLC0415

    if metadata.task == "regression":
        return _behind_columns(metadata, Ridge(alpha=chosen["penalty"]))
    return _behind_columns(metadata, LogisticRegression(C=1 / chosen["penalty"], max_iter=LOGISTIC_ITERATIONS))


def _forest(metadata: ModelMetadata, seed: int, chosen: Mapping[str, Any]) -> Any:
    """Its numbers are not scaled: the file's scaler rounds in its own way and would put rows beside a split."""
    from sklearn.ensemble import ExtraTreesClassifier, ExtraTreesRegressor  # noqa: PLC0415

    kind = ExtraTreesRegressor if metadata.task == "regression" else ExtraTreesClassifier
    trees = kind(n_estimators=FOREST_TREES, max_leaf_nodes=chosen["leaves"], min_samples_leaf=chosen["min_rows"],
                 n_jobs=1, random_state=seed)
    return _behind_columns(metadata, trees, scaled=False)


def _network(metadata: ModelMetadata, seed: int, chosen: Mapping[str, Any]) -> Any:
    """One hidden layer, for exactly as many epochs as are asked for. Not with the library's own early stop: it holds
    out rows at random, and none where a class has one row."""
    from sklearn.neural_network import MLPClassifier, MLPRegressor  # noqa: PLC0415

    kind = MLPRegressor if metadata.task == "regression" else MLPClassifier
    return _behind_columns(metadata, kind(
        hidden_layer_sizes=(chosen["neurons"],), alpha=chosen["penalty"], learning_rate_init=chosen["learning_rate"],
        max_iter=chosen["epochs"], n_iter_no_change=chosen["epochs"], tol=0.0, random_state=seed))


def _voting(metadata: ModelMetadata, members: list[tuple[str, Any]]) -> Any:
    from sklearn.ensemble import VotingClassifier, VotingRegressor  # noqa: PLC0415

    if metadata.task == "regression":
        return VotingRegressor(members)
    return VotingClassifier(members, voting="soft", flatten_transform=False)  # the converter knows no other


def _stacking(metadata: ModelMetadata, members: list[tuple[str, Any]]) -> Any:
    from sklearn.ensemble import StackingClassifier, StackingRegressor  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression, Ridge  # noqa: PLC0415
    from sklearn.model_selection import KFold  # noqa: PLC0415

    folds = KFold(FOLDS)
    if metadata.task == "regression":
        return StackingRegressor(members, Ridge(), cv=folds)
    return StackingClassifier(members, LogisticRegression(max_iter=LOGISTIC_ITERATIONS), cv=folds,
                              stack_method="predict_proba")


def _behind_columns(metadata: ModelMetadata, model: Any, *, scaled: bool = True) -> Any:
    """`model` behind imputed numbers and one-hot codes; a code that the table does not know is all zeros."""
    from sklearn.compose import ColumnTransformer  # noqa: PLC0415
    from sklearn.impute import SimpleImputer  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import OneHotEncoder, StandardScaler  # noqa: PLC0415

    numeric = [j for j, feature in enumerate(metadata.features) if feature.type == "number"]
    discrete = [j for j, feature in enumerate(metadata.features) if feature.type != "number"]
    known: Any = [[float(code) for code in sorted(table.values())] or [0.0] for table in metadata.codes()]
    parts: list[tuple[str, Any, list[int]]] = []
    if numeric:
        filled = SimpleImputer(keep_empty_features=True)
        parts.append(("numbers", make_pipeline(filled, StandardScaler()) if scaled else filled, numeric))
    if discrete:
        encoder = OneHotEncoder(categories=known, handle_unknown="ignore", sparse_output=False)
        parts.append(("codes", encoder, discrete))
    return make_pipeline(ColumnTransformer(parts), model)
