"""What a model's ONNX file says about itself, in its metadata under `METADATA_KEY`."""

from typing import Any

import msgspec
from msgspec import Struct

from schemas.pipeline import RANGE, Feature, Task

METADATA_KEY = "automl-stream"


class ModelMetadata(Struct, frozen=True, kw_only=True):
    """Inputs in order, known categories of the non-numeric ones, classes in the order of the probabilities."""

    task: Task
    features: tuple[Feature, ...]
    categories: dict[str, tuple[str, ...]]
    classes: tuple[str, ...]

    def codes(self) -> list[dict[Any, int]]:
        """Code of each known value, one table per category or boolean feature in order."""
        tables: list[dict[Any, int]] = []
        for feature in self.features:
            if feature.type == "boolean":
                tables.append({False: 0, True: 1})
            elif feature.type == "category":
                tables.append({value: code for code, value in enumerate(self.categories[feature.name])})
        return tables

    def to_json(self) -> str:
        """Text that stands in the ONNX file, without the features' ranges: no byte of a model depends on them."""
        features = [{key: value for key, value in msgspec.structs.asdict(feature).items() if key not in RANGE}
                    for feature in self.features]
        return msgspec.json.encode({**msgspec.structs.asdict(self), "features": features}).decode()

    @classmethod
    def from_json(cls, text: str) -> "ModelMetadata":
        """Read the text back.

        Raises:
            msgspec.DecodeError: when the file was not made by this project.
        """
        return msgspec.json.decode(text, type=cls)
