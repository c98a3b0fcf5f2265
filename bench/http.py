"""The HTTP doors under open-loop load.

Run: python -m bench.http [--quick] [--json] [--write]
"""

from bench import ingestion, predictions
from bench.lab import open_lab
from bench.result import Result, arguments, command_line, describe_machine, finish, today


def main() -> None:
    """Measure and report."""
    options = arguments("http", "The HTTP doors under open-loop load over 50 connections.").parse_args()
    rounds, seconds = (1, 8.0) if options.quick else (5, 20.0)
    machine = describe_machine()  # now: its load is told
    with open_lab() as lab:
        found = predictions.measure(lab, rounds, seconds)
        taken = ingestion.measure(lab, rounds, seconds)
    figures = predictions.figures(found) | ingestion.figures(taken)
    finish(Result(
        name="http", title="HTTP doors", command=command_line("http"), measured_at=today(), machine=machine,
        figures=figures, tables=[predictions.table(found, seconds), ingestion.table(taken, seconds)],
        raw={"predictions": found, "ingestion": taken},
        summary=f"At 200 single requests/s the prediction API answers in {figures['predict_1_p99_ms']:.1f} ms, at 20 "
                f"requests/s of 100 rows in {figures['predict_100_p99_ms']:.1f} ms (p99), Kafka's word included. The "
                f"ingestion API acknowledges a single event in {figures['ingest_1_p99_ms']:.1f} ms (p99), and "
                f"{figures['ingest_batch_per_s']:,.0f} events/s in batches of 100.",
    ), options)


if __name__ == "__main__":
    main()
