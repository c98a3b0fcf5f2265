"""`python doomed_trainer.py STEP [SIGNAL]`: the trainer, killed (or sent another signal) when it reaches a step."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import trainer.__main__ as program
from trainer import registration, rounds, service
from trainer.announce import Announcer
from trainer.clerk import Clerk
from trainer.leadership import Leadership
from trainer.promotion import Promoter
from trainer.registry import Registry
from trainer.state_log import StateLog


def _hit() -> None:
    os.kill(os.getpid(), signal.Signals[sys.argv[2]] if len(sys.argv) > 2 else signal.SIGKILL)


def _before(owner: Any, name: str) -> None:
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        _hit()
        return original(*arguments, **named)

    setattr(owner, name, wrapped)


def _after(owner: Any, name: str, when: Callable[..., bool] = lambda *_: True) -> None:
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        result = original(*arguments, **named)
        if when(*arguments):
            _hit()
        return result

    setattr(owner, name, wrapped)


STEPS: dict[str, Callable[[], None]] = {
    "fit": lambda: _after(rounds, "_fit_candidates"),
    "export": lambda: _before(Promoter, "_registration"),
    "run": lambda: _after(registration, "_find_run"),
    "upload": lambda: _after(registration, "_describe"),
    "register": lambda: _after(Registry, "register"),
    "artifact": lambda: _after(Announcer, "store"),
    "before announce": lambda: _before(Announcer, "announce"),
    "announce": lambda: _after(Announcer, "announce"),
    "alias": lambda: _after(Registry, "point"),
    "decision": lambda: _after(service.Trainer, "_say", lambda _, decision: decision.verdict == "promoted"),
    "state": lambda: _after(StateLog, "require_sole"),
    "commit": lambda: _before(Leadership, "commit"),
    "pictures": lambda: _after(Clerk, "_examine"),
}

if __name__ == "__main__":
    STEPS[sys.argv[1]]()
    sys.exit(program.main())
