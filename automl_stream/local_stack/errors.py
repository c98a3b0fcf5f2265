"""What can go wrong with the local stack. Each message is one sentence: what, where, what to do.

LocalStackError
├── AlreadyRunning        a living parent holds this home             retriable: after `automl-stream down`
├── CorruptJar            a fresh download has the wrong SHA-256      retriable
├── DownloadFailed        Maven Central (or the mirror) is away       retriable
├── Ending                the supervisor was asked to end meanwhile
├── MissingLibrary        a system library is not installed
├── NotAnswering          a given external address does not answer    retriable
├── NothingToScale        no `up` runs in this home                 retriable: after `automl-stream up`
├── NotEnoughDisk         too little free space under home
├── PortTaken             another process listens on a port of ours
├── PrivilegeError        PostgreSQL cannot run as this user here
├── ServiceFailed         a service ended or did not become ready
└── UnknownService        no service of that name
"""

from __future__ import annotations

from typing import ClassVar


class LocalStackError(Exception):
    """The local stack cannot go on; the message says what, where and what to do."""

    retriable: ClassVar[bool] = False


class AlreadyRunning(LocalStackError):
    """A stack already runs in this home."""

    retriable = True


class CorruptJar(LocalStackError):
    """A jar's bytes differ from the lock even when freshly downloaded."""

    retriable = True


class DownloadFailed(LocalStackError):
    """A jar cannot be downloaded."""

    retriable = True


class Ending(LocalStackError):
    """The supervisor was asked to end while something waited for it."""


class MissingLibrary(LocalStackError):
    """A system library is missing."""


class NotAnswering(LocalStackError):
    """An address taken from the environment does not answer."""

    retriable = True


class NotEnoughDisk(LocalStackError):
    """The disk under home is too full to start."""


class NothingToScale(LocalStackError):
    """No stack runs whose services could be scaled."""

    retriable = True


class PortTaken(LocalStackError):
    """A port is in use by another process."""


class PrivilegeError(LocalStackError):
    """PostgreSQL refuses root, and there is no way here to run it as someone else."""


class ServiceFailed(LocalStackError):
    """A service ended, or was not ready in time."""


class UnknownService(LocalStackError):
    """There is no service of this name."""
