"""What the bytes of a model may depend on besides rows and recipe."""

import platform
from importlib.metadata import version

from threadpoolctl import threadpool_info

from schemas.pipeline import Pipeline

LIBRARIES = ("lightgbm", "numpy", "onnx", "onnxmltools", "scikit-learn", "scipy", "skl2onnx")


def environment(pipeline: Pipeline) -> dict[str, str]:
    """Versions of Python and of what fits and converts, the kernels of linear algebra that suit this processor, and the
    digest of the pipeline file."""
    import scipy.linalg  # noqa: F401, PLC0415  (loads the kernels)

    kernels = {f"{info['internal_api']} {info['version']} {info['architecture']}" for info in threadpool_info()
               if info["user_api"] == "blas"}
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES},
            "blas": ", ".join(sorted(kernels)), "pipeline": pipeline.digest}
