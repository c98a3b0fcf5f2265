"""Run: python -m bench.policies [PART ...] [--quick] [--json] [--write] [--workers N]."""

import time
from argparse import ArgumentTypeError
from concurrent.futures import ProcessPoolExecutor

from threadpoolctl import threadpool_limits

from bench.policies import NAME, ORDER, canary, forced, noise, poisoned, stationary, storm, streams
from bench.result import arguments, print_line, progress, say, show, store

PARTS = {module.PART: module.measure for module in (streams, stationary, storm, poisoned, forced, canary, noise)}


def main() -> None:
    """Measure the parts that are named, or all; each is stored as soon as it is measured."""
    parser = arguments(NAME, "The retraining policy: quality beside others, and how it fares where it is tried hard.")
    parser.add_argument("parts", nargs="*", type=_part, metavar="PART", help=f"of {', '.join(PARTS)}; none: all")
    parser.add_argument("--workers", type=int, default=2, help="processes (2)")
    options = parser.parse_args()
    results = []
    with (ProcessPoolExecutor(options.workers, initializer=threadpool_limits, initargs=(1,)) as pool,
          progress(silent=options.json) as bar):
        for part in options.parts or ORDER:
            started = time.monotonic()
            results.append(PARTS[part](pool, bar, quick=options.quick))
            say(f"{part}: {time.monotonic() - started:.0f} s; {results[-1].summary}")
            if options.write:
                store(results[-1])
    if options.json:
        print_line({result.name.removeprefix(f"{NAME}_"): result.figures for result in results})
        return
    for result in results:
        show(result)


def _part(text: str) -> str:
    if text not in PARTS:
        raise ArgumentTypeError(f"there is no part '{text}'; there are {', '.join(PARTS)}")
    return text


if __name__ == "__main__":
    main()
