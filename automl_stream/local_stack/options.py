"""Options that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

DEFAULT_HOME = Path(".automl-stream")

Home = Annotated[Path, typer.Option(envvar="AUTOML_STREAM_HOME", help="Directory of all data and logs.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def _port(service: str) -> typer.models.OptionInfo:
    return typer.Option(envvar=f"AUTOML_STREAM_{service}_PORT", min=1, max=65535,
                        help=f"Port of {service.lower().replace('_', ' ')}.")


KafkaPort = Annotated[int, _port("KAFKA")]
KafkaControllerPort = Annotated[int, _port("KAFKA_CONTROLLER")]
PostgresPort = Annotated[int, _port("POSTGRES")]
MlflowPort = Annotated[int, _port("MLFLOW")]
PrometheusPort = Annotated[int, _port("PROMETHEUS")]
IngestionPort = Annotated[int, _port("INGESTION")]
PredictionPort = Annotated[int, _port("PREDICTION")]
ConsolePort = Annotated[int, _port("CONSOLE")]
ConsoleMetricsPort = Annotated[int, _port("CONSOLE_METRICS")]
MetricsPort = Annotated[int, _port("METRICS")]
