"""`python doomed_trainer.py STEP`: the trainer, killed by SIGKILL when it reaches a step of a promotion."""

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import trainer.__main__ as program
from trainer import rounds, service
from trainer.announce import Announcer
from trainer.leadership import Leadership
from trainer.promotion import Promoter
from trainer.registry import Registry


def _die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _before(owner: Any, name: str) -> None:
    setattr(owner, name, _die)


def _after(owner: Any, name: str, when: Callable[..., bool] = lambda *_: True) -> None:
    original = getattr(owner, name)

    def wrapped(*arguments: Any, **named: Any) -> Any:
        result = original(*arguments, **named)
        if when(*arguments):
            _die()
        return result

    setattr(owner, name, wrapped)


STEPS: dict[str, Callable[[], None]] = {
    "fit": lambda: _after(rounds, "_fit_candidates"),
    "export": lambda: _before(Promoter, "_registration"),
    "upload": lambda: _before(Registry, "_describe"),
    "register": lambda: _after(Registry, "register"),
    "artifact": lambda: _after(Announcer, "store"),
    "announce": lambda: _after(Announcer, "announce"),
    "decision": lambda: _after(service.Trainer, "_say", lambda _, decision: decision.verdict == "promoted"),
    "commit": lambda: _before(Leadership, "commit"),
}

if __name__ == "__main__":
    STEPS[sys.argv[1]]()
    sys.exit(program.main())
