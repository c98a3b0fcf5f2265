"""The demo through Kafka, in lockstep, beside the backtest of the same file: alerts and decisions one by one.

Run: python -m bench.policies.same FILE ... [--label-delay ROWS] [--first-port N]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

from bench.decisions.real_streams import ROOT
from bench.result import print_line, say

COMMAND = (sys.executable, "-m", "automl_stream")
PORTS = ("kafka", "kafka-controller", "postgres", "mlflow", "metrics")
COMPARED = {"alerts": ("alert_id", "detector", "sentence"), "decisions": ("decision_id", "verdict", "reason")}
FIGURES = ("accuracy", "mae")
CLOSE = 1e-9


def main() -> None:
    """One line a difference; ends with 1 where there is one."""
    parser = argparse.ArgumentParser(prog="python -m bench.policies.same", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE",
                        help="labelled rows; theirs is pipelines/<stem>.toml")
    parser.add_argument("--label-delay", type=int, default=0, help="rows by which a label comes after its event")
    parser.add_argument("--first-port", type=int, default=21_000, help="of the stack, which takes five")
    options = parser.parse_args()
    found = {file.name: compare(file, options.label_delay, options.first_port) for file in options.files}
    for name, several in found.items():
        for one in several:
            say(f"{name}: {one}")
    print_line({name: {"same": not several, "differences": several} for name, several in found.items()})
    raise SystemExit(1 if any(found.values()) else 0)


def compare(file: Path, delay: int, first_port: int) -> list[str]:
    """What differs between the demo of a file and its backtest.

    Raises:
        subprocess.CalledProcessError: when either command fails; it has said why.
    """
    with tempfile.TemporaryDirectory() as place:
        report = Path(place) / "report.json"
        ports = [text for number, name in enumerate(PORTS) for text in (f"--{name}-port", str(first_port + number))]
        say(f"{file.name}: demo")
        _run("demo", "--data", str(file), "--label-delay", str(delay), "--report", str(report), "--home", place, *ports)
        say(f"{file.name}: backtest")
        said = _run("backtest", str(file), "--label-delay", str(delay), "--json")
        return differences(json.loads(report.read_text("utf-8")), json.loads(said.splitlines()[-1]))


def differences(report: Mapping[str, Any], backtest: Mapping[str, Any]) -> list[str]:
    """Alerts, decisions and quality of a demo's report beside those of a backtest; the first model is not compared."""
    found = []
    for kind, keys in COMPARED.items():
        live = [entry for entry in report[kind] if entry.get("trigger") != "bootstrap"]
        pairs = zip_longest(_parts(live, keys), _parts(backtest[kind], keys))
        found += [f"{kind} {place}: the demo has {one}, the backtest {other}"
                  for place, (one, other) in enumerate(pairs) if one != other]
    for figure in FIGURES:
        one, other = report.get(f"{figure}_live"), backtest.get(figure)
        if (one is None) != (other is None) or (one is not None and other is not None and abs(one - other) > CLOSE):
            found.append(f"{figure}: the demo has {one}, the backtest {other}")
    return found


def _parts(entries: Sequence[Mapping[str, Any]], keys: Sequence[str]) -> list[dict[str, Any]]:
    return [{key: entry[key] for key in keys} for entry in entries]


def _run(*arguments: str) -> str:
    done = subprocess.run([*COMMAND, *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=sys.stderr,
                          check=True)
    return done.stdout


if __name__ == "__main__":
    main()
