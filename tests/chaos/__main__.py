"""Faults from a seeded schedule: `python -m tests.chaos [--quick] [--churn] [--json] [--seed N] [--plan]`.

Exit codes: 0 all is well, 1 something was lost, conflicts or is not exact. Slow recovery is said, but no failure here:
it may be the machine's.
"""

import argparse
import logging
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from tests.chaos.run import RECOVERY_SECONDS, Outcome, run
from tests.chaos.schedule import CHURN_FULL, CHURN_QUICK, FULL, QUICK, churn, schedule


def main() -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="the short form: some minutes")
    parser.add_argument("--churn", action="store_true", help="only joins and leaves, every 5 s")
    parser.add_argument("--json", action="store_true", help="the last line is one JSON object")
    parser.add_argument("--seed", type=int, default=1, help="another schedule and other events")
    parser.add_argument("--plan", action="store_true", help="print the schedule and do nothing")
    parser.add_argument("--keep", type=Path, help="a directory that keeps the broker's data and the logs")
    asked = parser.parse_args()
    plan = (CHURN_QUICK if asked.quick else CHURN_FULL) if asked.churn else (QUICK if asked.quick else FULL)
    faults = churn(plan) if asked.churn else schedule(plan, asked.seed)
    if asked.plan:
        sys.stdout.writelines(f"{fault.at:8.1f} s  {fault.kind:<6}  worker {fault.worker}  away {fault.away:.1f} s\n"
                              for fault in faults)
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # leave no worker and no broker behind
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(message)s")
    logging.getLogger(__name__).info("seed %s, %s", asked.seed, plan)
    with TemporaryDirectory(prefix="chaos-") as directory:
        outcome = run(plan, faults, asked.keep or Path(directory), asked.seed)
    report(outcome, as_json=asked.json)
    return 0 if outcome.ok else 1


def report(outcome: Outcome, *, as_json: bool) -> None:
    """Figures, and the first differences."""
    if not outcome.quick:
        sys.stderr.write(f"Recovery took longer than {RECOVERY_SECONDS:.0f} s: is the machine quiet?\n")
    for difference in outcome.first_differences:
        sys.stderr.write(f"{difference.check}: {difference.where}\n  expected {difference.expected}\n"
                         f"  found    {difference.found}\n")
    fields = msgspec.to_builtins(outcome)
    del fields["first_differences"]
    if as_json:
        sys.stdout.write(msgspec.json.encode(fields).decode() + "\n")
    else:
        sys.stdout.writelines(f"{name:22} {value}\n" for name, value in fields.items())


if __name__ == "__main__":
    sys.exit(main())
