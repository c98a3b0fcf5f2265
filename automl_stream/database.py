"""Where a command finds PostgreSQL."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from automl_stream.wrong_use import WrongUse


@contextmanager
def database(home: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """URL of PostgreSQL: the environment's, else that of the stack in `home`, which is started for as long as it is
    needed where it was ended.

    Raises:
        WrongUse: when there is neither.
    """
    from automl_stream.verify.command import reachable  # noqa: PLC0415  (keeps --help fast)
    from automl_stream.verify.errors import NoAddress  # noqa: PLC0415

    if named := environment.get("DATABASE_URL"):
        yield named
        return
    try:
        with reachable(home, environment) as (_, url):
            yield url
    except NoAddress as error:
        raise WrongUse(str(error)) from error
