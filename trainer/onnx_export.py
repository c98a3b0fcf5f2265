"""A fitted expert as one ONNX file, byte for byte the same each time.

Input `x`: float32 (rows, features). Classes: outputs `label` (int64, place in metadata.classes) and `probabilities`
(float32, rows x classes, in the order of metadata.classes). A class that the fitted rows did not have still has its
column: the constant UNSEEN, the others shrunk to make room. Regression: one output `value` (float32, rows x 1).
"""

import logging
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from schemas.model_file import METADATA_KEY, ModelMetadata
from trainer.candidates import UNSEEN, FittedExpert
from trainer.errors import ParityError
from trainer.history import Rows

_OPSET = {"": 18, "ai.onnx.ml": 3}


def export(expert: FittedExpert) -> bytes:
    """ONNX bytes of an expert, its metadata inside."""
    graph = _convert(expert)
    _rename_outputs(graph, expert)
    graph.producer_name, graph.producer_version, graph.graph.name = "automl-stream", "1", "model"
    # The converter takes them from a set: their order would differ from process to process.
    opsets = sorted((o.domain, o.version) for o in graph.opset_import)
    del graph.opset_import[:]
    graph.opset_import.extend([helper.make_opsetid(domain, version) for domain, version in opsets])
    helper.set_model_props(graph, {METADATA_KEY: expert.metadata.to_json()})
    onnx.checker.check_model(graph)
    return bytes(graph.SerializeToString(deterministic=True))


def read_metadata(data: bytes) -> ModelMetadata:
    """What an exported file says about itself."""
    properties = {entry.key: entry.value for entry in onnx.load_from_string(data).metadata_props}
    return ModelMetadata.from_json(properties[METADATA_KEY])


def check_parity(data: bytes, expert: FittedExpert, rows: Rows, tolerance: float) -> float:
    """Largest difference between file and fitted model on `rows`: in probability, or, for regression, relative to the
    value (to the mean absolute value where that is larger).

    Labels must be equal wherever the two best classes are further apart than the tolerance.

    Raises:
        ParityError: beyond `tolerance`.
    """
    matrix = expert.matrix(rows)
    answers, expected = run(data, matrix), expert.answer(matrix)
    regression = expert.metadata.task == "regression"
    sizes = np.abs(expected)
    scale = np.maximum(sizes, sizes.mean() or 1.0) if regression else 1.0
    difference = float(np.max(np.abs(answers - expected) / scale, initial=0.0))
    if not difference <= tolerance:
        raise ParityError(f"the ONNX file differs from the fitted model by {difference:.2e} on {len(rows)} rows; "
                          f"gate.parity allows {tolerance:.0e}")
    if not regression and _other_labels(answers, expected, tolerance):
        raise ParityError(f"the ONNX file gives other labels than the fitted model on some of {len(rows)} rows")
    return difference


def run(data: bytes, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """Answers of an ONNX file: probabilities (rows, classes) or values (rows,)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    outputs = session.run(None, {"x": matrix})
    answers = np.asarray(outputs[-1], dtype=np.float64)
    return answers if len(outputs) > 1 else answers.ravel()


def _other_labels(answers: NDArray[np.float64], expected: NDArray[np.float64], tolerance: float) -> bool:
    best = np.sort(expected, axis=1)
    clear = best[:, -1] - best[:, -2] > 2 * tolerance
    return bool((answers.argmax(axis=1) != expected.argmax(axis=1))[clear].any())


def _convert(expert: FittedExpert) -> Any:
    from lightgbm import LGBMClassifier, LGBMRegressor  # noqa: PLC0415
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm  # noqa: PLC0415
    from skl2onnx import convert_sklearn, update_registered_converter  # noqa: PLC0415
    from skl2onnx.common.data_types import FloatTensorType  # noqa: PLC0415
    from skl2onnx.common.shape_calculator import (  # noqa: PLC0415
        calculate_linear_classifier_output_shapes,
        calculate_linear_regressor_output_shapes,
    )

    # Through skl2onnx: the graph that onnxmltools writes alone declares its label output as of shape [1].
    update_registered_converter(LGBMClassifier, "LightGbmLGBMClassifier", calculate_linear_classifier_output_shapes,
                                convert_lightgbm, options={"nocl": [True, False], "zipmap": [True, False, "columns"]})
    update_registered_converter(LGBMRegressor, "LightGbmLGBMRegressor", calculate_linear_regressor_output_shapes,
                                convert_lightgbm, options={"split": None})
    logging.getLogger("skl2onnx").setLevel(logging.WARNING)
    options = None if expert.metadata.task == "regression" else {id(expert.model): {"zipmap": False}}
    shape = FloatTensorType([None, len(expert.metadata.features)])
    return convert_sklearn(expert.model, initial_types=[("x", shape)], options=options, target_opset=_OPSET)


def _rename_outputs(model: Any, expert: FittedExpert) -> None:
    """Replace the converter's outputs by ours: every class in its place, and the label as the place of the best."""
    graph = model.graph
    answers = graph.output[-1].name
    if expert.metadata.task == "regression":
        _place_values(graph, answers, expert)
        outputs = [helper.make_tensor_value_info("value", TensorProto.FLOAT, [None, 1])]
    else:
        _place_classes(graph, answers, expert)
        outputs = [helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
                   helper.make_tensor_value_info("probabilities", TensorProto.FLOAT,
                                                 [None, len(expert.metadata.classes)])]
    del graph.output[:]
    graph.output.extend(outputs)


def _place_values(graph: Any, answers: str, expert: FittedExpert) -> None:
    graph.initializer.extend([numpy_helper.from_array(np.array([-1, 1], dtype=np.int64), "column"),
                              numpy_helper.from_array(np.array([expert.spread], dtype=np.float32), "spread"),
                              numpy_helper.from_array(np.array([expert.centre], dtype=np.float32), "centre")])
    graph.node.extend([
        helper.make_node("Reshape", [answers, "column"], ["standardised"]),
        helper.make_node("Mul", ["standardised", "spread"], ["centred"]),
        helper.make_node("Add", ["centred", "centre"], ["value"]),
    ])


def _place_classes(graph: Any, answers: str, expert: FittedExpert) -> None:
    classes, known = len(expert.metadata.classes), list(expert.known)
    _make_free(graph, ("label", "probabilities"))
    answers = {"probabilities": "known_probabilities"}.get(answers, answers)
    spread = np.zeros((len(known), classes), dtype=np.float32)
    spread[range(len(known)), known] = 1 - (classes - len(known)) * UNSEEN
    floor = np.full(classes, UNSEEN, dtype=np.float32)
    floor[known] = 0.0
    graph.initializer.extend([numpy_helper.from_array(spread, "spread"), numpy_helper.from_array(floor, "floor")])
    graph.node.extend([
        helper.make_node("MatMul", [answers, "spread"], ["placed"]),
        helper.make_node("Add", ["placed", "floor"], ["probabilities"]),
        helper.make_node("ArgMax", ["probabilities"], ["label"], axis=1, keepdims=0),
    ])


def _make_free(graph: Any, names: tuple[str, ...]) -> None:
    """Rename the converter's own tensors where they have the names of our outputs."""
    for node in graph.node:
        for slots in (node.input, node.output):
            for i, name in enumerate(slots):
                if name in names:
                    slots[i] = f"known_{name}"
