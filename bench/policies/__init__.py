"""What the retraining policy promises, measured. Every part drives the services' own code: `automl_stream.backtest`.

A part is a module with `measure(pool, bar, quick) -> Result`, stored as results/policies_<part>.json. The first table
of each says what must hold and whether it does. `same` compares a demo through Kafka with the backtest of its file.
"""

NAME = "policies"
ORDER = ("streams", "stationary", "storm", "poisoned", "forced", "canary", "noise")


def stored_as(part: str) -> str:
    """Name of a part's result."""
    return f"{NAME}_{part}"
